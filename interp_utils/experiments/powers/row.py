"""A run on x^a + y^b as a row of numbers, modular addition among them: a = b = 1."""

from __future__ import annotations

from interp_utils.devices import Device
from interp_utils.experiments.base import Row
from interp_utils.experiments.powers import exponents
from interp_utils.experiments.powers.recipes import P
from interp_utils.measures import milestones
from interp_utils.runs.run import Run

HORIZON = 12_000  # where runs on bijections are cut off to be compared


def row(run: Run, device: Device = None) -> Row:
    """`exponents.headline`, and when it generalised, one after the last step if it had not."""
    found = exponents.headline(run, device)
    step = found["generalised"] or found["steps"] + 1
    by_horizon = milestones.generalisation(run.metrics, HORIZON).generalised or HORIZON + 1
    memorised = found["memorised"]
    late = {} if memorised is None else {"step over that of memorising": step / memorised}
    return (
        found
        | late
        | {
            "task": f"({found['a']}, {found['b']})"
            + (f" mod {found['p']}" if found["p"] != P else ""),
            "step": step,
            "step by 12,000": by_horizon,
            "labels that do not occur": found["p"] - found["labels that occur"],
        }
    )


def is_bijection(row: Row) -> bool:
    return row["classes of x"] == row["classes of y"] == row["p"]


def generalised(row: Row) -> bool:
    return "task" in row and row["generalised"] is not None
