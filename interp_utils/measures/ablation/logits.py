"""Edits of logits: only some frequencies are kept, or some are removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interp_utils.analysis import progress
from interp_utils.measures.ablation.parts import Logits

if TYPE_CHECKING:
    from interp_utils.models.cached import CachedModel


def with_logits_on(
    model: CachedModel, keys: Sequence[int], *, variant: progress.Variant = "sum"
) -> Logits:
    """The logits' mean plus their projection on the keys. variant: "sum_3d" for fitted cosines,
    "block3x3" for the paper's 40 components.
    """
    return progress.restrict(on_sums(model).logits, keys, variant=variant)


def without_frequency(
    model: CachedModel, k: int, *, variant: progress.Variant = "block3x3"
) -> Logits:
    """The logits without all terms of one frequency."""
    return progress.remove(on_sums(model).logits, [k], variant=variant)


def on_sums(model: CachedModel) -> CachedModel:
    """The model itself. Raises ValueError unless its label is the sum of its grid's coordinates.

    An ablation that uses cos w(a + b) returns logits on the model's own grid, for the labels of the
    model's own task. Therefore it does not change the coordinates by itself.
    """
    if model.as_sums() is not model:
        raise ValueError(
            f"this ablation uses cos w(u + v), and the grid of {model.task.name} is not that of u "
            "and v: pass model.as_sums(), and compare the logits with model.as_sums().task.labels"
        )
    return model
