"""What an encoder computes to tell a polynomial or a period: which changes it notices, and which
terms it compares.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_utils import models
from interp_utils.experiments.rules import Row
from interp_utils.experiments.sequences import asking, parity, stream
from interp_utils.experiments.sequences.asking import Sample
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.tasks import SEQUENCE_KINDS, IntegerSequences

DISTANCES = (1, 2, 3, 4)
PERIODS = (2, 3, 4)
WAYS = (
    "lost where terms see no other term",
    "lost where the question reads no term",
    "lost where padding reads no term",
    "lost where neither reads one",
)
MOVES = (1, 2, 3, 4, 5, 6, 7, 8)
EACH, DRAWS = 300, 5
STREAM = 4  # of random numbers, after those of the task and of the row


def row(run: Run, model: CachedModel) -> Row:
    untrained = models.build(run.config.model, device=model.device)
    random = np.random.RandomState([run.task.seed, STREAM])
    every = asking.sample(run.task, random, SEQUENCE_KINDS, EACH)
    found = changed_terms(model, run.task, every, random) | fourth_degree(model, run.task)
    found |= cuts(model, run.task, every) | turns(model, run.task, random)
    found |= parity.row(model, run.task, every, random)
    return found | stream.probed(model, untrained, run.task, random)


# Behaviour: which changes of the terms change the answer.


def changed_terms(
    model: CachedModel, task: IntegerSequences, sample: Sample, random: np.random.RandomState
) -> Row:
    """How often the kind that is told stays the same when a constant is added to all terms, and
    when one term, neither the first nor the last, is moved by some numbers, up or down.
    """
    limit, n = task.writing.limit, task.writing.n_terms
    before = asking.classified(model, task, sample.terms)
    low, high = -limit - sample.terms.min(1).values, limit - sample.terms.max(1).values
    drawn = torch.from_numpy(random.random_sample(len(low)))
    constant = low + (drawn * (high - low + 1)).long()
    after = asking.classified(model, task, sample.terms + constant[:, None])
    found = {"same kind after a constant": asking.share(after == before)}
    is_polynomial = sample.kind == SEQUENCE_KINDS.index("polynomial")
    place = torch.from_numpy(random.randint(1, n - 1, len(low)))
    for move in MOVES:
        moved, at = sample.terms.clone(), (torch.arange(len(low)), place)
        moved[at] += torch.where(moved[at] + move > limit, -move, move)
        same = asking.classified(model, task, moved) == before
        found[f"same kind after a term moved by {move}"] = asking.share(same)
        found[f"polynomials, a term moved by {move}"] = asking.share(same[is_polynomial])
    noticed = [1 - found[f"same kind after a term moved by {move}"] for move in MOVES]
    found["odd moves noticed, over even ones"] = sum(noticed[::2]) / sum(noticed[1::2])
    return found


def fourth_degree(model: CachedModel, task: IntegerSequences) -> Row:
    """How often polynomials of the fourth degree, which no training shows, are called polynomial:
    the fourth differences of all others vanish.
    """
    terms = asking.polynomials(4, task.writing.n_terms, task.writing.limit, EACH)
    said = asking.classified(model, task, terms)
    return {"degree 4 is polynomial": asking.share(said == SEQUENCE_KINDS.index("polynomial"))}


# Attention: which pairs of terms are compared.


def cuts(model: CachedModel, task: IntegerSequences, sample: Sample) -> Row:
    """The accuracy of classification that is lost, for each group of sequences, without some
    attention in the first layer: of terms to other terms, all of them or those at a distance, of
    the question to the terms, of the padding to them, or of both.
    """
    asked = CachedModel(model.model, asking.asking(task, sample.terms))
    whole = asking.right(asked, task, sample)
    n = task.writing.n_terms

    def lost(pairs: Bool[Tensor, "query key"]) -> list[float]:
        return (whole - asking.right(without_attention(asked, pairs), task, sample)).tolist()

    distance = distances(n)
    question, padding = torch.zeros(2, task.n_ctx, task.n_ctx, dtype=torch.bool)
    question[0, 1 : n + 1] = True
    padding[n + 1 :, 1 : n + 1] = True
    found: Row = {
        "groups": list(sample.names),
        "accuracy of groups": whole.tolist(),
        "lost without distance": [lost(place(distance == k, task)) for k in DISTANCES],
        WAYS[0]: lost(place(distance > 0, task)),
        WAYS[1]: lost(question),
        WAYS[2]: lost(padding),
        WAYS[3]: lost(question | padding),
    }
    return found | ways(found)


def ways(found: Row) -> Row:
    """What polynomials, periods and all groups lose without each of the ways from the terms to the
    answer that begin in the first layer, the means over degrees, periods and groups.
    """
    means = {}
    for name, what in (("degree", "polynomials"), ("period", "periods"), ("", "all")):
        own = [place for place, group in enumerate(found["groups"]) if group.startswith(name)]
        for way in WAYS:
            means[f"{what}, {way}"] = float(np.mean([found[way][place] for place in own]))
    return means


def turns(model: CachedModel, task: IntegerSequences, random: np.random.RandomState) -> Row:
    """What each period loses where terms do not attend to the same term of other turns in the first
    layer, and the most that it loses without as many pairs of terms that are none.
    """
    sample = asking.sample(task, random, ["periodic"], 2 * EACH)
    asked = CachedModel(model.model, asking.asking(task, sample.terms))
    whole = asking.right(asked, task, sample)
    distance, own, others = distances(task.writing.n_terms), [], []
    for group, period in enumerate(PERIODS):
        same = (distance > 0) & (distance % period == 0)
        chosen = [as_many(same, distance % period > 0, random) for _ in range(DRAWS)]
        lost = [
            (whole - asking.right(without_attention(asked, place(pairs, task)), task, sample))[
                group
            ]
            for pairs in (same, *chosen)
        ]
        own.append(lost[0].item())
        others.append(max(lost[1:]).item())
    return {
        "periods, lost without other turns": own,
        "periods, most lost by chance": others,
        "periods compare turns": [a > b for a, b in zip(own, others, strict=True)],
    }


def distances(n: int) -> Int[Tensor, "term other"]:
    return (torch.arange(n)[:, None] - torch.arange(n)).abs()


def without_attention(
    model: CachedModel, pairs: Bool[Tensor, "query key"], *, layer: int = 0
) -> CachedModel:
    """The model whose heads of a layer give these pairs of positions no attention, and the others
    of each query as much more. Raises ValueError for a query without any other key.
    """
    emptied = pairs.all(1)
    if emptied.any():
        raise ValueError(
            f"every query must keep a key, and query {int(emptied.nonzero()[0])} is left without "
            "one: leave one of its pairs out of `pairs`"
        )
    keeps = ~pairs.to(model.device)

    def edit(pattern: Tensor, hook: object) -> Tensor:
        kept = pattern * keeps
        return kept / kept.sum(-1, keepdim=True)

    return model.with_hooks((model.hook_name("pattern", layer), edit))


def place(pairs: Bool[Tensor, "term other"], task: IntegerSequences) -> Bool[Tensor, "query key"]:
    """Pairs of terms as pairs of positions."""
    whole = torch.zeros(task.n_ctx, task.n_ctx, dtype=torch.bool)
    whole[1 : len(pairs) + 1, 1 : len(pairs) + 1] = pairs
    return whole


def as_many(
    pairs: Bool[Tensor, "term other"],
    among: Bool[Tensor, "term other"],
    random: np.random.RandomState,
) -> Bool[Tensor, "term other"]:
    """As many pairs at random among some. Raises ValueError where these are fewer."""
    there, n = among.nonzero(), int(pairs.sum())
    if n > len(there):
        raise ValueError(
            f"expected at least {n} pairs to draw from, as many as are to be drawn, got "
            f"{len(there)}: pass more of them in `among`"
        )
    chosen = there[random.permutation(len(there))[:n]]
    drawn = torch.zeros_like(pairs)
    drawn[chosen[:, 0], chosen[:, 1]] = True
    return drawn
