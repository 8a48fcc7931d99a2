"""Numbers of all runs on remainders together, facts about the integers, and the search."""

from __future__ import annotations

import statistics
from pathlib import Path

import torch

from interp_utils import sweeps, tasks
from interp_utils.analysis import residues
from interp_utils.experiments.claims import Row, Rows
from interp_utils.experiments.remainders import grokfast
from interp_utils.experiments.remainders.recipes import P
from interp_utils.experiments.remainders.search import STEPS

ADDITION = {53: "p59_seed0", P: "modular_addition"}  # T_nanda, of about the same size
FILTERED = "x y mod 97"
NUMBERS, SEARCH, STUDY = "n below 113²", "search, p = 23", Path("studies") / "remainders"


def together(rows: Rows, docs: Path) -> Rows:
    found: Rows = {}
    for name, row in rows.items():
        addition = rows.get(ADDITION.get(row["p"]))
        if addition is not None and row["kind"] != "T_nanda":
            found[name] = _over(row, addition)
        if row["kind"] == "λ = 0":
            found[name] = found.get(name, {}) | _against_grokfast(row, rows)
    filtered = grokfast.speed_up(docs)
    found |= {FILTERED: filtered} if filtered else {}
    return found | {NUMBERS: _numbers(), SEARCH: _search(docs)}


def _over(row: Row, addition: Row) -> Row:
    measures = ["singular values, effective share", "frequencies, effective share"]
    found = {
        f"{measure}, over addition's": row[measure] / addition[measure] for measure in measures
    }
    steps = [row.get("median answer's step"), addition.get("median answer's step")]
    if None in steps:
        return found
    return found | {"median answer's step, over addition's": steps[0] / steps[1]}


def _against_grokfast(row: Row, rows: Rows) -> Row:
    """How many more answers Grokfast learns in the same number of steps, on the same numbers."""
    same = ("p", "steps", "share for training")
    others = [
        other["answers at 99 %"]
        for other in rows.values()
        if other["kind"] == "T_miiii" and all(other[name] == row[name] for name in same)
    ]
    if not others:
        return {}
    return {
        "answers at 99 %, λ = 2 minus λ = 0": statistics.median(others) - row["answers at 99 %"]
    }


def _numbers() -> Row:
    task = tasks.remainders(P)
    is_prime = torch.zeros(P**2, dtype=torch.bool)
    is_prime[tasks.primes_below(P**2)] = True
    found, grid = (
        residues.detect_primes(task.labels, is_prime[tasks.numbers(task)]),
        task.labels.view(P, P, -1),
    )
    return {
        "runs": 0,
        "active by the text, most possible of 57": 57 // 5,  # beyond mean + 2 sd: 1 / (1 + 2²)
        "primes with a zero": found.missed_primes,
        "others without": found.false_primes,
        "q that commute": sum(
            grid[..., answer].equal(grid[..., answer].T) for answer in range(grid.shape[2])
        ),
    }


def _search(docs: Path) -> Row:
    values = [trial.value for trial in sweeps.load(docs / STUDY).trials]
    return {
        "runs": len(values),
        "lengths": [STEPS],
        "rank of the published best": sum(value < values[0] for value in values) + 1,
    }
