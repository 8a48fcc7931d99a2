"""What two kinds of sorters, or all of them, have together."""

from __future__ import annotations

from pathlib import Path

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.rules import Row
from interp_utils.experiments.sorting.row import REACHED, TOKENS, WHOLE

COMPARED = {  # of two kinds at one seed: the measure of the one minus that of the other
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
    """Seed by seed, how kinds differ; a kind with one seed is compared with each of the other."""
    found: Rows = {}
    for seed in sorted({row["seed"] for row in rows.values()}):
        found[f"seed {seed}"] = _compare(rows, seed)
    return found | {"one head, all": _sorters(rows)}


def _compare(rows: Rows, seed: int) -> Row:
    by_kind = {(row["kind"], row["seed"]): row for row in rows.values()}
    found: Row = {"runs": 2}
    for name, (one, other, measure) in COMPARED.items():
        pair = [by_kind.get((kind, seed), by_kind.get((kind, 0), {})) for kind in (one, other)]
        if not all(measure in row for row in pair):
            continue
        never = [row[REACHED] > row["steps"] for row in pair]
        if measure == REACHED and all(never):
            continue  # neither came that far: which would have been first is not known
        found[name] = pair[0][measure] - pair[1][measure]
    return found


def _sorters(rows: Rows) -> Row:
    """The lowest copying score of those that sort minus the highest of those that do not."""
    scores = {
        sorts: [
            row["copying score"]
            for row in rows.values()
            if row["kind"] == "one head" and (row[WHOLE] >= 0.9) is sorts
        ]
        for sorts in (True, False)
    }
    if not all(scores.values()):
        return {}
    runs = sum(map(len, scores.values()))
    difference = min(scores[True]) - max(scores[False])
    return {"runs": runs, "copying score, sorters minus others": difference}
