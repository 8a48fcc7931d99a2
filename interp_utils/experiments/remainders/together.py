"""What only all runs on remainders together have, the numbers themselves, and the search."""

from __future__ import annotations

from pathlib import Path

import torch

from interp_utils import sweeps, tasks
from interp_utils.analysis import residues
from interp_utils.experiments.base import Row, Rows
from interp_utils.experiments.remainders.recipes import P

ADDITION = {53: "p59_seed0", P: "modular_addition"}  # T_nanda, of about the same size
NUMBERS, SEARCH, STUDY = "n below 113²", "search, p = 23", Path("studies") / "remainders"


def together(rows: Rows, docs: Path) -> Rows:
    found: Rows = {}
    for name, row in rows.items():
        if row["p"] in ADDITION and row["kind"] != "T_nanda":
            addition = rows[ADDITION[row["p"]]]
            found[name] = {
                f"{measure}, over addition's": row[measure] / addition[measure]
                for measure in ("singular values, effective share", "frequencies, effective share")
            }
    return found | {NUMBERS: _numbers(), SEARCH: _search(docs)}


def _numbers() -> Row:
    task = tasks.remainders(P)
    is_prime = torch.zeros(P**2, dtype=torch.bool)
    is_prime[tasks.primes_below(P**2)] = True
    found, grid = (
        residues.detect_primes(task.labels, is_prime[tasks.numbers(task)]),
        task.labels.view(P, P, -1),
    )
    return {
        "primes with a zero": found.missed_primes,
        "others without": found.false_primes,
        "q that commute": sum(
            grid[..., head].equal(grid[..., head].T) for head in range(grid.shape[2])
        ),
    }


def _search(docs: Path) -> Row:
    values = [trial.value for trial in sweeps.load(docs / STUDY).trials]
    return {
        "trials": len(values),
        "rank of the published best": sum(value < values[0] for value in values) + 1,
    }
