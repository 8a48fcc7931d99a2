"""A run on primes as a row of numbers, beside what sieves are worth on the same numbers."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils.analysis import sieves
from interp_utils.devices import Device
from interp_utils.experiments.primes import probing, untrained
from interp_utils.experiments.rules import Row
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.tasks import FreshPrimality


class Scored(NamedTuple):
    """Numbers, whether they are prime, a model's logits, and which were for training; of fresh
    numbers the test numbers alone, and None.
    """

    numbers: Int[Tensor, "n"]
    prime: Bool[Tensor, "n"]
    logits: Float[Tensor, "n 2"]
    mask: Bool[Tensor, "n"] | None

    @property
    def test(self) -> Bool[Tensor, "n"]:
        return torch.ones_like(self.prime) if self.mask is None else ~self.mask

    @property
    def margins(self) -> Float[Tensor, "n"]:
        """Log odds of a prime, beyond those of a prime among the numbers for training (of fresh
        numbers, those measured): above 0 a number is called prime.
        """
        share = self.prime[self.mask if self.mask is not None else self.test].double().mean().item()
        return (self.logits[:, 1] - self.logits[:, 0]).double() - math.log(share / (1 - share))


def row(run: Run, device: Device = None) -> Row:
    """Of test numbers: the model's AUC and balanced accuracy; the AUC of each sieve; and beside the
    best of them, and beside that of the primes that divide the base, the last digit's: the model's
    AUC and bits beyond it, and the AUCs, among the numbers that it leaves, of the model and of size
    alone (primes are denser among small numbers). Then `probing.row` of digits, or `untrained.row`
    of tokens.
    """
    found = scored(run, device=device)
    numbers, prime, mask = found.numbers, found.prime, found.mask
    tried = sieves_of(run.task.base)
    rungs = sieves.ladder(numbers, prime, tried, fit=mask)
    beside = {"the best sieve": max(rungs, key=lambda rung: rung.auc)}
    if run.task.base is not None:
        last = sieves.sieves_of_base(run.task.base)[1]
        beside["the last digit"] = next(rung for rung in rungs if rung.divisors == last)
    margins, test = found.margins, found.test
    values: Row = {
        "test AUC": (auc := sieves.auc(margins[test], prime[test])),
        "balanced test accuracy": sieves.balanced_accuracy(margins[test] > 0, prime[test]),
        **{f"AUC of {' '.join(map(str, rung.divisors)) or 'none'}": rung.auc for rung in rungs},
    }
    for name, rung in beside.items():
        left = test & sieves.survivors(numbers, rung.divisors)
        own = [rung.divisors]
        values |= {
            f"AUC of {name}": rung.auc,
            f"AUC beyond {name}": auc - rung.auc,
            f"bits beyond {name}": sieves.bits_beyond(found.logits, numbers, prime, own, fit=mask),
            f"AUC among what {name} leaves": sieves.auc(margins[left], prime[left]),
            f"AUC by size among what {name} leaves": sieves.auc(
                -numbers[left].double(), prime[left]
            ),
        }
    of_inputs = untrained.row if run.task.base is None else probing.row
    return values | of_inputs(run, device)


def sieves_of(base: int | None) -> list[tuple[int, ...]]:
    """The sieves of odd numbers, and those whose divisors show in the digits."""
    shown = [] if base is None else sieves.sieves_of_base(base)
    return list(dict.fromkeys([*sieves.LADDER, *shown]))


def scored(run: Run, step: int | None = None, device: Device = None) -> Scored:
    """Every number with the logits that a snapshot gives it, by default the last snapshot. An input
    that is a row of four numbers gives four of them.
    """
    task, model = run.task, run.model(step, device)
    if isinstance(task, FreshPrimality):
        logits = CachedModel(model, task.test).logits[:, -1].cpu()
        return Scored(task.numbers(task.test), task.test.labels[:, -1] == 1, logits, None)
    logits = CachedModel(model, task).logits.cpu()
    per_input = len(task.n_classes)
    mask = task.train_mask.repeat_interleave(per_input)
    return Scored(task.numbers.flatten(), task.labels.flatten() == 1, logits.reshape(-1, 2), mask)
