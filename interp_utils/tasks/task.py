"""A task: every input, its label, and which of them are for training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Task:
    """All inputs of a finite task, in one fixed order, read at the last position.

    tokens:     Int "n ctx".
    labels:     Int "n", or Int "n head" where each input has several labels at once.
    train_mask: Bool "n", True for training inputs.
    n_classes:  the number of classes of each label column; a model has their sum as outputs, side
                by side.
    d_vocab:    number of input tokens.
    weights:    of each label column in the training loss, which is the weighted sum of their mean
                losses; default all 1.
    grid:       operand ranges: inputs are the pairs (a, b), a-major, n = a * grid[1] + b. None if
                they are not pairs.
    params:     the arguments it was made with, for people to read (JSON-able).

    Raises ValueError/TypeError where the tensors do not fit each other.
    """

    name: str
    tokens: Tensor
    labels: Tensor
    train_mask: Tensor
    n_classes: tuple[int, ...]
    d_vocab: int
    grid: tuple[int, int] | None = None
    weights: tuple[float, ...] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    answer_pos: ClassVar[int] = -1

    def __post_init__(self) -> None:
        for name, dtype, dims in (
            ("tokens", torch.int64, (2,)),
            ("labels", torch.int64, (1, 2)),
            ("train_mask", torch.bool, (1,)),
        ):
            tensor = getattr(self, name)
            if tensor.dtype != dtype:
                raise TypeError(f"Task.{name} must be {dtype}, got {tensor.dtype}")
            if tensor.ndim not in dims:
                raise ValueError(
                    f"Task.{name} must have {' or '.join(map(str, dims))} axes, got shape "
                    f"{tuple(tensor.shape)}"
                )
        n = self.tokens.shape[0]
        if not n == len(self.labels) == len(self.train_mask) or n == 0:
            raise ValueError(
                f"tokens, labels and train_mask must have one row per input, got {n}, "
                f"{len(self.labels)} and {len(self.train_mask)} rows"
            )
        if self.grid is not None and self.grid[0] * self.grid[1] != n:
            raise ValueError(
                f"a grid of {self.grid[0]} x {self.grid[1]} pairs needs "
                f"{self.grid[0] * self.grid[1]} inputs, got {n}"
            )
        columns = self.labels.reshape(n, -1)
        if len(self.n_classes) != columns.shape[1]:
            raise ValueError(
                f"n_classes must have one entry per label column: {columns.shape[1]} columns, "
                f"{len(self.n_classes)} entries"
            )
        weights = self.weights or (1.0,) * len(self.n_classes)
        if (
            len(weights) != len(self.n_classes)
            or not all(0 <= weight < math.inf for weight in weights)
            or not any(weights)
        ):
            raise ValueError(
                f"weights must be {len(self.n_classes)} finite numbers from 0, one per label "
                f"column, not all 0; got {weights}"
            )
        for column, (labels, classes) in enumerate(
            zip(columns.unbind(1), self.n_classes, strict=True)
        ):
            if labels.min() < 0 or labels.max() >= classes:
                raise ValueError(
                    f"labels of column {column} must be in 0 .. {classes - 1}, got "
                    f"{labels.min().item()} .. {labels.max().item()}"
                )
        if self.tokens.min() < 0 or self.tokens.max() >= self.d_vocab:
            raise ValueError(
                f"tokens must be in 0 .. {self.d_vocab - 1}, got {self.tokens.min().item()} .. "
                f"{self.tokens.max().item()}"
            )
        if not self.train_mask.any():
            raise ValueError("train_mask marks no input for training; raise frac_train")

    def __len__(self) -> int:
        return self.tokens.shape[0]

    @property
    def n_ctx(self) -> int:
        """Tokens per input."""
        return self.tokens.shape[1]

    @property
    def test_mask(self) -> Tensor:
        """Bool "n": every input that is not for training."""
        return ~self.train_mask

    def to(self, device: torch.device | str) -> Task:
        """The same task with its tensors on `device`."""
        moved = {
            name: getattr(self, name).to(device) for name in ("tokens", "labels", "train_mask")
        }
        return dataclasses.replace(self, **moved)

    def about(self) -> dict[str, Any]:
        """What describes the task beside its `tensors`, JSON-able."""
        about = {
            "name": self.name,
            "params": dict(self.params),
            "n_classes": list(self.n_classes),
            "d_vocab": self.d_vocab,
        }
        about["grid"] = self.grid and list(self.grid)
        return about if self.weights is None else {**about, "weights": list(self.weights)}

    def tensors(self) -> dict[str, Tensor]:
        return {"tokens": self.tokens, "labels": self.labels, "train_mask": self.train_mask}

    @classmethod
    def restore(cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Task:
        """The task of which these are `about()` and `tensors()`."""
        return cls(
            name=about["name"],
            tokens=tensors["tokens"].long(),
            labels=tensors["labels"].long(),
            train_mask=tensors["train_mask"].bool(),
            n_classes=tuple(about["n_classes"]),
            d_vocab=about["d_vocab"],
            grid=about["grid"] and tuple(about["grid"]),
            weights=tuple(about["weights"]) if "weights" in about else None,
            params=about["params"],
        )
