"""What the stream of an encoder of integer sequences has: degrees, periods and differences, as
linear maps read them, and what is lost without these.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis import probes
from interp_utils.experiments.rules import Row
from interp_utils.experiments.sequences import asking
from interp_utils.models.cached import CachedModel
from interp_utils.tasks import SEQUENCE_KINDS, IntegerSequences

EACH = 300  # sequences of each kind, twice as many where there is one kind
DISTANCES = (1, 2, 3)
RIDGE = 1e-3


def probed(
    model: CachedModel,
    untrained: torch.nn.Module,
    task: IntegerSequences,
    random: np.random.RandomState,
) -> Row:
    """Degrees, periods and differences as linear maps read them, fitted on sequences of the
    training's rules and measured on held-out ones.
    """
    found: Row = {}
    for kind, name in (("polynomial", "degree"), ("periodic", "period")):
        sample = asking.sample(task, random, [kind], 2 * EACH, parts=(0, 2))
        mask = sample.part == 0
        classes = sample.variety - sample.variety.min()
        for layer in range(model.model.cfg.n_layers):
            of = [
                CachedModel(each, asking.asking(task, sample.terms))
                .activation("resid_post", layer, pos=0)
                .cpu()
                for each in (model.model, untrained)
            ]
            fitted, without = (probes.probe(x, classes, fit=mask, ridge=RIDGE) for x in of)
            null = probes.shuffled_accuracies(of[0], classes, fit=mask, ridge=RIDGE, n_shuffles=5)
            found |= {
                f"{name}, layer {layer}": fitted.accuracy,
                f"{name}, layer {layer}, untrained": without.accuracy,
                f"{name}, layer {layer}, shuffled": null.max().item(),
            }
        terms = devices.double(sample.terms)
        found[f"{name}, of the terms"] = probes.probe(terms, classes, fit=mask).accuracy
    return found | differences(model, untrained, task, random)


def differences(
    model: CachedModel,
    untrained: torch.nn.Module,
    task: IntegerSequences,
    random: np.random.RandomState,
) -> Row:
    """By how much a linear map misses s(i) - s(i - k), and s(i) + s(i - k), k = 1, 2, 3: on the
    stream at the term s(i) after the first layer, before it, where both can only be guessed from
    s(i), and in a model without training. A stream that just holds both terms tells their sum as
    well as their difference.

    And the accuracy that is lost where nothing of these differences can be read at any term that
    the term itself does not tell, or without as many directions at random.
    """
    sample = asking.sample(task, random, SEQUENCE_KINDS, EACH // 2, parts=(0, 2))
    inputs = asking.asking(task, sample.terms)
    own, n = CachedModel(model.model, inputs), task.writing.n_terms
    streams = {
        "before": own.activation("resid_pre", 0, pos=None).cpu(),
        "after": own.activation("resid_post", 0, pos=None).cpu(),
        "untrained": CachedModel(untrained, inputs).activation("resid_post", 0, pos=None).cpu(),
    }
    found, mask, terms = {}, sample.part == 0, devices.double(sample.terms)
    erased, drawn = streams["after"].clone(), streams["after"].clone()
    generator = torch.Generator().manual_seed(task.seed)
    for name, stream in streams.items():
        for k in DISTANCES:
            for what, sign in (("difference", -1), ("sum", 1)):
                missed = [
                    linear(stream[:, i + 1], terms[:, i] + sign * terms[:, i - k], mask).error
                    for i in range(k, n)
                ]
                found[f"error of the {what} over {k}, {name}"] = float(np.mean(missed))
    one, other = (found[f"error of the {what} over 1, after"] for what in ("difference", "sum"))
    found["error of the difference over 1, over that of the sum"] = one / other
    for i in range(1, n):
        here, new = streams["after"][:, i + 1], []
        for k in DISTANCES[:i]:
            difference = terms[:, i] - terms[:, i - k]
            untold = linear(streams["before"][:, i + 1], difference, mask).rest
            new.append(linear(here, untold, mask).covariance)
        held = torch.stack(new)
        other = torch.randn(held.shape, generator=generator, dtype=torch.float64)
        erased[:, i + 1] = probes.without_directions(here, held)
        drawn[:, i + 1] = probes.without_directions(here, other)
    whole, name = asking.right(own, task, sample), own.hook_name("resid_post", 0)
    for what, stream in (("differences", erased), ("as many directions at random", drawn)):
        cut = asking.right(own.with_values({name: stream.to(own.device)}, pos=None), task, sample)
        found[f"lost without {what}"] = (whole - cut).tolist()
    return found


class Linear(NamedTuple):
    """A ridge regression, fitted on some inputs and measured on the others.

    error:      the root of the mean squared error on the others.
    share:      of their variance, what is explained.
    covariance: of x and y where it was fitted: without its direction no linear map fitted there
                explains any (Belrose et al. 2023).
    rest:       y less what is predicted, of all inputs.
    """

    error: float
    share: float
    covariance: Float[Tensor, "d"]
    rest: Float[Tensor, "n"]


def linear(
    x: Float[Tensor, "n d"], y: Float[Tensor, "n"], mask: Bool[Tensor, "n"], ridge: float = RIDGE
) -> Linear:
    """y by a linear map of x. Raises ValueError for a mask of no input, or of all."""
    if not mask.any() or mask.all():
        raise ValueError(f"the mask must select some inputs, not {int(mask.sum())} of {len(mask)}")
    x, y = devices.double(x), devices.double(y)
    mean_x, mean_y = x[mask].mean(0), y[mask].mean()
    centred = x[mask] - mean_x
    square = centred.T @ centred / len(centred)
    scale = square.diagonal().mean().clamp(min=1e-12)
    regular = square + ridge * scale * torch.eye(len(square), dtype=x.dtype, device=x.device)
    covariance = centred.T @ (y[mask] - mean_y) / len(centred)
    rest = y - mean_y - (x - mean_x) @ torch.linalg.solve(regular, covariance)
    squared = rest[~mask].square().mean().item()
    variance = (y[~mask] - y[~mask].mean()).square().mean().item()
    return Linear(math.sqrt(squared), 1 - squared / variance, covariance, rest)
