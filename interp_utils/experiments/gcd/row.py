"""A run on greatest common divisors as a row of numbers, and its snapshots as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils import devices
from interp_utils.analysis import answers, divisors
from interp_utils.devices import Device
from interp_utils.experiments.gcd import mechanism
from interp_utils.experiments.gcd.reading import answered, logits
from interp_utils.experiments.rules import Row
from interp_utils.measures import milestones
from interp_utils.runs.run import Run
from interp_utils.tasks import GCD

if TYPE_CHECKING:
    import pandas as pd

SMOOTH = 5  # rows of the log: an accuracy of 256 pairs is known to two points
LEVELS = [level / 100 for level in range(65, 100, 5)]


def row(run: Run, device: Device = None) -> Row:
    """The three rules on the stratified test set, and accuracies on the natural one, of the last
    snapshot; whether a step of the staircase came late on other pairs; and how the digits are read.

    The accuracy of whole answers is one number, free-running or teacher-forced: they are all right
    in the one just where they are in the other. The share of right tokens is teacher-forced, as the
    report's is.
    """
    found = facts(run) | measured(run, device=device) | course(run.metrics)
    return found | mechanism.measure(run, found["learned"], device)


def facts(run: Run) -> Row:
    return {"kind": kind(run.task), "seed": run.task.seed, "steps": run.step}


def kind(task: GCD) -> str:
    """Which claims a run on it is about: its base, and how its pairs are drawn."""
    drawn = task.drawing
    how = {"log-uniform": drawn.operands == "log_uniform", "fixed pairs": task.data}
    shares = {f"{drawn.uniform_gcds:.0%} by gcd": drawn.uniform_gcds}
    named = [name for name, there in (how | shares).items() if there]
    return ", ".join([f"base {task.spelling.base}", *named])


def measured(run: Run, step: int | None = None, device: Device = None) -> Row:
    """What a snapshot answers, by default the last."""
    task = run.task
    gcds = task.gcds(task.stratified)
    said = answered(run, task.stratified, step, device)
    rules = divisors.check(said, gcds, task.spelling.base, task.drawing.n_gcds)
    natural, stratified = (logits(run, own, step, device) for own in (task.test, task.stratified))
    forced = answers.sequence_accuracy(natural, task.test.labels)
    bound = divisors.bound(rules.learned)
    return {
        "accuracy": forced.whole,
        "accuracy minus the bound": forced.whole - bound,
        "token accuracy, teacher-forced": forced.token,
        "token accuracy, teacher-forced, minus accuracy": forced.token - forced.whole,
        "stratified accuracy": devices.double(said == gcds).mean().item(),
        "stratified loss": _loss(stratified, task.stratified.labels),
        "learned": rules.learned,
        "gcds learned": len(rules.learned),
        "bound": bound,
        "one answer": rules.one_answer,
        "missing": rules.missing,
        "unexpected": rules.unexpected,
        "breaks rule 2": len(rules.missing) + len(rules.unexpected) + len(rules.outside),
        "outside the base": rules.outside,
        "gcds outside the base": len(rules.outside),
        "largest divisor": rules.largest,
    }


def history(
    run: Run, steps: Sequence[int] | None = None, device: Device = None, progress: bool = True
) -> pd.DataFrame:
    """The numbers of `measured` at every snapshot, one row each."""
    import pandas as pd

    chosen = run.steps if steps is None else steps
    shown = tqdm(chosen, desc="measuring", unit="snapshot", disable=not progress)
    size = run.config.train.batch_size
    return pd.DataFrame(
        [{"step": step, "examples": step * size, **measured(run, step, device)} for step in shown]
    )


def course(log: pd.DataFrame) -> Row:
    """What the log says: the last training loss, the last validation loss over the lowest, whether
    the run groks, and "validation over training". This has a ratio for each accuracy of `LEVELS`
    that both validation and training pairs reach to stay, after a running median over 5 rows: the
    step from which validation pairs do, over the step from which training pairs do. Grokking is a
    ratio of 5 and more (`milestones.generalisation`).
    """
    columns = ["train_accuracy", "validation_accuracy"]
    smooth = log.copy()
    smooth[columns] = log[columns].rolling(SMOOTH, center=True, min_periods=1).median()
    found = [milestones.generalisation(smooth, level=level) for level in LEVELS]
    ratios = [one.generalised / one.memorised for one in found if one.memorised and one.generalised]
    lowest = log["validation_loss"].min()
    return {
        "train loss": float(log["train_loss"].iloc[-1]),
        "validation loss over its lowest": float(log["validation_loss"].iloc[-1] / lowest),
        "validation over training": ratios,
        "groks": any(one.grokked for one in found),
    }


def _loss(shown: Float[Tensor, "n ctx c"], labels: Int[Tensor, "n ctx"]) -> float:
    """The mean loss of the tokens that are asked for."""
    asked = labels >= 0
    return torch.nn.functional.cross_entropy(devices.double(shown[asked]), labels[asked]).item()
