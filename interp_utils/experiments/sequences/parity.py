"""Whether an encoder knows which numbers are even, and what it loses when it does not."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.experiments.rules import Row
from interp_utils.experiments.sequences import asking
from interp_utils.experiments.sequences.asking import Sample
from interp_utils.models import named_weights
from interp_utils.models.cached import CachedModel
from interp_utils.tasks import SEQUENCE_KINDS, IntegerSequences

DRAWS = 3
RISING = 500  # sequences


def row(
    model: CachedModel, task: IntegerSequences, sample: Sample, random: np.random.RandomState
) -> Row:
    """The share of the variance of the numbers' embeddings that tells even from odd ones, and the
    accuracy that each group of sequences loses without it; the same of random halves of the
    numbers, the most of several; and how often random numbers in order are taken for primes.
    """
    n = task.writing.n_numbers
    W_E = named_weights(model.model)["embed.W_E"].detach().cpu()[:n]
    even = 1 - 2 * (torch.arange(n) - task.writing.limit).abs().remainder(2)
    halves = [even[torch.from_numpy(random.permutation(n))] for _ in range(DRAWS)]
    asked = CachedModel(model.model, asking.asking(task, sample.terms))
    whole = asking.right(asked, task, sample)

    def lost(signs: Tensor) -> Tensor:
        return whole - asking.right(without_contrast(asked, W_E, signs), task, sample)

    by_chance = torch.stack([lost(signs) for signs in halves]).amax(0)
    without, primes = lost(even), sample.names.index("prime")
    as_prime = {
        name: asking.classified(model, task, rising(random, task, RISING, step))
        == SEQUENCE_KINDS.index("prime")
        for name, step in (("rising even numbers", 2), ("rising numbers", 1))
    }
    return {
        **{f"{name}, taken for prime": asking.share(taken) for name, taken in as_prime.items()},
        "parity's share of the embedding": contrast_share(W_E, even),
        "most of any random half": max(contrast_share(W_E, signs) for signs in halves),
        "lost without parity": without.tolist(),
        "lost without a random half, at most": by_chance.tolist(),
        "primes, lost without parity": without[primes].item(),
        "primes, lost without a random half, at most": by_chance[primes].item(),
    }


def rising(
    random: np.random.RandomState, task: IntegerSequences, n: int, step: int
) -> Int[Tensor, "n terms"]:
    """n sequences of random multiples of a number, within the limit and in order: by no rule."""
    highest = task.writing.limit // step
    drawn = random.randint(-highest, highest + 1, (n, task.writing.n_terms)) * step
    return torch.from_numpy(np.sort(drawn, axis=1))


def contrast_share(W_E: Float[Tensor, "n d"], signs: Int[Tensor, "n"]) -> float:
    """The share of the variance of the rows that is along signs of 1 and -1, one for each."""
    centred = W_E.double() - W_E.double().mean(0)
    contrast = signs.double() - signs.double().mean()
    along = (contrast @ centred).square().sum() / contrast.square().sum()
    return (along / centred.square().sum()).item()


def without_contrast(
    model: CachedModel, W_E: Float[Tensor, "n d"], signs: Int[Tensor, "n"]
) -> CachedModel:
    """The model whose first n tokens have embeddings without what is along the signs."""
    contrast = signs.double() - signs.double().mean()
    along = (contrast @ W_E.double()) / contrast.square().sum()
    taken = torch.zeros(model.task.d_vocab, W_E.shape[1], dtype=torch.float64)
    taken[: len(W_E)] = contrast[:, None] * along
    embedded = model.activation("hook_embed", pos=None)
    values = embedded - taken.to(embedded)[model.task.tokens]
    return model.with_values({"hook_embed": values}, pos=None)
