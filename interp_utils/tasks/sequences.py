"""Inputs that are answered at several positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

__all__ = ["Sequences"]

NOTHING = -1  # the label where nothing is asked


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
