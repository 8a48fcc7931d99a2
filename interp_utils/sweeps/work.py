"""What a worker does with its trials: it trains their runs, and tells the study the results."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from interp_utils.configs import FamilyConfig, RunConfig, TrainConfig
from interp_utils.runs import storage as disk
from interp_utils.runs.manifest import MANIFEST
from interp_utils.runs.run import Run
from interp_utils.runs.writer import RunWriter
from interp_utils.tasks import AnyTask
from interp_utils.training import train
from interp_utils.training.ensemble import most_at_once, train_all
from interp_utils.training.member import Member
from interp_utils.training.members import require_stackable

if TYPE_CHECKING:
    import optuna

Make = Callable[["optuna.Trial"], tuple[AnyTask, FamilyConfig, TrainConfig]]
Objective = Callable[[Run], float]


@dataclass(frozen=True, eq=False)
class Job:
    """A trial, and the run that it asks for.

    left_at: the step at which another worker has left the run; None where no worker has.
    """

    trial: optuna.Trial
    task: AnyTask
    config: RunConfig
    path: Path
    left_at: int | None


def job_of(trial: optuna.Trial, make: Make, folder: Path) -> Job | None:
    """A trial's job, or None where `make` prunes the trial."""
    known = trial.user_attrs.get("run")
    with _telling(trial):
        task, model, training = make(trial)
        path = folder / run_name(task, model, training)
        if path.name != known:
            trial.set_user_attr("run", path.name)
        before = Run.load(path) if (path / MANIFEST).exists() else None
        is_left = known == path.name and before is not None and not before.finished
        config = RunConfig(model.for_task(task), training)
        return Job(trial, task, config, path, before.step if is_left else None)
    return None


def run_name(task: AnyTask, model: FamilyConfig, training: TrainConfig) -> str:
    """16 hexadecimal digits for a run's task, inputs and settings. Fields at their defaults do not
    count, so that a field that is added later changes no name.
    """

    def changed(config: FamilyConfig | TrainConfig) -> dict[str, Any]:
        defaults = {**type(config)().to_json(), "family": "transformer"}
        return {name: v for name, v in config.to_json().items() if v != defaults[name]}

    inputs = disk.describe(disk.tensors_to_bytes(task.tensors()))
    return hashlib.sha256(
        disk.json_bytes([task.about(), inputs, changed(model.for_task(task)), changed(training)])
    ).hexdigest()[:16]


def most_together(job: Job, device: torch.device) -> int:
    """How many jobs like this one can be computed together in the device's memory."""
    return most_at_once(job.task, job.config.model, device) if _can_be_together(job) else 1


def work_on(
    jobs: Sequence[Job], objective: Objective, device: torch.device, progress: bool
) -> set[int]:
    """Trains the jobs' runs to their end and tells the study the results. Returns the numbers of
    the trials whose runs are being trained for other trials.
    """
    distinct = {job.path: job for job in jobs}  # of jobs with the same run, the last
    together = [job for job in distinct.values() if len(distinct) > 1 and _can_be_together(job)]
    in_use = _train_together(together, objective, device, progress)
    for job in jobs:
        if job in together:
            continue
        try:
            with _telling(job.trial):
                task, (model, training) = job.task, (job.config.model, job.config.train)
                run = train(task, model, training, out=job.path, device=device, progress=progress)
                _tell_value(job, run, objective)
        except disk.RunInUse:
            in_use.add(job.trial.number)
    return in_use


def _can_be_together(job: Job) -> bool:
    try:
        require_stackable(job.task, job.config)
    except ValueError:  # if the job alone is at fault, `train` raises this again
        return False
    return True


def _train_together(
    jobs: Sequence[Job], objective: Objective, device: torch.device, progress: bool
) -> set[int]:
    """`work_on` for jobs that are computed together."""
    in_use: set[int] = set()
    members: dict[Job, Member] = {}
    for job in jobs:
        writer = RunWriter(job.path, job.task, job.config)
        try:
            with _telling(job.trial), writer:  # a damaged run fails its trial alone
                members[job] = Member(job.task, job.config, writer)
        except disk.RunInUse:
            in_use.add(job.trial.number)
    try:
        train_all(list(members.values()), device, progress)
    except disk.RunInUse:  # since the run was looked at
        return {job.trial.number for job in jobs}
    for job, member in members.items():
        with _telling(job.trial):
            if member.error:
                raise FloatingPointError(member.error)
            _tell_value(job, Run.load(job.path), objective)
    return in_use


@contextmanager
def _telling(trial: optuna.Trial) -> Iterator[None]:
    """Tells the study that a trial is pruned or has failed."""
    import optuna

    try:
        yield
    except (FloatingPointError, optuna.TrialPruned) as error:
        trial.set_user_attr("reason", str(error))
        trial.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    except (OSError, disk.RunInUse):  # an error that may pass: the trial stays as it is
        raise
    except Exception as error:  # another worker would meet it again
        trial.set_user_attr("reason", str(error))
        trial.study.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise


def _tell_value(job: Job, run: Run, objective: Objective) -> None:
    if job.left_at is not None:
        job.trial.set_user_attr("resumed_at", job.left_at)
    value = float(objective(run))
    if math.isnan(value):
        raise ValueError(
            f"the objective of {job.path} is not a number; return infinity where a run is of no use"
        )
    job.trial.study.tell(job.trial, value)
