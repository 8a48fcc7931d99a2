"""Checks of what ablations are asked for: the layer, the replacement, and the parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, get_args

from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.measures.applies import DoesNotApply, the_layer

if TYPE_CHECKING:
    from interp_utils.models.cached import CachedModel

Logits = Float[Tensor, "*grid c"]
How = Literal["zero", "mean"]


def check_how(how: str) -> None:
    """Raises ValueError unless how is "zero" or "mean"."""
    if how not in get_args(How):
        raise ValueError(f"how must be one of {get_args(How)}, got {how!r}")


def mean_of_inputs(values: Float[Tensor, "..."], axes: int) -> Float[Tensor, "..."]:
    """The mean over all inputs, whose axes are all but the last `axes` axes of values."""
    return values.flatten(0, values.ndim - axes - 1).mean(0)


def hook(model: CachedModel, name: str, layer: int | None = None) -> str:
    """The full name of a layer's activation; see `applies.the_layer`. Raises DoesNotApply for a
    model without this activation.
    """
    of_layer = the_layer(model, layer)
    try:
        return model.hook_name(name, of_layer)
    except ValueError as error:
        raise DoesNotApply(str(error)) from None


def chosen(which: int | Iterable[int] | Int[Tensor, "k"] | None, n: int, what: str) -> list[int]:
    """The chosen indices in 0 .. n - 1; None means all, an int means one. Raises TypeError for
    anything but integers (a bool, a mask), ValueError for an integer out of range.
    """
    if which is None:
        return list(range(n))
    listed = list(which) if isinstance(which, Iterable) else [which]
    indices = [x.item() if hasattr(x, "item") else x for x in listed]
    if any(type(index) is not int for index in indices):
        raise TypeError(f"{what} are integers in 0 .. {n - 1}, got {indices[:8]}")
    wrong = [index for index in indices if not 0 <= index < n]
    if wrong:
        raise ValueError(f"{what} are 0 .. {n - 1}, got {wrong[:8]}")
    return indices
