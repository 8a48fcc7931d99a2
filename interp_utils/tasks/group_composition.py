"""Composition in a finite group: x o y on all pairs of its elements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils.group_tables import check_table, group_table
from interp_utils.tasks.checks import plain_numbers
from interp_utils.tasks.layout import Layout, Operation
from interp_utils.tasks.modular import Train, table_task
from interp_utils.tasks.splits import PUBLISHED_SEED, Split
from interp_utils.tasks.task import Task

__all__ = ["GroupComposition", "group_composition"]


@dataclass(frozen=True, eq=False)
class GroupComposition(Task):
    """table: Int "g g", the group's multiplication table, table[x, y] = x o y, stored with the run.
    Labels are the table's entries, except in a control.

    group: the name of the group, if the table is what `group_table` has under that name; any other
    becomes "a group of g elements".
    """

    table: Tensor | None = None
    group: str = ""
    kind: ClassVar[str] = "group_composition"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.table is None:
            raise ValueError("a GroupComposition needs the multiplication table of its group")
        order = check_table(self.table)
        if self.grid != (order, order) or self.n_classes != (order,):
            raise ValueError(
                f"a group of {order} elements has a grid of {(order, order)} and {order} classes, "
                f"got {self.grid} and {self.n_classes}"
            )
        if not _is_named(self.table, self.group):
            object.__setattr__(self, "group", f"a group of {order} elements")

    def tensors(self) -> dict[str, Tensor]:
        return super().tensors() | {"table": self.table.to(torch.int16)}

    @classmethod
    def stored_fields(
        cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> dict[str, Any]:
        own = {"table": tensors["table"].long(), "group": about["params"].get("group", "")}
        return super().stored_fields(about, tensors) | own


@plain_numbers
def group_composition(
    group: str | Tensor | np.ndarray,
    frac_train: float = 0.3,
    seed: int | None = None,
    split: Split = "random",
    layout: Layout | None = None,
    train: Train | None = None,
) -> GroupComposition:
    """x o y in a group, on all pairs of its elements, as tokens [x, y, "="] with "=" the token |G|.

    group:      a name, C7, D4, S5, A4, Q8 or a product S3xC3, or a multiplication table
                table[x, y] = x o y of integers. "C113" is `modular_addition(113)`.
    frac_train: fraction of the pairs for training, in (0, 1]; int(frac_train * |G|^2) pairs.
    split:      see `train_mask`. seed None is the split's published one.
    layout:     for a model that was trained on another form of input (`Layout`).
    train:      the training pairs of a model that was trained elsewhere, in place of a split: a
                mask, pairs (x, y), or "unknown", for which measures of train and test are refused.
    Raises ValueError for an unknown name, and for a table that is not a group's, naming the entry,
    row, element or triple that shows this.
    """
    table = group_table(group) if isinstance(group, str) else torch.as_tensor(group).cpu()
    n = check_table(table)
    table = table.long()
    seed = PUBLISHED_SEED.get(split) if seed is None else seed
    name = group if isinstance(group, str) else f"a table of {n} elements"
    params = {"group": name, "frac_train": frac_train, "seed": seed, "split": split}
    operation = _addition(table)
    return table_task(
        "group_composition",
        table,
        n,
        params,
        layout,
        train,
        make=GroupComposition,
        operation=operation,
        table=table,
        group=name,
    )


def _is_named(table: Int[Tensor, "g g"], name: str) -> bool:
    try:
        return group_table(name).equal(table.long().cpu())
    except ValueError:
        return False


def _addition(table: Int[Tensor, "g g"]) -> Operation | None:
    """Coordinates in which the table is addition mod n, if it is the table of C_n. Every measure of
    modular addition then applies.
    """
    n = torch.arange(len(table))
    return Operation(n, n, n) if table.equal((n[:, None] + n) % len(n)) else None
