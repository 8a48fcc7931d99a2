"""Whether a class can be read off activations by a linear map, and activations without what it
reads.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis.answers import check_mask
from interp_utils.precision import at_least_float32


class Probe(NamedTuple):
    """A linear map whose largest output is the class.

    means:    of the activations of each class, less that of all, where it was fitted. Without their
              span, no linear map fitted there does better than a constant (Belrose et al. 2023);
              without that of the directions, one that reads correlated parts may.
    accuracy: on the inputs that it was not fitted on.
    chance:   the share there of the most frequent class.
    """

    directions: Float[Tensor, "class d"]
    offsets: Float[Tensor, "class"]
    means: Float[Tensor, "class d"]
    accuracy: float
    chance: float


@at_least_float32
def probe(
    activations: Float[Tensor, "n d"],
    classes: Int[Tensor, "n"],
    *,
    fit: Bool[Tensor, "n"],
    ridge: float = 1e-6,
) -> Probe:
    """The ridge regression of one-hot classes on activations, by the inputs of `fit`, measured on
    the others.

    W = (X'X / n + ridge s I)^-1 X'Y / n, where X and Y are centred and s is the mean square of X's
    columns. For n mod q, classes are (n % q). Raises ValueError where `fit` selects no input, or
    all, or a class is missing among those that it selects.
    """
    x, classes, fit = _checked(activations, classes, fit)
    return _fitted(x, classes, fit, ridge)


@at_least_float32
def shuffled_accuracies(
    activations: Float[Tensor, "n d"],
    classes: Int[Tensor, "n"],
    *,
    fit: Bool[Tensor, "n"],
    ridge: float = 1e-6,
    n_shuffles: int = 20,
    seed: int = 0,
) -> Float[Tensor, "shuffle"]:
    """The accuracy of `probe` on classes in random order: the null of what it finds. float64."""
    x, classes, fit = _checked(activations, classes, fit)
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(n_shuffles):
        order = torch.randperm(len(classes), generator=generator).to(classes.device)
        found.append(_fitted(x, classes[order], fit, ridge).accuracy)
    return torch.tensor(found, dtype=torch.float64, device=x.device)


@at_least_float32
def without_directions(
    activations: Float[Tensor, "*n d"], directions: Float[Tensor, "k d"]
) -> Float[Tensor, "*n d"]:
    """Activations whose parts in the span of some directions are those of their mean: with the
    `means` of a probe, its class cannot be read from them.
    """
    x = devices.double(activations)
    _, scales, basis = torch.linalg.svd(devices.double(directions), full_matrices=False)
    basis = basis[scales > 1e-9 * scales.max()]  # those of one-hot classes sum to zero
    rest = x - x.flatten(0, -2).mean(0)
    return (x - rest @ basis.T @ basis).to(activations)


@at_least_float32
def erased(
    activations: Float[Tensor, "n d"], classes: Int[Tensor, "n"], *, fit: Bool[Tensor, "n"]
) -> Float[Tensor, "n d"]:
    """Activations from which no linear map that is fitted on these inputs reads the class better
    than a constant does, and that have changed least: x - M (M' S^+ M)^+ M' S^+ (x - mean), with
    the covariance S of the activations and the centred means M of the classes as columns.

    Unlike `without_directions`, it leaves what other directions have in common with the means by
    their covariance alone. Source: LEACE (Belrose et al. 2023, theorem 4.2). Raises what `probe`
    raises.
    """
    x, classes, fit = _checked(activations, classes, fit)
    own, y = x[fit], torch.nn.functional.one_hot(classes[fit]).to(x)
    centred = own - own.mean(0)
    means = (y.T @ centred) / y.sum(0)[:, None]  # "class d"
    read = means @ torch.linalg.pinv(centred.T @ centred / len(own), rtol=1e-12, hermitian=True)
    inner = torch.linalg.pinv(read @ means.T, rtol=1e-9, hermitian=True)
    return (x - (x - own.mean(0)) @ read.T @ inner @ means).to(activations)


def _checked(activations: Tensor, classes: Tensor, fit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    check_mask(fit)
    x = devices.double(activations)
    classes, fit = classes.to(x.device), fit.to(x.device)
    if not fit.any() or fit.all():
        raise ValueError(
            f"a probe is fitted on some inputs and measured on others, `fit` selects "
            f"{int(fit.sum())} of {len(fit)}"
        )
    if classes.min() < 0 or len(classes[fit].unique()) <= classes.max():
        raise ValueError(
            f"classes must be 0 .. {int(classes.max())}, each of them among the inputs of `fit`"
        )
    return x, classes, fit


def _fitted(x: Tensor, classes: Tensor, fit: Tensor, ridge: float) -> Probe:
    own = x[fit]
    y = torch.nn.functional.one_hot(classes, int(classes.max()) + 1).to(x)
    mean_x, mean_y = own.mean(0), y[fit].mean(0)
    centred = own - mean_x
    square = centred.T @ centred / len(own)
    scale = square.diagonal().mean().clamp(min=torch.finfo(x.dtype).tiny)
    regular = square + ridge * scale * torch.eye(len(square), dtype=x.dtype, device=x.device)
    weights = torch.linalg.solve(regular, centred.T @ (y[fit] - mean_y) / len(own))
    offsets = mean_y - mean_x @ weights
    said, true = (x[~fit] @ weights + offsets).argmax(1), classes[~fit]
    right = devices.double(said == true).mean().item()
    means = (y[fit].T @ centred) / y[fit].sum(0)[:, None]
    return Probe(weights.T, offsets, means, right, int(true.bincount().max()) / len(true))
