"""Tasks whose inputs are drawn at random, afresh at every step, and answered at several positions.

A task of this kind is a subclass of `StreamTask` that says what is drawn, what of an input makes it
the same as another, and how it is restored; everything else follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from interp_utils.tasks.kinds import Restorable

__all__ = ["Sequences", "StreamTask"]

NOTHING = -1  # the label where nothing is asked
TRAINING, VALIDATION, TEST = range(3)  # streams of random numbers
REDRAWS = 1000  # rounds before giving up


@dataclass(frozen=True, eq=False)
class Sequences:
    """Inputs that are answered at several positions.

    tokens:    Int "n ctx".
    labels:    Int "n ctx", the class that is asked for at each position, -1 where nothing is.
    d_vocab:   number of input tokens.
    n_outputs: number of classes; None: the classes are the tokens.

    Raises ValueError where tokens or labels are out of their ranges.
    """

    name: str
    tokens: Tensor
    labels: Tensor
    d_vocab: int
    n_outputs: int | None = None
    grid: ClassVar[None] = None
    operands: ClassVar[tuple] = ()
    answer_pos: ClassVar[None] = None
    outputs: ClassVar[None] = None
    d_vocab_out: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.tokens.ndim != 2 or self.tokens.shape != self.labels.shape:
            raise ValueError(
                f"tokens and labels must have one shape (n, ctx), got {tuple(self.tokens.shape)} "
                f"and {tuple(self.labels.shape)}"
            )
        for name, values, low, high in (
            ("tokens", self.tokens, 0, self.d_vocab),
            ("labels", self.labels, NOTHING, self.n_classes[0]),
        ):
            if len(values) and (values.min() < low or values.max() >= high):
                raise ValueError(
                    f"{name} must be in {low} .. {high - 1}, got {values.min().item()} .. "
                    f"{values.max().item()}"
                )

    def __len__(self) -> int:
        return self.tokens.shape[0]

    @property
    def n_ctx(self) -> int:
        return self.tokens.shape[1]

    @property
    def n_classes(self) -> tuple[int, ...]:
        return (self.d_vocab if self.n_outputs is None else self.n_outputs,)

    @property
    def asked(self) -> Tensor:
        """Bool "n ctx": the positions with an answer."""
        return self.labels != NOTHING

    def to(self, device: torch.device | str) -> Sequences:
        return self._with(self.tokens.to(device), self.labels.to(device))

    def a_major(self) -> Sequences:
        """These sequences: their inputs are no grid, whose order they could have."""
        return self

    def take(self, rows: np.ndarray | Tensor) -> Sequences:
        """The inputs of these rows, with their labels."""
        chosen = torch.as_tensor(rows)
        return self._with(self.tokens[chosen], self.labels[chosen])

    def join(self, other: Sequences) -> Sequences:
        """These inputs, followed by those of `other`."""
        tokens = torch.cat([self.tokens, other.tokens])
        return self._with(tokens, torch.cat([self.labels, other.labels]))

    def _with(self, tokens: Tensor, labels: Tensor) -> Sequences:
        made = object.__new__(Sequences)  # of parts that were checked
        fields = {"name": self.name, "d_vocab": self.d_vocab, "n_outputs": self.n_outputs}
        made.__dict__.update(fields, tokens=tokens, labels=labels)
        return made


@dataclass(frozen=True, eq=False)
class StreamTask(Restorable):
    """Fresh inputs for every training step, and two fixed sets that no training step ever shows.

    Everything follows from `seed`: a step's batch depends on the seed and the step alone. A
    subclass has a `kind`, and

    draw(random, n):     n inputs with their labels.
    identity(sequences): a 64-bit number for each input, the same where two are the same input.
                         Two inputs that share it by chance are treated as one: at worst an input is
                         drawn again.
    restore(about, tensors).
    """

    name: str
    validation: Sequences
    test: Sequences
    seed: int
    params: Mapping[str, Any]

    def draw(self, random: np.random.RandomState, n: int) -> Sequences:
        raise NotImplementedError(f"{type(self).__name__} must say what it draws")

    def identity(self, sequences: Sequences) -> np.ndarray:
        return digests(sequences.tokens.numpy())

    @property
    def d_vocab(self) -> int:
        return self.test.d_vocab

    @property
    def n_classes(self) -> tuple[int, ...]:
        return self.test.n_classes

    @property
    def n_ctx(self) -> int:
        return self.test.n_ctx

    @property
    def d_vocab_out(self) -> int | None:
        return self.test.d_vocab_out

    def batch(self, step: int, size: int) -> Sequences:
        """The training batch of a step. A row that is a validation or test input is drawn again."""
        random = np.random.RandomState([self.seed, TRAINING, step])
        return draw_without(self.draw, self.identity, random, size, self._held_out)

    @cached_property
    def _held_out(self) -> np.ndarray:
        return np.concatenate([self.identity(self.validation), self.identity(self.test)])

    def about(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "params": dict(self.params)}

    def tensors(self) -> dict[str, Tensor]:
        return {"validation": self.validation.tokens, "test": self.test.tokens}


def draw_without(
    draw: Callable[[np.random.RandomState, int], Sequences],
    identity: Callable[[Sequences], np.ndarray],
    random: np.random.RandomState,
    n: int,
    without: np.ndarray,
) -> Sequences:
    """n inputs, each drawn again until its identity is not among those `without`."""
    found = draw(random, n)
    for _ in range(REDRAWS):
        taken = np.isin(identity(found), without)
        if not taken.any():
            return found
        found = found.take(np.flatnonzero(~taken)).join(draw(random, int(taken.sum())))
    raise ValueError(
        "nearly every input that is drawn is held out: hold out fewer, or make more of them "
        "possible (more numbers or lengths)"
    )


def distinct(
    draw: Callable[[np.random.RandomState, int], Sequences],
    identity: Callable[[Sequences], np.ndarray],
    random: np.random.RandomState,
    n: int,
    without: np.ndarray,
    admit: Callable[[Sequences], np.ndarray] | None = None,
) -> Sequences:
    """n inputs that differ from each other and from those `without`.

    admit: of inputs that differ, the rows to keep; default all.
    """
    found = draw_without(draw, identity, random, n, without)
    for _ in range(REDRAWS):
        kept = found.take(np.sort(np.unique(identity(found), return_index=True)[1]))
        kept = kept if admit is None else kept.take(admit(kept))
        if len(kept) == n:
            return kept
        others = np.concatenate([without, identity(kept)])
        found = kept.join(draw_without(draw, identity, random, n - len(kept), others))
    raise ValueError(
        f"found only {len(kept)} of {n} different inputs to hold out: ask for fewer, or take more "
        f"numbers"
    )


def digests(rows: np.ndarray) -> np.ndarray:
    """A 64-bit number for each row of integers from -1."""
    odd = np.random.RandomState(0).randint(0, 2**62, rows.shape[1], dtype=np.int64) * 2 + 1
    mixed = (rows + 2) * odd
    mixed ^= mixed >> 29
    return (mixed * odd[::-1]).sum(1)
