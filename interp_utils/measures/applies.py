"""Whether a measure or an ablation means anything for a model and a task, and if not, why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from interp_utils import models

if TYPE_CHECKING:
    from interp_utils.models.cached import CachedModel


class DoesNotApply(ValueError):
    """A measure or an ablation means nothing for this model or this task; the message says why.

    Tables of all measures leave such a measure out; asking for it by name raises this error.
    """


def the_layer(model: CachedModel, layer: int | None = None) -> int:
    """The layer that was asked for, or the only one. Raises DoesNotApply where there are several
    and none was named, ValueError for a layer that does not exist.
    """
    layers = model.model.cfg.n_layers
    if layer is None:
        if layers != 1:
            raise DoesNotApply(
                f"this model has {layers} layers: say which one, layer=0 .. {layers - 1}"
            )
        return 0
    if not 0 <= layer < layers:
        raise ValueError(f"layer must be in 0 .. {layers - 1}, got {layer}")
    return layer


def has_mlp(model: CachedModel) -> bool:
    cfg = model.model.cfg
    return cfg.d_mlp is not None and not cfg.attn_only


def require_mlp(model: CachedModel) -> None:
    """Raises DoesNotApply for a model without one."""
    if not has_mlp(model):
        raise DoesNotApply("this model has no MLP")


def require_one_after_the_other(model: CachedModel) -> None:
    """Raises DoesNotApply where the MLP does not read attention's output."""
    if getattr(model.model.cfg, "parallel_attn_mlp", False):
        raise DoesNotApply("attention and MLP of this model are parallel: neither skips the other")


def require_softmax(model: CachedModel, what: str) -> None:
    """Raises DoesNotApply, naming what needs it, where the rows of a pattern do not sum to 1."""
    if _is_shaped(model):
        raise DoesNotApply(
            f"{what} is about weights that sum to 1, and this model's pattern is alpha I + beta A "
            "- gamma C: edit the softmax A with with_values or with_hooks, its hook is "
            '"softmax"'
        )


def require_attention_skip(model: CachedModel) -> None:
    """Raises DoesNotApply where nothing skips attention."""
    if _is_shaped(model):
        raise DoesNotApply("nothing skips the attention of this model's simplified blocks")


def _is_shaped(model: CachedModel) -> bool:
    return getattr(model.model.cfg, "shaped_attention", False)


def value_weights(model: CachedModel, *, layer: int = 0) -> tuple[Tensor, Tensor]:
    """W_V and W_O of a layer, "head d_model d_head" and "head d_head d_model". Raises DoesNotApply
    for a family that does not have them.
    """
    weights, names = models.named_weights(model.model), ("W_V", "W_O")
    full = [f"blocks.{layer}.attn.{name}" for name in names]
    if missing := [name for name in full if name not in weights]:
        raise DoesNotApply(
            f"this model has no {' and no '.join(missing)}: no head has a map of its own from what "
            "it reads to what it writes"
        )
    return weights[full[0]].detach(), weights[full[1]].detach()


def in_sums(model: CachedModel) -> CachedModel:
    """The model on the grid of the coordinates whose sum is the label. Raises DoesNotApply where
    its task has no such coordinates.
    """
    try:
        return model.as_sums()
    except ValueError as error:
        raise DoesNotApply(str(error)) from None


def require_embeddings(model: CachedModel) -> None:
    """Raises DoesNotApply for a model that does not embed its operands by a matrix W_E."""
    try:
        model.W_E  # noqa: B018
    except ValueError as error:
        raise DoesNotApply(str(error)) from None


def W_L(model: CachedModel) -> Float[Tensor, "neuron c"]:
    """W_out W_U. Raises DoesNotApply where neurons are not read by this product."""
    try:
        return model.W_L
    except ValueError as error:
        raise DoesNotApply(str(error)) from None
