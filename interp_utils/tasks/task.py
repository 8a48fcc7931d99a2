"""A finite task: every input, its label, which inputs are for training, and their layout."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils.tasks.checks import (
    cells,
    check_answers,
    check_operation,
    check_outputs,
    check_tensors,
)
from interp_utils.tasks.kinds import Restorable
from interp_utils.tasks.layout import Operand, Operation

__all__ = ["Task"]


@dataclass(frozen=True, eq=False)
class Task(Restorable):
    """All inputs of a finite task, in one fixed order.

    tokens:      Int "n ctx".
    labels:      Int "n", or Int "n answer" where each input has several answers at once.
    train_mask:  Bool "n", True for training inputs.
    n_classes:   the number of classes of each answer, or of the only one; a model has their sum as
                 outputs, side by side.
    d_vocab:     number of input tokens.
    operands:    the position of each operand and the token of each of its values; inputs are then
                 all combinations of values, each once. () if inputs are not a grid.
    answer_pos:  the position at which the answer is read.
    outputs:     the model's output for each class; None: class c is output c.
    d_vocab_out: number of the model's outputs; None: those of the classes.
    operation:   coordinates of the operands whose sum is the label (`Operation`).
    weights:     of each answer in the training loss, which is the weighted sum of their mean
                 losses; default all 1.
    split_known: False where it is not known which inputs were for training: no input is in
                 `train_mask` then, and `test_mask` is refused.
    params:      the arguments that the task was made with, for people to read (JSON-able).

    Raises ValueError/TypeError where the tensors do not fit each other or the declarations, naming
    the first input that does not fit.
    """

    name: str
    tokens: Tensor
    labels: Tensor
    train_mask: Tensor
    n_classes: tuple[int, ...]
    d_vocab: int
    operands: tuple[Operand, ...] = ()
    answer_pos: int = -1
    outputs: tuple[int, ...] | None = None
    d_vocab_out: int | None = None
    operation: Operation | None = None
    weights: tuple[float, ...] | None = None
    split_known: bool = True
    params: Mapping[str, Any] = field(default_factory=dict)
    kind: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        if isinstance(self.n_classes, int):  # of one answer
            object.__setattr__(self, "n_classes", (self.n_classes,))
        check_tensors(self)
        check_answers(self)
        check_outputs(self)
        if self.operands:
            object.__setattr__(self, "_cells", cells(self))
        if self.operation is not None:
            check_operation(self)

    def __len__(self) -> int:
        return self.tokens.shape[0]

    @property
    def answer_weights(self) -> tuple[float, ...]:
        """The weight of each answer in the training loss: `weights`, or 1 for all."""
        return self.weights or tuple(1.0 for _ in self.n_classes)

    @property
    def answer_names(self) -> tuple[int, ...]:
        """What metrics call each answer: its number of classes, or its place where two are one."""
        sizes = self.n_classes
        return sizes if len(set(sizes)) == len(sizes) else tuple(range(len(sizes)))

    @property
    def n_ctx(self) -> int:
        """Tokens per input."""
        return self.tokens.shape[1]

    @property
    def grid(self) -> tuple[int, ...] | None:
        """How many values each operand has: inputs are the cells of this grid; None if no grid."""
        return tuple(len(operand.tokens) for operand in self.operands) or None

    @property
    def p(self) -> int:
        """The number of values of either operand. Raises ValueError unless both have as many."""
        if self.grid is None or len(set(self.grid)) > 1:
            raise ValueError(f"{self.name} is on a grid of {self.grid}: it has no single p")
        return self.grid[0]

    @property
    def test_mask(self) -> Tensor:
        """Bool "n": every input that is not for training. Raises ValueError if that is unknown."""
        if not self.split_known:
            raise ValueError(
                f"which inputs of {self.name} were for training is unknown, so train and test "
                f"measures mean nothing; give the task its training pairs (train=...)"
            )
        return ~self.train_mask

    @property
    def splits(self) -> dict[str, Tensor]:
        """The masks, Bool "n", of "all" inputs, and of those for "train" and "test" where these are
        known and not empty.
        """
        masks = {"all": torch.ones_like(self.train_mask)}
        if self.split_known:
            masks |= {"train": self.train_mask, "test": self.test_mask}
        return {name: mask for name, mask in masks.items() if mask.any()}

    @cached_property
    def rows(self) -> Int[Tensor, "n"]:
        """The input of every cell of the grid, a-major: tokens[rows] is in the grid's order."""
        if not self.operands:
            raise ValueError(f"{self.name} states no operands: its inputs are not a grid")
        return self._cells.argsort()

    def a_major(self) -> Task:
        """The same task with its inputs in the grid's order: n = a * (values of b) + b."""
        if not self.operands or self.rows.equal(torch.arange(len(self))):
            return self
        return self._reordered(self.rows)

    def as_sums(self) -> Task:
        """The same inputs in the coordinates of the task's operation: a task on (u, v) whose label
        is (u + v) mod m. Every measure of modular addition applies to it.

        Raises ValueError where the task states no operation, or an operation that does not name
        every pair (u, v) and every class exactly once.
        """
        operation = self.operation
        if operation is None:
            raise ValueError(
                f"{self.name} states no operation, and measures of u(a) + v(b) need its "
                f"coordinates; state them with Task(operation=tasks.Operation(u, v, classes))"
            )
        try:
            operation.require_bijections()
            if self.n_classes != (operation.modulus,):
                raise ValueError(
                    f"the sums mod {operation.modulus} are some of {self.n_classes[0]} classes; "
                    f"remove the classes that are never an answer from the task"
                )
        except ValueError as error:
            raise ValueError(f"{self.name} cannot be written as u + v: {error}") from None
        by_u, by_v, rows = operation.u.argsort(), operation.v.argsort(), self.sum_rows()
        a, b = self.operands
        n = torch.arange(operation.modulus)
        outputs = torch.arange(operation.modulus) if self.outputs is None else self.outputs
        return Task(
            name=self.name,
            tokens=self.tokens[rows],
            labels=operation.classes.to(self.labels.device).argsort()[self.labels[rows]],
            train_mask=self.train_mask[rows],
            n_classes=self.n_classes,
            d_vocab=self.d_vocab,
            operands=(Operand(a.position, a.tokens[by_u]), Operand(b.position, b.tokens[by_v])),
            answer_pos=self.answer_pos,
            outputs=tuple(torch.as_tensor(outputs)[operation.classes].tolist()),
            d_vocab_out=self.d_vocab_out,
            operation=Operation(n, n, n, operation.holds),
            split_known=self.split_known,
            params=self.params,
        )

    def sum_rows(self) -> Int[Tensor, "n"]:
        """The input of every cell of the grid of (u, v), u-major, for coordinates one to one."""
        by_u, by_v = self.operation.u.argsort(), self.operation.v.argsort()
        return self.rows.view(self.grid)[by_u][:, by_v].flatten()

    def to(self, device: torch.device | str) -> Task:
        """The same task with its inputs, labels and mask on `device`; the tensors of its layout
        stay where they are.
        """
        moved = copy.copy(self)  # the task was checked when it was made
        for name in ("tokens", "labels", "train_mask"):
            object.__setattr__(moved, name, getattr(self, name).to(device))
        return moved

    def about(self) -> dict[str, Any]:
        """The description of the task beside its `tensors`, JSON-able."""
        return {
            "kind": self.kind,
            "name": self.name,
            "params": dict(self.params),
            "n_classes": list(self.n_classes),
            "d_vocab": self.d_vocab,
            "positions": [operand.position for operand in self.operands],
            "answer_pos": self.answer_pos,
            "outputs": self.outputs and list(self.outputs),
            "d_vocab_out": self.d_vocab_out,
            "operation": self.operation and {"holds": self.operation.holds},
            "weights": self.weights and list(self.weights),
            "split_known": self.split_known,
        }

    def tensors(self) -> dict[str, Tensor]:
        tensors = {"tokens": self.tokens, "labels": self.labels, "train_mask": self.train_mask}
        tensors |= {f"operand_{i}": operand.tokens for i, operand in enumerate(self.operands)}
        of_operation = ("u", "v", "classes") if self.operation is not None else ()
        return tensors | {name: getattr(self.operation, name) for name in of_operation}

    @classmethod
    def restore(cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Task:
        """The task with these `about()` and `tensors()`."""
        return cls(**cls.stored_fields(about, tensors))

    @classmethod
    def stored_fields(
        cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> dict[str, Any]:
        """The fields that every finite task has, from what was stored."""
        fields = {name: about[name] for name in ("name", "d_vocab", "answer_pos", "d_vocab_out")}
        u_v_classes = [tensors[name].long() for name in ("u", "v", "classes") if name in tensors]
        return fields | {
            "tokens": tensors["tokens"].long(),
            "labels": tensors["labels"].long(),
            "train_mask": tensors["train_mask"].bool(),
            "n_classes": tuple(about["n_classes"]),
            "operands": tuple(
                Operand(position, tensors[f"operand_{index}"].long())
                for index, position in enumerate(about["positions"])
            ),
            "outputs": about["outputs"] and tuple(about["outputs"]),
            "operation": about["operation"]
            and Operation(*u_v_classes, about["operation"]["holds"]),
            "weights": about["weights"] and tuple(about["weights"]),
            "split_known": about["split_known"],
            "params": about["params"],
        }

    def _reordered(self, rows: Tensor) -> Task:
        rows = rows.to(self.tokens.device)
        changed = copy.copy(self)
        for name in ("tokens", "labels", "train_mask"):
            object.__setattr__(changed, name, getattr(self, name)[rows])
        object.__setattr__(changed, "_cells", torch.arange(len(self)))
        changed.__dict__.pop("rows", None)
        return changed
