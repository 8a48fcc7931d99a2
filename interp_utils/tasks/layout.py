"""How a pair (a, b) is written as tokens and its answer as an output, and in which coordinates the
answer is a sum. A task states both, and they are checked against its data when it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["Layout", "Operand", "Operation"]


@dataclass(frozen=True, eq=False)
class Operand:
    """The position of an operand in every input, and the token of each of its values.

    tokens: Int "k", the token of value 0, 1, ... k - 1. Values are in the order of the grid's axis.
    """

    position: int
    tokens: Tensor

    def values(self, inputs: Int[Tensor, "n ctx"], name: str, d_vocab: int) -> Int[Tensor, "n"]:
        """The operand's value in each input. Raises ValueError for the first input without one."""
        tokens = self.tokens
        if tokens.ndim != 1 or tokens.dtype != torch.int64:
            raise TypeError(
                f"the tokens of operand {name} must be one axis of torch.int64, got "
                f"{tokens.dtype} of shape {tuple(tokens.shape)}"
            )
        if type(self.position) is not int or not 0 <= self.position < inputs.shape[1]:
            raise ValueError(
                f"operand {name} must stand at one of the positions 0 .. {inputs.shape[1] - 1}, "
                f"got {self.position!r}"
            )
        if len(tokens) == 0 or tokens.min() < 0 or tokens.max() >= d_vocab:
            raise ValueError(f"the tokens of operand {name} must be some of 0 .. {d_vocab - 1}")
        if len(tokens.unique()) < len(tokens):
            raise ValueError(f"two values of operand {name} have the same token")
        value_of = torch.full((d_vocab,), -1)
        value_of[tokens] = torch.arange(len(tokens))
        values = value_of[inputs[:, self.position]]
        if (values < 0).any():
            row = int((values < 0).nonzero()[0])
            raise ValueError(
                f"input {row} is {inputs[row].tolist()}: its token {inputs[row, self.position]} at "
                f"position {self.position} is not a value of operand {name}"
            )
        return values


@dataclass(frozen=True, eq=False)
class Operation:
    """Coordinates in which a task is an addition: label(a, b) = classes[(u[a] + v[b]) mod m].

    u, v:    Int "a", Int "b": a coordinate in 0 .. m - 1 for each value of either operand.
    classes: Int "m": the class of each sum; its length is the modulus m.
    holds:   False for a control, which is measured like the task but has other labels.
    """

    u: Tensor
    v: Tensor
    classes: Tensor
    holds: bool = True

    @property
    def modulus(self) -> int:
        return len(self.classes)

    @property
    def labels(self) -> Int[Tensor, "a b"]:
        """The class of every pair."""
        return self.classes[(self.u[:, None] + self.v) % self.modulus]

    def require_bijections(self) -> None:
        """Raises ValueError unless u, v and classes name every value once."""
        m = self.modulus
        for name, values in (("u(a)", self.u), ("v(b)", self.v)):
            if len(values) != m or len(values.unique()) < m:
                raise ValueError(
                    f"{name} takes {len(values.unique())} of the {m} values mod {m} on "
                    f"{len(values)} operands: the grid of (u, v) needs every pair exactly once"
                )
        if len(self.classes.unique()) < m:
            raise ValueError(f"two sums mod {m} have the same class: a class must name one sum")


@dataclass(frozen=True)
class Layout:
    """The inputs and outputs of a task on pairs, for models that were trained on another form.

    inputs:      one entry for each position: "a" and "b" for the operands, or a token that is the
                 same in every input; e.g. ["a", 54, "b", 53]. Default: ["a", "b", "="], where "="
                 is the token after those of the numbers.
    tokens:      the token of each value; one sequence for both operands, or a pair of sequences.
                 Default: value n is token n.
    outputs:     the model's output for each class. Default: class c is output c.
    d_vocab:     number of the model's input tokens, if some of them do not occur.
    d_vocab_out: number of the model's outputs, if it has more outputs than classes.
    answer_pos:  where the answer is read.
    """

    inputs: Sequence[str | int] | None = None
    tokens: Sequence[int] | tuple[Sequence[int], Sequence[int]] | None = None
    outputs: Sequence[int] | None = None
    d_vocab: int | None = None
    d_vocab_out: int | None = None
    answer_pos: int = -1

    def tables(self, n_a: int, n_b: int) -> tuple[Tensor, Tensor]:
        """The tokens of a's and b's values. Raises ValueError for tables of another size."""
        if self.tokens is None:
            return torch.arange(n_a), torch.arange(n_b)
        pair = len(self.tokens) == 2 and all(hasattr(table, "__len__") for table in self.tokens)
        tables = self.tokens if pair else (self.tokens, self.tokens)
        made = tuple(torch.as_tensor(table, dtype=torch.int64) for table in tables)
        if not pair:
            made = made[0][:n_a], made[1][:n_b]
        if (len(made[0]), len(made[1])) != (n_a, n_b):
            raise ValueError(
                f"Layout.tokens must name {n_a} values of a and {n_b} of b, got "
                f"{len(made[0])} and {len(made[1])}"
            )
        return made

    def write(
        self, a: Int[Tensor, "n"], b: Int[Tensor, "n"], n_a: int, n_b: int
    ) -> tuple[Int[Tensor, "n ctx"], tuple[Operand, Operand], int]:
        """Inputs for pairs, their operands, and the number of tokens."""
        of_a, of_b = self.tables(n_a, n_b)
        equals = int(torch.cat([of_a, of_b]).max()) + 1
        inputs = ["a", "b", equals] if self.inputs is None else list(self.inputs)
        if inputs.count("a") != 1 or inputs.count("b") != 1:
            raise ValueError(f'Layout.inputs must have "a" and "b" once each, got {inputs}')
        constants = [entry for entry in inputs if entry not in ("a", "b")]
        if not all(type(entry) is int and entry >= 0 for entry in constants):
            raise ValueError(f'Layout.inputs takes "a", "b" and tokens, got {inputs}')
        columns = {"a": of_a[a], "b": of_b[b]}
        tokens = torch.stack([columns.get(x, torch.full_like(a, 0) + _token(x)) for x in inputs], 1)
        operands = (Operand(inputs.index("a"), of_a), Operand(inputs.index("b"), of_b))
        largest = max(int(of_a.max()), int(of_b.max()), *constants, 0)
        d_vocab = largest + 1 if self.d_vocab is None else self.d_vocab
        return tokens, operands, d_vocab


def _token(entry: str | int) -> int:
    return entry if isinstance(entry, int) else 0
