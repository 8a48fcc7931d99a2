"""Each study's numbers, from its table: what the claims are about."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.phase_diagrams import recipes
from interp_utils.experiments.phase_diagrams.architectures import of_architectures
from interp_utils.experiments.phase_diagrams.branches import (
    of_hysteresis,
    of_kept,
    ratio,
)
from interp_utils.experiments.phase_diagrams.cells import cells, median_step, spelt, step, waited
from interp_utils.experiments.phase_diagrams.grids import of_rates, of_shares
from interp_utils.experiments.phase_diagrams.operations import is_no_sum, task_of
from interp_utils.experiments.phase_diagrams.plateau import of_plateau
from interp_utils.experiments.phase_diagrams.studies import STUDIES
from interp_utils.experiments.rules import Row

# Operations that do not ask for the order of a and b, and those that do.
PAIRS = {"a + b": "a - b", "a b": "a / b"}
ONE_TO_ONE = ("a - b", "a b")  # sums in coordinates that name everything once, beside a + b


def together(rows: Rows, docs: Path) -> Rows:
    tables = {study.name: list(study.rows(docs).values()) for study in STUDIES}
    made = {
        "decay_by_share": of_shares,
        "rate_by_decay": of_rates,
        "operations": lambda rows: of_operations([*sums_of(tables["decay_by_share"]), *rows]),
        "hysteresis": lambda rows: of_hysteresis(rows, tables["decay_by_share"]),
        "architectures": lambda rows: of_architectures(rows, sums_of(tables["decay_by_share"])),
        "plateau": of_plateau,
        "kept": of_kept,
    }
    found = {name: counted(own) | made[name](own) for name, own in tables.items() if own}
    return {
        name: {measure: value for measure, value in row.items() if value is not None}
        for name, row in found.items()
    }


def counted(rows: Sequence[Row]) -> Row:
    lengths = [row["last step"] for row in rows]
    return {"runs": len(rows), "lengths": [min(lengths), max(lengths)]}


def sums_of(rows: Sequence[Row]) -> list[Row]:
    """a + b at the settings of the other operations."""
    usual = [row for row in rows if (row["weight_decay"], row["share"]) == (recipes.USUAL, 0.5)]
    return [row | {"operation": "a + b"} for row in usual]


def of_operations(rows: Sequence[Row]) -> Row:
    own = {name: found for (name,), found in cells(rows, "operation").items()}
    sums = [name for name in own if task_of(name).operation is not None]
    slowest = max(step(row) for name in sums for row in own[name] if step(row) < math.inf)
    others = [row for name in own if is_no_sum(task_of(name)) for row in own[name]]
    steps = {name: median_step(found) for name, found in own.items()}
    ordered = {name: statistics.median(waited(row) for row in own[name]) for name in PAIRS.values()}
    explained = [
        row["logit variance explained"]
        for name in ONE_TO_ONE
        for row in own[name]
        if step(row) < math.inf
    ]
    return {
        "phases": {name: spelt(found) for name, found in own.items()},
        "steps": {
            name: [step(row) if step(row) < math.inf else None for row in found]
            for name, found in own.items()
        },
        "test accuracies": {
            name: [row["test accuracy"] for row in found] for name, found in own.items()
        },
        "sums generalise": [step(row) < math.inf for name in sums for row in own[name]],
        "others generalise": [step(row) < math.inf for row in others],
        "others, steps over the slowest sum's": [waited(row) / slowest for row in others],
        "a^3 + a b^2 + b generalises": [step(row) < math.inf for row in own["a^3 + a b^2 + b"]],
        "steps, order over no order": [
            ordered[b] / steps[a] for a, b in PAIRS.items() if steps[a] < math.inf
        ],
        "steps of a / b over a - b": ratio(ordered["a / b"], steps["a - b"]),
        "a / b was censored": steps["a / b"] == math.inf,
        "logit variance explained of sums": [v for v in explained if v is not None],
    }
