"""A run on x^a + y^b as a row of numbers, modular addition among them: a = b = 1."""

from __future__ import annotations

from interp_utils.devices import Device
from interp_utils.experiments.powers import exponents
from interp_utils.experiments.powers.recipes import P
from interp_utils.experiments.rules import Row
from interp_utils.measures import milestones
from interp_utils.runs.run import Run
from interp_utils.tasks import PowerSum

HORIZON = 12_000  # the step at which runs on bijections are cut off to be compared


def row(run: Run, device: Device = None) -> Row:
    """`exponents.headline`, and the step at which the run generalised: one after the last if it had
    not. A control, whose labels are random, has only its weights' changes and excluded loss.
    """
    if not run.task.operation.holds:
        return facts(run) | exponents.squared_weights(run) | exponents.of_control(run, device)
    return exponents.headline(run, device) | facts(run)


def facts(run: Run) -> Row:
    """What the task and the log say."""
    if not run.task.operation.holds:
        return {"task": "random labels", "p": run.task.p, "steps": run.step}
    of_task, when = exponents.describe(run.task), milestones.generalisation(run.metrics)
    a, b = run.task.exponents if isinstance(run.task, PowerSum) else (1, 1)
    p, step = run.task.p, when.generalised or run.step + 1
    found = of_task | when._asdict() | {"p": p, "a": a, "b": b, "steps": run.step}
    found |= {
        "task": f"({a}, {b})" + (f" mod {p}" if p != P else ""),
        "step": step,
        "step by 12,000": milestones.generalisation(run.metrics, HORIZON).generalised
        or HORIZON + 1,
        "has generalised": when.generalised is not None,
        "labels that do not occur": p - of_task["labels that occur"],
        "pairs of label 0, over an even share": of_task["pairs of label 0"] * p,
    }
    if when.memorised:
        found["step over that of memorising"] = step / when.memorised
    return found


def of_run(row: Row) -> bool:
    """Whether a row is of one run on sums of powers: neither of all runs nor of a control."""
    return "generalised" in row


def is_bijection(row: Row) -> bool:
    return row["classes of x"] == row["classes of y"] == row["p"]


def generalised(row: Row) -> bool:
    return of_run(row) and row["generalised"] is not None
