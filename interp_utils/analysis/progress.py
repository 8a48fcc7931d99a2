"""Progress measures: what is left of a model's answer with only its key frequencies, and without
them.

Nanda et al. 2023, section 5, in every published variant. Tensors are on the grid of pairs, "p p
...", labels and masks over its p^2 pairs, a-major; losses are in nats. Projections average over
pairs of one sum, so that restricted and excluded loss can look
good on a pure memoriser, and are functions of test inputs even on the training split: show them
beside test accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis import fourier
from interp_utils.losses import cross_entropy

Variant = Literal["sum", "block2x2", "block3x3", "sum_3d"]


def project(
    grid: Float[Tensor, "p p ..."], keys: Sequence[int], variant: Variant = "sum"
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
    check_keys(p, keys)
    if variant not in get_args(Variant):
        raise ValueError(f"variant must be one of {get_args(Variant)}, got {variant!r}")
    if variant in ("sum", "sum_3d"):
        return _spread(_sum_table(_sum_components(grid, variant), p, keys, variant), p)
    row, column = (
        fourier.component_frequencies(p).to(grid.device).view(shape) for shape in ((p, 1), (1, p))
    )
    kept = torch.zeros(p, p, dtype=torch.bool, device=grid.device)
    for k in keys:
        kept |= (
            ((row == k) | (row == 0)) & ((column == k) | (column == 0))
            if variant == "block3x3"
            else (row == k) & (column == k)
        )
    kept[0, 0] = False
    return fourier.inverse_2d(fourier.transform_2d(grid) * kept.view(p, p, *[1] * (grid.ndim - 2)))


def remove(
    grid: Float[Tensor, "p p ..."], keys: Sequence[int], variant: Variant = "sum"
) -> Float[Tensor, "p p ..."]:
    """The rest: project + remove is the identity. The mean stays."""
    return grid - project(grid, keys, variant)


def restrict(
    grid: Float[Tensor, "p p ..."], keys: Sequence[int], variant: Variant = "sum"
) -> Float[Tensor, "p p ..."]:
    """The projection, and the mean over all pairs of each output."""
    return grid.mean((0, 1)) + project(grid, keys, variant)


def restricted_loss(
    logits: Float[Tensor, "a b c"],
    labels: Int[Tensor, "n"],
    keys: Sequence[int],
    mask: Bool[Tensor, "n"] | None = None,
    variant: Variant = "sum",
    any_labels: bool = False,
) -> float:
    """Loss with only the key frequencies of the logits, and their mean (Nanda et al. 2023, section
    5.1). mask None: all pairs.

    Raises ValueError unless logits are "p p p", labels are (a + b) mod p (any_labels waives it, for
    controls), the keys are different frequencies, and the mask is not empty.
    """
    check_addition(logits, labels, any_labels)
    return mean_loss(restrict(logits, keys, variant), labels, mask)


def excluded_loss(
    logits: Float[Tensor, "a b c"],
    labels: Int[Tensor, "n"],
    keys: Sequence[int],
    mask: Bool[Tensor, "n"] | None = None,
    variant: Variant = "sum",
    any_labels: bool = False,
) -> float:
    """Loss without the key frequencies (Nanda et al. 2023, section 5.1, on the training pairs).
    Raises as `restricted_loss`.
    """
    check_addition(logits, labels, any_labels)
    return mean_loss(remove(logits, keys, variant), labels, mask)


def single_excluded_losses(
    logits: Float[Tensor, "a b c"],
    labels: Int[Tensor, "n"],
    mask: Bool[Tensor, "n"] | None = None,
    variant: Literal["sum", "sum_3d"] = "sum",
    any_labels: bool = False,
) -> Float[Tensor, "freq"]:
    """Excluded loss of each frequency 1 .. p // 2 alone; index 0 is the loss with nothing removed.
    The maximum needs no key frequencies.

    Each takes one subtraction of a p x p table from the masked rows; no array of frequency by pair
    by class is built.
    """
    p = check_addition(logits, labels, any_labels)
    labels = labels.to(logits.device)
    rows = _selected(mask, logits, labels)
    sums = sum_of_pair(p, logits.device).flatten()[rows]
    kept, answers = logits.flatten(0, 1)[rows], labels[rows]
    components = _sum_components(logits, variant)
    tables = (_sum_table(components, p, [k], variant) for k in range(1, p // 2 + 1))
    losses = [cross_entropy(kept - table[sums], answers).mean() for table in tables]
    return torch.stack([cross_entropy(kept, answers).mean(), *losses])


def mean_loss(
    logits: Float[Tensor, "a b c"], labels: Int[Tensor, "n"], mask: Bool[Tensor, "n"] | None = None
) -> float:
    """Mean cross-entropy over the pairs of the mask; float. Raises ValueError for an empty mask."""
    labels = labels.to(logits.device)
    rows = _selected(mask, logits, labels)
    losses = cross_entropy(logits.flatten(0, 1)[rows], labels[rows])
    return devices.double(losses).mean().item()


def accuracy(
    logits: Float[Tensor, "a b c"], labels: Int[Tensor, "n"], mask: Bool[Tensor, "n"] | None = None
) -> float:
    """Fraction of the pairs of the mask whose largest logit is the label's."""
    labels = labels.to(logits.device)
    rows = _selected(mask, logits, labels)
    right = logits.flatten(0, 1)[rows].argmax(-1) == labels[rows]
    return devices.double(right).mean().item()


def share_on(
    grid: Float[Tensor, "p p out"], keys: Sequence[int], variant: Variant = "sum"
) -> float:
    """Mean over outputs of |projection|^2 / |grid|^2, uncentred; outputs that are all zero do not
    count (released code's trig ratio).
    """
    total = grid.square().sum((0, 1))
    alive = total > 0
    if not alive.any():
        raise ValueError("there is nothing to take a share of: all values are zero")
    return (project(grid, keys, variant).square().sum((0, 1))[alive] / total[alive]).mean().item()


def check_keys(p: int, keys: Iterable[int]) -> None:
    """Raises ValueError unless keys are different frequencies in 1 .. p // 2."""
    keys = list(keys)
    if len(set(keys)) != len(keys):
        raise ValueError(f"key frequencies must be different, got {keys}")
    wrong = [k for k in keys if not 1 <= k <= p // 2]
    if wrong:
        raise ValueError(f"frequencies mod {p} are 1 .. {p // 2}, got {wrong}")


def check_addition(logits: Tensor, labels: Tensor, any_labels: bool = False) -> int:
    """p of logits "p p p" whose labels are a + b. Raises ValueError naming what does not fit."""
    p = fourier.check_grid(logits)
    if logits.ndim != 3 or logits.shape[2] != p:
        raise ValueError(
            f"expected logits of shape (p, p, p), one class per number, got {tuple(logits.shape)}"
        )
    if labels.shape != (p * p,):
        raise ValueError(f"expected {p * p} labels, one per pair, got shape {tuple(labels.shape)}")
    if not any_labels and not labels.equal(sum_of_pair(p, labels.device).flatten()):
        raise ValueError(
            "labels must be (a + b) mod p, a-major; for a control with other labels pass "
            "any_labels=True"
        )
    return p


def _selected(mask: Tensor | None, logits: Tensor, labels: Tensor) -> Tensor:
    everything = torch.ones_like(labels, dtype=torch.bool)
    rows = everything if mask is None else mask.to(logits.device)
    if rows.shape != labels.shape or len(labels) != logits.shape[0] * logits.shape[1]:
        raise ValueError(
            f"mask {tuple(rows.shape)} and labels {tuple(labels.shape)} must have one entry per "
            f"pair of {tuple(logits.shape[:2])}"
        )
    if not rows.any():
        raise ValueError("the mask selects no pair")
    return rows


def sum_of_pair(p: int, device: torch.device) -> Int[Tensor, "p p"]:
    n = torch.arange(p, device=device)
    return (n[:, None] + n) % p


def _spread(table: Float[Tensor, "p ..."], p: int) -> Float[Tensor, "p p ..."]:
    """A function of a + b on the grid."""
    return table[sum_of_pair(p, table.device)]


def _sum_components(grid: Tensor, variant: str) -> Tensor:
    """What all frequencies' projections are made of, once for all: components over a + b, or over a
    + b - c.
    """
    return fourier.answer_components(grid) if variant == "sum_3d" else fourier.sum_components(grid)


def _sum_table(
    components: Tensor, p: int, keys: Sequence[int], variant: str
) -> Float[Tensor, "p ..."]:
    """The projection on the keys as a function of s = a + b: every sum variant is one."""
    kept = torch.isin(
        fourier.component_frequencies(p), torch.tensor(list(keys), dtype=torch.long)
    ).to(components.device)
    if variant == "sum":
        return fourier.inverse(components * kept.view(p, *[1] * (components.ndim - 1))) / math.sqrt(
            p
        )
    only_cosines = kept & (torch.arange(p, device=components.device) % 2 == 1)
    answer = fourier.inverse(components * only_cosines) / p  # a function of a + b - c
    n = torch.arange(p, device=components.device)
    return answer[(n[:, None] - n) % p]
