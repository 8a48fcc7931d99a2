"""Whether a run is what was trained: digests check its files, and its weights check its log."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import torch

from interp_utils.runs.run import Run
from interp_utils.runs.storage import DamagedFile
from interp_utils.tasks import StreamTask
from interp_utils.training.objectives import objective

# The loss keeps its relative precision at any margin. Computed in another order, by
# HookedTransformer's own forward, the losses of the shipped runs differ by 2e-5 at most. The
# published loss is a difference of numbers near 1 in float64, and therefore has a floor.
# An accuracy moves by one input where another machine decides a near-tie differently: two inputs
# are allowed.
LOSS_RELATIVE, LOSS_FLOOR, ACCURACY = 1e-2, 1e-14, 1e-3


class Result(NamedTuple):
    """What was found: in short for a table, and, if anything is wrong, in full."""

    files: str = "-"
    numbers: str = "-"
    problem: str | None = None


def verify(path: Path) -> Result:
    """Reads every file of a run, and measures its last snapshot again."""
    try:
        run = Run.load(path)
        try:
            run.verify()
        except DamagedFile:
            if Run.load(path).step == run.step:
                raise
            return verify(path)  # a training has saved since
    except (ValueError, OSError) as error:
        return Result("FAILED", problem=str(error))
    files = f"{len(run.manifest['files']) + 1} ok"
    try:
        numbers, sizes = remeasured(run), n_inputs(run)
    except (ValueError, OSError) as error:
        return Result(files, "FAILED", str(error))
    differ = {
        name: pair
        for name, pair in numbers.items()
        if not agree(name, *pair, sizes[name.split("_")[0]])
    }
    if differ:
        what = ", ".join(
            f"{name} {logged:.6g} in the log, {now:.6g} from the weights"
            for name, (logged, now) in differ.items()
        )
        problem = (
            f"at step {run.steps[-1]}: {what}; log and weights are not from the same training, or "
            "this installation computes something else"
        )
        return Result(files, f"{len(differ)} of {len(numbers)} FAILED", problem)
    worst = max(deviation(*pair) for pair in numbers.values())
    return Result(
        files, f"{len(numbers)} ok, {f'within {worst:.0e}' if worst else 'the same digits'}"
    )


@torch.no_grad()
def remeasured(run: Run) -> dict[str, tuple[float, float]]:
    """Losses and accuracies at the last snapshot: as logged, and as the same code computes them
    from the weights. NaN where undefined.
    """
    step = run.steps[-1]
    row = run.raw_metrics["step"].index(step)
    measured = objective(run.task, run.config, torch.device("cpu")).measure(run.weights(step), step)
    logged = {name: column[row] for name, column in run.raw_metrics.items() if name in measured}
    if not logged:
        raise ValueError(
            "the log has none of the numbers that this version measures; read it with the version "
            "that wrote it"
        )
    return {
        name: (math.nan if value is None else value, measured[name].item())
        for name, value in logged.items()
    }


def n_inputs(run: Run) -> dict[str, int]:
    """How many inputs, or lists, the numbers of each split are measured on."""
    task = run.task
    if isinstance(task, StreamTask):
        return {"train": run.config.train.batch_size, "validation": len(task.validation)}
    if not task.split_known:
        return {"all": len(task)}
    return {"train": int(task.train_mask.sum()), "test": int(task.test_mask.sum())}


def agree(name: str, logged: float, now: float, n: int) -> bool:
    """Whether two numbers over n inputs are equal, except for another machine's rounding."""
    if not math.isfinite(logged):
        return not math.isfinite(now)
    if "_loss" in name:  # of all answers, or of one
        return math.isclose(logged, now, rel_tol=LOSS_RELATIVE, abs_tol=LOSS_FLOOR)
    return math.isclose(logged, now, rel_tol=0, abs_tol=max(ACCURACY, 2 / n))


def deviation(logged: float, now: float) -> float:
    """The difference relative to the larger number; 0 where both are undefined."""
    return (
        abs(now - logged) / max(abs(now), abs(logged))
        if math.isfinite(logged) and now != logged
        else 0.0
    )
