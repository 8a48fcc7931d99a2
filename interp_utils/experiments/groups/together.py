"""Numbers of all runs on a group together: which irreps they choose, beside what chance gives.

The numbers of Chughtai et al. 2023 are for 50 MLPs on S5, counted in their released key files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.groups.row import generalised
from interp_utils.experiments.rules import Row

MLPS = 50
STANDARD_IN_MLPS = 49
ON_ONE_FACTOR = "logits on one factor, S3 x C3"


def together(rows: Rows, docs: Path) -> Rows:
    """A row for each group on which more than one run generalised."""
    found: Rows = {}
    for group in dict.fromkeys(own["group"] for own in rows.values()):
        alike = [own for own in rows.values() if own["group"] == group and generalised(own)]
        if len(alike) > 1:
            found[f"all runs on {group}"] = {"group": group, **choice(alike)}
    return found | of_products(rows.values())


def of_products(rows: Iterable[Row]) -> Rows:
    """Of the runs on S3 x C3 that generalised. C3 x C3 is a control: of its four subgroups of order
    3 any two are factors.
    """
    own = [row for row in rows if row["group"] == "S3xC3" and generalised(row)]
    steps = [row["steps"] for row in own]
    if not own:
        return {}
    shares = [row["logits on one factor"] for row in own]
    lengths = [min(steps), max(steps)]
    return {"products": {"runs": len(own), "lengths": lengths, ON_ONE_FACTOR: shares}}


def choice(rows: list[Row]) -> Row:
    """For runs on one group: how many have each irrep of dimension above 1 among their keys (irreps
    of dimension 1 come with others, as factors of sign), and what chance would give.
    """
    keys = [set(own["key irreps"]) for own in rows]
    dimensions = {name: d for name, d in rows[0]["dimensions"].items() if d > 1}
    chosen = {name: sum(name in own for own in keys) for name in dimensions}
    row: Row = {
        "runs": len(rows),
        "sets of key irreps": len({frozenset(own) for own in keys}),
        "irreps of all": sorted(set.intersection(*keys)),
        "chosen": chosen,
    }
    if rows[0]["group"] == "S5":
        row |= _on_s5(chosen, dimensions, [len(own & dimensions.keys()) for own in keys])
    return row


def _on_s5(chosen: dict[str, int], dimensions: dict[str, int], sizes: list[int]) -> Row:
    """low dimensions: p: dimension 4 against larger ones; each run and irrep is one trial.
    no 6d by chance: the probability of no 6d if every run drew as many irreps as it has at random.
    """
    runs = len(sizes)
    low = [name for name, d in dimensions.items() if d == 4]
    high = [name for name in dimensions if name not in low]
    counts = [sum(chosen[name] for name in group) for group in (low, high)]
    trials = [len(group) * runs for group in (low, high)]
    return {
        "runs with 6d": chosen["6d"],
        "no 6d by chance": math.prod(1 - size / len(dimensions) for size in sizes),
        "low dimensions": counts[0] / trials[0],
        "high dimensions": counts[1] / trials[1],
        "low dimensions: p": fisher(counts[0], trials[0], counts[1], trials[1]),
        "runs with standard": chosen["standard"],
        "runs with standard_sign": chosen["standard_sign"],
        "standard against MLPs: p": fisher(chosen["standard"], runs, STANDARD_IN_MLPS, MLPS),
    }


def fisher(one: int, of_one: int, other: int, of_other: int) -> float:
    """Fisher's exact test, two-sided: the probability, for fixed margins, of counts that are no
    more likely than `one` of `of_one` beside `other` of `of_other`.
    """
    both, all_ = one + other, of_one + of_other

    def probability(k: int) -> float:
        return math.comb(of_one, k) * math.comb(of_other, both - k) / math.comb(all_, both)

    possible = range(max(0, both - of_other), min(both, of_one) + 1)
    limit = probability(one) * (1 + 1e-9)
    return sum(p for p in map(probability, possible) if p <= limit)
