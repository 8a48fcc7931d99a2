"""What a model's neurons know of the last digits of a and b."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis import periods, relabelling
from interp_utils.devices import Device
from interp_utils.experiments.rules import Row
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run

PER_PAIR = 4  # pairs (a, b) with each pair of last digits


def measure(run: Run, device: Device = None) -> Row:
    """What neurons know of the last digits a_0 and b_0, at the last answer: the share of their
    variance that is a function of both; and of that, what is a sum of two functions; what is one
    of gcd(a_0, B) and gcd(b_0, B), beside digits in random order; and what is each neuron's best
    wave of a period that divides B, with its products (`periods.best_waves`).
    """
    grid = by_last_digits(run, device)  # "a b pair neuron"
    means = grid.mean(2)
    total = (grid - grid.mean((0, 1, 2))).square().sum()
    centred = means - means.mean((0, 1))
    known = centred.square().sum()
    sums = centred.mean(0).square().sum() * len(means) + centred.mean(1).square().sum() * len(means)
    base = len(means)
    classes = torch.gcd(torch.arange(base), torch.tensor(base))
    shuffled = classes[torch.randperm(base, generator=torch.Generator().manual_seed(0))]
    waves = periods.best_waves(means, (1, 1), [q for q in range(2, base + 1) if base % q == 0])
    of_waves = (waves.share * centred.square().sum((0, 1))).sum()
    return {
        "neurons, by the last digits": (known * grid.shape[2] / total).item(),
        "neurons, a sum": (sums / known).item(),
        "neurons, by the divisors of the last digits": _between(means, classes),
        "neurons, by as many classes at random": _between(means, shuffled),
        "neurons, by their best wave": (of_waves / known).item(),
    }


def by_last_digits(run: Run, device: Device = None) -> Float[Tensor, "a b pair neuron"]:
    """Post-activations at the last answer, teacher-forced, of pairs with any two last digits."""
    spelling, largest = run.task.spelling, run.task.drawing.largest
    base = spelling.base
    generator = torch.Generator().manual_seed(0)
    last = torch.cartesian_prod(*[torch.arange(base)] * 2).repeat_interleave(PER_PAIR, 0)
    higher = torch.randint(1, largest // base, last.shape, generator=generator)
    a, b = (last + base * higher).unbind(1)
    pairs = spelling.sequences("last digits", a, b, torch.gcd(a, b))
    post = CachedModel(run.model(device=device), pairs).activation("post", 0, pos=-1)
    return devices.double(post).unflatten(0, (base, base, PER_PAIR))


def _between(means: Float[Tensor, "a b neuron"], classes: Int[Tensor, "digit"]) -> float:
    names = relabelling.pair_names(classes, classes)
    return 1 - relabelling.within_share(means.flatten(0, 1), names)
