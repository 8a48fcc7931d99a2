"""Progress measures: what is left of a model's answer with only its key frequencies, and without
them.

Nanda et al. 2023, section 5, in every published variant. Tensors are on the grid of pairs, "p p
...", labels and masks over its p^2 pairs, a-major; losses are in nats. Projections average over the
pairs of one sum. So restricted and excluded loss can look good on a pure memoriser, and depend on
test inputs even on the training split: show them beside test accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils.analysis import fourier
from interp_utils.analysis.answers import accuracy, check_mask, mean_loss, selected
from interp_utils.losses import cross_entropy
from interp_utils.precision import at_least_float32

__all__ = [
    "Variant",
    "accuracy",
    "check_addition",
    "excluded_loss",
    "mean_loss",
    "project",
    "remove",
    "restrict",
    "restricted_loss",
    "share_on",
    "single_excluded_losses",
]

Variant = Literal["sum", "block2x2", "block3x3", "sum_3d"]
SumVariant = Literal["sum", "sum_3d"]


@at_least_float32
def project(
    grid: Float[Tensor, "p p ..."], keys: Sequence[int], *, variant: Variant = "sum"
) -> Float[Tensor, "p p ..."]:
    """The part of a grid on the key frequencies; its mean is never in it.

    "sum":      cos w_k(a + b) and sin w_k(a + b): two directions a key (released code, default).
    "block2x2": {cos, sin} w_k a x {cos, sin} w_k b: four (the paper's section 5.1: "20 terms").
    "block3x3": {1, cos, sin} x {1, cos, sin} but 1 x 1: eight (the paper's "113 x 113 - 40"
                ablation).
    "sum_3d":   cos w_k(a + b - c): one direction a key, over pairs and classes together; for logits
                "p p p".
    """
    p = fourier.check_grid(grid)
    keys = fourier.check_keys(p, keys)
    _check_variant(variant, get_args(Variant))
    if variant in get_args(SumVariant):
        table = _sum_table(_sum_components(grid, variant), p, keys, variant)
        return table[fourier.sum_of_pair(p, grid.device)]
    frequency = fourier.component_frequencies(p).to(grid.device)
    kept = torch.zeros(p, p, dtype=torch.bool, device=grid.device)
    for k in keys:
        of_key = frequency == k
        if variant == "block3x3":
            of_key = of_key | (frequency == 0)
        kept |= of_key[:, None] & of_key
    kept[0, 0] = False
    components = fourier.transform_2d(grid)
    return fourier.inverse_2d(components * _along_first(kept, components.ndim))


def remove(
    grid: Float[Tensor, "p p ..."], keys: Sequence[int], *, variant: Variant = "sum"
) -> Float[Tensor, "p p ..."]:
    """The part of a grid off the keys: project + remove is the identity. The mean stays."""
    return grid - project(grid, keys, variant=variant)


@at_least_float32
def restrict(
    grid: Float[Tensor, "p p ..."], keys: Sequence[int], *, variant: Variant = "sum"
) -> Float[Tensor, "p p ..."]:
    """The projection on the keys plus each output's mean over all pairs."""
    on_keys = project(grid, keys, variant=variant)
    return grid.mean((0, 1)) + on_keys


def restricted_loss(
    logits: Float[Tensor, "a b c"],
    labels: Int[Tensor, "n"],
    keys: Sequence[int],
    *,
    mask: Bool[Tensor, "n"] | None = None,
    variant: Variant = "sum",
    any_labels: bool = False,
) -> float:
    """Loss with only the key frequencies of the logits, and their mean (Nanda et al. 2023, section
    5.1). mask None: all pairs.

    Raises ValueError unless logits are "p p p", labels are (a + b) mod p (any_labels waives it, for
    controls), the keys are different frequencies, and the mask is not empty.
    """
    check_mask(mask)
    check_addition(logits, labels, any_labels=any_labels)
    return mean_loss(restrict(logits, keys, variant=variant), labels, mask=mask)


def excluded_loss(
    logits: Float[Tensor, "a b c"],
    labels: Int[Tensor, "n"],
    keys: Sequence[int],
    *,
    mask: Bool[Tensor, "n"] | None = None,
    variant: Variant = "sum",
    any_labels: bool = False,
) -> float:
    """Loss without the key frequencies (Nanda et al. 2023, section 5.1, on the training pairs).
    Raises as `restricted_loss` does.
    """
    check_mask(mask)
    check_addition(logits, labels, any_labels=any_labels)
    return mean_loss(remove(logits, keys, variant=variant), labels, mask=mask)


@at_least_float32
def single_excluded_losses(
    logits: Float[Tensor, "a b c"],
    labels: Int[Tensor, "n"],
    *,
    mask: Bool[Tensor, "n"] | None = None,
    variant: SumVariant = "sum",
    any_labels: bool = False,
) -> Float[Tensor, "freq"]:
    """Excluded loss of each frequency 1 .. p // 2 alone; index 0 is the loss with nothing removed.
    The maximum needs no key frequencies.

    Each frequency takes one subtraction of a p x p table from the masked rows; no array of
    frequency by pair by class is built.
    """
    p = check_addition(logits, labels, any_labels=any_labels)
    _check_variant(variant, get_args(SumVariant))
    rows, own = selected(logits, labels, mask=mask)
    sums = fourier.sum_of_pair(p, logits.device).flatten()
    if mask is not None:
        sums = sums[mask.to(sums.device)]
    components = _sum_components(logits, variant)
    losses = [cross_entropy(rows, own).mean()]
    for k in range(1, p // 2 + 1):
        table = _sum_table(components, p, [k], variant)
        losses.append(cross_entropy(rows - table[sums], own).mean())
    return torch.stack(losses)


@at_least_float32
def share_on(
    grid: Float[Tensor, "p p out"], keys: Sequence[int], *, variant: Variant = "sum"
) -> float:
    """Mean over outputs of |projection|^2 / |grid|^2, uncentred; outputs that are all zero do not
    count (released code's trig ratio).
    """
    total = grid.square().sum((0, 1))
    alive = total > 0
    if not alive.any():
        raise ValueError("there is nothing to take a share of: all values are zero")
    on_keys = project(grid, keys, variant=variant).square().sum((0, 1))
    return (on_keys[alive] / total[alive]).mean().item()


def check_addition(
    logits: Float[Tensor, "a b c"], labels: Int[Tensor, "n"], *, any_labels: bool = False
) -> int:
    """p of logits "p p p" whose labels are a + b. Raises ValueError naming what does not fit."""
    p = fourier.check_grid(logits)
    if logits.ndim != 3 or logits.shape[2] != p:
        raise ValueError(
            f"expected logits of shape (p, p, p), one class per number, got {tuple(logits.shape)}"
        )
    if labels.shape != (p * p,):
        raise ValueError(f"expected {p * p} labels, one per pair, got shape {tuple(labels.shape)}")
    if not any_labels and not labels.equal(fourier.sum_of_pair(p, labels.device).flatten()):
        raise ValueError(
            "labels must be (a + b) mod p, a-major; for a control with other labels pass "
            "any_labels=True"
        )
    return p


def _check_variant(variant: str, known: tuple[str, ...]) -> None:
    if variant not in known:
        raise ValueError(f"variant must be one of {known}, got {variant!r}")


def _along_first(values: Tensor, axes: int) -> Tensor:
    """Values with trailing axes of size 1, so that they multiply a tensor of that many axes."""
    return values.view(*values.shape, *[1] * (axes - values.ndim))


def _sum_components(grid: Tensor, variant: SumVariant) -> Tensor:
    """The components over a + b, or over a + b - c, of which the projections on all frequencies are
    made.
    """
    return fourier.answer_components(grid) if variant == "sum_3d" else fourier.sum_components(grid)


def _sum_table(
    components: Tensor, p: int, keys: Sequence[int], variant: SumVariant
) -> Float[Tensor, "p ..."]:
    """The projection on the keys as a function of s = a + b, which it is for every sum variant."""
    frequency = fourier.component_frequencies(p).to(components.device)
    kept = torch.isin(frequency, torch.tensor(keys, dtype=torch.long, device=components.device))
    if variant == "sum":
        return fourier.inverse(components * _along_first(kept, components.ndim)) / math.sqrt(p)
    n = torch.arange(p, device=components.device)
    cosines = kept & (n % 2 == 1)
    of_difference = fourier.inverse(components * cosines) / p  # a function of a + b - c
    return of_difference[(n[:, None] - n) % p]
