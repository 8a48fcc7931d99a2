"""Numbers of all runs on x^a + y^b together: correlations of steps over tasks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from pathlib import Path

import torch

from interp_utils.analysis import rank_tests
from interp_utils.experiments.claims import Row, Rows
from interp_utils.experiments.powers import bijections
from interp_utils.experiments.powers.recipes import P
from interp_utils.experiments.powers.row import is_bijection, of_run

# The step at which each pair of Table 1 grokked. Pairs with "no", and those that only section 5.1
# and the appendix describe, have none.
PUBLISHED = {
    "(1, 1)": 18100,
    "(3, 3)": 10000,
    "(3, 3) mod 103": None,
    "(3, 4)": 70000,
    "(5, 4)": 5000,
    "(5, 5)": 3000,
    "(7, 7)": None,
    "(7, 7) mod 101": 2500,
    "(9, 9)": 1600,
    "(4, 5)": 1100,
    "(8, 9)": 600,
    "(2, 2)": None,
    "(4, 4)": None,
}

TOGETHER, QUICK = "all runs", "bijections at ten times the learning rate"


def together(rows: Rows, docs: Path) -> Rows:
    own = [row for row in rows.values() if of_run(row)]
    steps = [row["steps"] for row in own]
    lengths = [min(steps), max(steps)]
    whole = {"runs": len(own), "lengths": lengths, **_compare(own)}
    quick = bijections.conditions(docs)
    return {TOGETHER: whole} | ({QUICK: quick} if quick else {})


def _compare(rows: list[Row]) -> Row:
    """Correlations are of ranks. A run that had not generalised counts as later than all runs that
    had.
    """
    by_task = {task: [row for row in rows if row["task"] == task] for task in PUBLISHED}
    steps = {
        task: statistics.median(row["step"] if row["generalised"] else math.inf for row in own)
        for task, own in by_task.items()
    }
    size = {task: max(own[0]["a"], own[0]["b"]) for task, own in by_task.items()}
    unseen = {
        task: statistics.median(row["unseen"] for row in own) for task, own in by_task.items()
    }
    grokked = {task: step for task, step in PUBLISHED.items() if step}
    with_size, with_unseen, between = (
        _correlation(steps, size),
        _correlation(steps, unseen),
        _correlation(size, unseen),
    )

    renamed = [row for row in rows if row["p"] == P and is_bijection(row)]
    exponent, by_horizon = (
        _tensor(row[name] for row in renamed) for name in ("a", "step by 12,000")
    )
    first_two = exponent <= 3
    order = rank_tests.spearman(by_horizon, exponent)
    return {
        "order of Table 1": _correlation(grokked, steps),
        "step with exponent, bijections": order.statistic,
        "step with exponent, bijections: p": order.p_value,
        "one distribution, bijections: p": rank_tests.kruskal_wallis(
            by_horizon, exponent.long()
        ).p_value,
        "(3, 3) and (1, 1): p": rank_tests.kruskal_wallis(
            by_horizon[first_two], exponent[first_two].long()
        ).p_value,
        "step with exponent, all tasks": with_size,
        "step with exponent, classes alike": _partial(with_size, with_unseen, between),
        "step with unseen classes, exponents alike": _partial(with_unseen, with_size, between),
        "(9, 9) over (3, 4)": steps["(9, 9)"] / steps["(3, 4)"],
        "(5, 4) over (4, 5)": steps["(5, 4)"] / steps["(4, 5)"],
        "(3, 4) over (1, 1)": steps["(3, 4)"] / steps["(1, 1)"],
    }


def _tensor(values: Iterable[float]) -> torch.Tensor:
    return torch.tensor([float(value) for value in values])


def _correlation(x: dict[str, float], y: dict[str, float]) -> float:
    return rank_tests.spearman(
        _tensor(x.values()), _tensor(y[task] for task in x), n_permutations=1
    ).statistic


def _partial(with_one: float, with_other: float, between: float) -> float:
    """The correlation with one that is left at equal values of the other."""
    return (with_one - with_other * between) / math.sqrt((1 - with_other**2) * (1 - between**2))
