"""Trainings that start from others: what is kept, and what is forgotten."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

from interp_utils.experiments.phase_diagrams.cells import cells
from interp_utils.experiments.phase_diagrams.recipes import DOWN, USUAL
from interp_utils.experiments.rules import Number, Row

LAST, SETTLED = 100, 0.01  # steps, and test accuracy lost in them by what is still forgetting
KEPT = 0.7  # test accuracy at which the two branches are compared, as in Varma et al., A.2


def accuracies(rows: Sequence[Row], decay: float) -> dict[float, float]:
    """Share -> the median test accuracy at the end."""
    chosen = [row for row in rows if row["weight_decay"] == decay]
    return {
        share: statistics.median(row["test accuracy"] for row in own)
        for (share,), own in cells(chosen, "share").items()
    }


def after(row: Row, steps: Number) -> float:
    """Test accuracy so many steps after the fork, at the last step up to there that is stored."""
    until = row["steps"][0] + steps
    logged = zip(row["steps"], row["test accuracies"], strict=True)
    return max((step, accuracy) for step, accuracy in logged if step <= until)[1]


def medians_after(rows: Sequence[Row], decay: float, steps: Number) -> dict[float, float]:
    chosen = [row for row in rows if row["weight_decay"] == decay]
    return {
        share: statistics.median(after(row, steps) for row in own)
        for (share,), own in cells(chosen, "share").items()
    }


def largest_difference(one: dict[float, float], other: dict[float, float]) -> float:
    return max(abs(one[share] - other[share]) for share in one)


def crossing(branch: dict[float, float], level: float) -> float | None:
    """The smallest share from which on the branch is above the level, between two of its shares
    along a straight line; None where it is not at its largest share, or is at all of them.
    """
    shares = sorted(branch)
    for low, high in itertools.pairwise(reversed(shares)):
        low, high = high, low
        if branch[high] < level:
            return None
        if branch[low] < level:
            return low + (high - low) * (level - branch[low]) / (branch[high] - branch[low])
    return None


def of_hysteresis(rows: Sequence[Row], from_initial: Sequence[Row]) -> Row:
    """Down: rows, of models that had generalised. Up: those from initial weights."""
    up, down = accuracies(from_initial, USUAL), accuracies(rows, USUAL)
    stronger = accuracies(rows, 2 * USUAL)
    kept, reached = crossing(down, KEPT), crossing(up, KEPT)
    return {
        "test accuracy, up": {f"{share:g}": value for share, value in up.items()},
        "test accuracy, down": {f"{share:g}": value for share, value in down.items()},
        "test accuracy, down, decay 2": {f"{s:g}": value for s, value in stronger.items()},
        "test accuracy at the least share": [
            row["test accuracy"] for row in rows if row["share"] == min(down)
        ],
        "test accuracy without weight decay": [
            row["test accuracy"] for row in rows if not row["weight_decay"]
        ],
        "share kept": kept,
        "share reached": reached,
        "share kept over share reached": ratio(kept, reached),
        "test accuracy, difference by decay": largest_difference(down, stronger),
        "test accuracy, lost in the last steps": max(
            medians_after(rows, decay, DOWN - LAST)[share] - branch[share]
            for decay, branch in ((USUAL, down), (2 * USUAL, stronger))
            for share in branch
        ),
        "test accuracy, difference at equal decay": largest_difference(
            medians_after(rows, USUAL, DOWN), medians_after(rows, 2 * USUAL, DOWN / 2)
        ),
    }


def of_kept(rows: Sequence[Row]) -> Row:
    """What becomes of the run at the published settings when it is trained on without decay."""
    return {
        "test accuracy of the main run, least": min(min(row["test accuracies"]) for row in rows),
        "test loss of the main run at the end": max(row["test loss"] for row in rows),
    }


def ratio(one: Number | None, other: Number | None) -> float | None:
    """One over the other; None where a step was censored, or a share was not reached."""
    if one is None or other is None or not one < math.inf or not other < math.inf:
        return None
    return one / other
