"""Grids of settings: where each learning phase is, and how long a delay is."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Sequence

from interp_utils.experiments.phase_diagrams import recipes
from interp_utils.experiments.phase_diagrams.cells import (
    Cells,
    cells,
    delay,
    median_delay,
    median_step,
    phase,
    spelt,
    step,
    usual_phase,
    waited,
    waited_since,
)
from interp_utils.experiments.phase_diagrams.scaling import PowerLaw, power_law
from interp_utils.experiments.rules import Row

FEW, MANY = 0.4, 0.7  # shares of the pairs that are compared


def of_shares(rows: Sequence[Row]) -> Row:
    by_cell = cells(rows, "weight_decay", "share")
    decays = [decay for decay in dict.fromkeys(row["weight_decay"] for row in rows) if decay]
    usual = {share: own for (decay, share), own in by_cell.items() if decay == recipes.USUAL}
    undecayed = [row for row in rows if not row["weight_decay"]]
    few, many = ([by_cell[decay, share] for decay in decays] for share in (FEW, MANY))
    both = [pair for pair in zip(few, many, strict=True) if median_step(pair[1]) < math.inf]
    return {
        "phases": {
            f"{decay:g}": {f"{s:g}": spelt(by_cell[decay, s]) for s in usual}
            for decay in (0.0, *decays)
        },
        "phases that occur": len({phase(row) for row in rows}),
        "phases in order as weight decay grows": in_order(by_cell, usual),
        "groks without weight decay": [phase(row) == "grokking" for row in undecayed],
        "generalises at 20 %": [step(row) < math.inf for row in rows if row["share"] == 0.2],
        "least shares do not grow with weight decay": not_growing(
            [least_share(rows, decay) for decay in decays]
        ),
        "groks at 30 to 50 %": [
            phase(row) == "grokking" for share in (0.3, 0.4, 0.5) for row in usual[share]
        ],
        "generalises at once at 70 %": [phase(row) == "comprehension" for row in usual[MANY]],
        "steps at 40 % over those at 70 %": [
            statistics.median(map(waited, a)) / median_step(b) for a, b in both
        ],
        "delay at 70 % over that at 40 %": [
            median_delay(b) / statistics.median(map(waited_since, a)) for a, b in both
        ],
    }


def least_share(rows: Iterable[Row], decay: float) -> float:
    """The least share at which any training of this weight decay generalised; infinite if none."""
    return min(
        (r["share"] for r in rows if r["weight_decay"] == decay and step(r) < math.inf),
        default=math.inf,
    )


def not_growing(values: Sequence[float]) -> list[bool]:
    return [b <= a for a, b in itertools.pairwise(values)]


def in_order(by_cell: Cells, shares: Iterable[float]) -> list[bool]:
    """Of each share: whether, as weight decay grows, memorisation comes before grokking, that
    before comprehension, and confusion last. Shares at which only one phase occurs do not count.
    """
    order, found = ("memorisation", "grokking", "comprehension", "confusion"), []
    for share in shares:
        own = [usual_phase(rows) for (_, s), rows in by_cell.items() if s == share]
        ranks = [order.index(each) for each in own]
        if len(set(ranks)) > 1:
            found.append(all(a <= b for a, b in itertools.pairwise(ranks)))
    return found


def lawful(rows: Sequence[Row]) -> bool:
    """Whether every training of a cell generalised, and weight decay, which alone divides the
    weights by e in 1 / (learning rate x weight decay) steps, is slower than memorising: what a
    delay that is inverse to them must ask, and says nothing of how long it was.
    """
    decays_in = [1 / (row["lr"] * row["weight_decay"]) for row in rows]
    return all(
        step(row) < math.inf and row["memorised first"] < steps
        for row, steps in zip(rows, decays_in, strict=True)
    )


def fit(rows: Iterable[Row]) -> PowerLaw:
    """Of the delay, in the cells of `lawful` trainings."""
    whole = [
        row for own in cells(rows, "lr", "weight_decay").values() if lawful(own) for row in own
    ]
    x = {name: [row[name] for row in whole] for name in ("lr", "weight_decay")}
    return power_law(x, [delay(row) for row in whole])


def of_rates(rows: Sequence[Row]) -> Row:
    law, by_cell = fit(rows), cells(rows, "lr", "weight_decay")
    by_product = {
        (lr, decay): median_delay(own) * lr * decay for (lr, decay), own in by_cell.items()
    }
    finite = {place: value for place, value in by_product.items() if value < math.inf}
    return {
        "phases": {
            f"{lr:g}": {f"{decay:g}": spelt(by_cell[lr, decay]) for decay in recipes.RATES_DECAYS}
            for lr in recipes.RATES
        },
        "delay times rate and decay": [[*place, value] for place, value in finite.items()],
        **{f"exponent of {name}": found[0] for name, found in law.exponents.items()},
        **{
            f"exponent of {name}, 5 and 95 %": list(found[1:])
            for name, found in law.exponents.items()
        },
        "fit off by a factor of": law.misses,
    }
