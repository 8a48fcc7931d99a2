"""A run on primes as a row of numbers, beside what sieves are worth on the same numbers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils.analysis import sieves
from interp_utils.devices import Device
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


def row(run: Run, device: Device = None) -> Row:
    """Of test numbers: the model's AUC, balanced accuracy, and bits beyond the best sieve; the AUC
    of the best sieve, and of each.
    """
    numbers, prime, logits, mask = scored(run, device)
    test = torch.ones_like(prime) if mask is None else ~mask
    base = run.task.base
    tried = [*sieves.LADDER, *([] if base is None else sieves.sieves_of_base(base))]
    tried = list(dict.fromkeys(tried))
    rungs = sieves.ladder(numbers, prime, tried, mask=mask)
    margin = (logits[:, 1] - logits[:, 0])[test]
    return {
        "test AUC": sieves.auc(margin, prime[test]),
        "balanced test accuracy": sieves.balanced_accuracy(margin > 0, prime[test]),
        "bits beyond the best sieve": sieves.bits_beyond(logits, numbers, prime, tried, mask=mask),
        "best sieve's AUC": max(rung.auc for rung in rungs),
        **{f"AUC of {' '.join(map(str, rung.divisors)) or 'none'}": rung.auc for rung in rungs},
    }


def scored(run: Run, device: Device = None) -> Scored:
    """A row of four numbers is four of them."""
    task = run.task
    if isinstance(task, FreshPrimality):
        logits = CachedModel(run.model(device=device), task.test).logits[:, -1].cpu()
        return Scored(task.numbers(task.test), task.test.labels[:, -1] == 1, logits, None)
    logits = CachedModel(run.model(device=device), task).logits.cpu()
    per_input = len(task.n_classes)
    mask = task.train_mask.repeat_interleave(per_input)
    return Scored(task.numbers.flatten(), task.labels.flatten() == 1, logits.reshape(-1, 2), mask)
