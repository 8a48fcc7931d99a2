"""One training, into a folder of its own: from initial weights, from given ones, from those of
another run, or from where it stopped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interp_utils import devices
from interp_utils.configs import FamilyConfig, ModelConfig, RunConfig, TrainConfig
from interp_utils.devices import Device
from interp_utils.runs.run import Run
from interp_utils.runs.writer import RunWriter
from interp_utils.tasks import AnyTask
from interp_utils.training import starts
from interp_utils.training.loop import Callback, train_members
from interp_utils.training.member import Member
from interp_utils.training.objectives import check
from interp_utils.training.settings import settings
from interp_utils.training.starts import Start
from interp_utils.training.trainer import Trainer


def train(
    task: AnyTask,
    model_config: FamilyConfig | None = None,
    train_config: TrainConfig | None = None,
    *,
    out: str | Path,
    weights: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    device: Device = None,
    progress: bool = True,
) -> Run:
    """Trains a model on a task in the folder `out`, resumes the unfinished run there, or returns
    the finished one.

    Configurations default to the public Grokking demo's. device None is a GPU where there is one.

    If `out` holds the same run with fewer steps, it is continued to `steps`. The weights are then,
    bit for bit, those of a run that had so many steps from the start. Where the former last step is
    not on the new schedule, what it added stays: a row of metrics, a snapshot, and, in the row
    after it, a `highest_train_loss` that is the highest since that step.

    weights:  the weights to start from, instead of initial ones: a state dict, as for
              `models.from_weights`. The run records their digest, and is not resumed with others.
    callback: called with each new row of metrics, {"step": ..., "train_loss": ..., ...}, in plain
              numbers, with None for what is not finite or not known; for early stopping, live plots
              and logging elsewhere. If it returns False, this step is saved with a snapshot and the
              training ends: the run is unfinished, and the same call continues it, without a second
              callback for that row. An error in the callback is raised, and what was last saved
              stays; rows that were not saved are measured again, and the callback is called again.

    Ctrl-C saves and then raises KeyboardInterrupt; the same call goes on from there.
    Raises ValueError if `out` holds another run or one of more steps, RunInUse if another process
    is writing it, OSError if it cannot be written, FloatingPointError if the loss is no longer
    finite. What was saved before stays.
    """
    model_config = (model_config or ModelConfig()).for_task(task)
    config = RunConfig(model_config, train_config or TrainConfig())
    start = None if weights is None else starts.from_weights(model_config, weights)
    return _train(task, config, out, start, callback=callback, device=device, progress=progress)


def resume(
    out: str | Path,
    *,
    callback: Callback | None = None,
    device: Device = None,
    progress: bool = True,
) -> Run:
    """Continues the run in `out` under its own settings, wherever it started, and returns the
    finished run.
    """
    run = Run.load(out)
    start = None if run.origin is None else Start(run.origin, {})
    return _train(
        run.task, run.config, out, start, callback=callback, device=device, progress=progress
    )


def fork(
    run: Run | str | Path,
    step: int,
    *,
    out: str | Path,
    task: AnyTask | None = None,
    callback: Callback | None = None,
    device: Device = None,
    progress: bool = True,
    **changes: Any,
) -> Run:
    """A new run in the folder `out` that starts from a step of another run and continues under
    other settings, e.g. fork(run, 5000, out="runs/no_decay", weight_decay=0.0).

    step:    a snapshot of the run, or the step of its last save. Steps are counted from the other
             run's start: the new run has `steps` in all.
    task:    another task for the same model, e.g. with less data; default the run's own.
    changes: fields of TrainConfig; the others are those of the run.

    The optimiser's moments are those of that step if the run has kept them (a run keeps those of
    its last save, unless it was exported) and the optimiser is the same. Otherwise they start at
    zero, and so do the optimiser's count of updates and its warm-up. The mean of a gradient filter
    is kept or starts anew by the same rule. `.origin` of the new run says where the run came from
    and what was kept. With moments and unchanged settings the weights are, bit for bit, those of
    the other run had it continued itself. The first row of metrics is that of `step`.

    The same call resumes an unfinished fork, or returns the finished one. Raises what `train`
    raises, and ValueError for a step that the run does not have, or `steps` that end before it.
    """
    run = run if isinstance(run, Run) else Run.load(run)
    fields = {field.name for field in dataclasses.fields(TrainConfig)}
    if unknown := sorted(changes.keys() - fields):
        raise ValueError(f"fork changes fields of TrainConfig, {sorted(fields)}; got {unknown}")
    step = step.tolist() if hasattr(step, "tolist") else step
    task = run.task if task is None else task
    training = dataclasses.replace(run.config.train, **changes)
    config = RunConfig(run.config.model.for_task(task), training)
    start = starts.from_run(run, step, config)
    if training.steps <= step:
        raise ValueError(
            f"a fork from step {step} needs more steps than {step}, counted from the start of "
            f"{run.path}; set steps, got {training.steps}"
        )
    return _train(task, config, out, start, callback=callback, device=device, progress=progress)


def _train(
    task: AnyTask,
    config: RunConfig,
    out: str | Path,
    start: Start | None,
    *,
    callback: Callback | None,
    device: Device,
    progress: bool,
) -> Run:
    """`train` and `fork`, once the start of the training is known."""
    check(task, config)  # before there is a folder
    device = devices.resolve(device)
    writer = RunWriter(out, task, config, start and start.origin)
    member = Member(task, config, writer, start=start and start.state)
    with writer, settings(config.train.deterministic):
        if writer.step != config.train.steps:
            trainer = Trainer(task, config, device, origin=writer.origin)
            train_members([member], trainer, progress, callback)
    if member.error:
        raise FloatingPointError(member.error)
    return Run.load(out)
