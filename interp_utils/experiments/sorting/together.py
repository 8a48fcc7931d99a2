"""Comparisons of two kinds of sorters, or of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.rules import Row
from interp_utils.experiments.sorting.row import REACHED, TOKENS, WHOLE

COMPARED = {  # the measure of one kind minus that of another, at one seed
    "score, with an MLP minus without": ("one head, MLP", "one head", "copying score"),
    "score, two heads minus one": ("two heads", "one head", "copying score"),
    "90 % of lists, step with positions minus without": (
        "one head, positions",
        "one head",
        REACHED,
    ),
    "tokens, variable minus fixed length": ("one head, variable length", "one head", TOKENS),
    "attention to equal tokens, with repeats minus without": (
        "one head, positions, repeats",
        "one head, positions",
        "attention to equal tokens",
    ),
    "tokens, repeats with positions minus without": (
        "one head, positions, repeats",
        "one head, repeats",
        TOKENS,
    ),
}


def together(rows: Rows, docs: Path) -> Rows:
    """How two kinds differ, seed by seed. A kind with one seed is compared with each seed of the
    other.
    """
    compared = {name: _compare(rows, name) for name in COMPARED}
    found = {name: row for name, row in compared.items() if row}
    return found | {"one head, all": _sorters(rows)}


def _compare(rows: Rows, name: str) -> Row:
    one, other, measure = COMPARED[name]
    by_seed = [
        {row["seed"]: row for row in rows.values() if row["kind"] == kind} for kind in (one, other)
    ]
    differences, used = [], []
    for seed in sorted({*by_seed[0], *by_seed[1]}):
        pair = [of_kind.get(seed, of_kind.get(0, {})) for of_kind in by_seed]
        if not all(measure in row for row in pair):
            continue
        if measure == REACHED and all(row[REACHED] > row["steps"] for row in pair):
            continue  # neither got that far: which would have been first is not known
        differences.append(pair[0][measure] - pair[1][measure])
        used += [row for row in pair if row not in used]
    return _of(used) | {name: differences} if used else {}


def _of(rows: Sequence[Row]) -> Row:
    """The number of runs, and the steps of the shortest and of the longest."""
    steps = [row["steps"] for row in rows]
    return {"runs": len(rows), "lengths": [min(steps), max(steps)]}


def _sorters(rows: Rows) -> Row:
    """The lowest copying score of models that sort minus the highest of models that do not."""
    alike = [row for row in rows.values() if row["kind"] == "one head"]
    sorters = [row["copying score"] for row in alike if row[WHOLE] >= 0.9]
    others = [row["copying score"] for row in alike if row[WHOLE] < 0.9]
    if not sorters or not others:
        return {}
    return _of(alike) | {"copying score, sorters minus others": min(sorters) - max(others)}
