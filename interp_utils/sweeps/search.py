"""Sweeps: Optuna studies whose trials are runs in one folder, trained by any number of workers that
share it.

    <digest>/                    a run, named by all that it is made of: the same settings are the
                                 same run, in every study
    study.journal                the study, unless a database holds it
    folder.json                  identifies this folder to a database that several folders use
    .trials/<study>-<n>.lock     held by the worker that trains trial n

A worker holds the folder's lock while it chooses a trial, and the trial's lock until the run is
trained. The operating system frees a worker's locks when the worker ends, however it ends. A trial
that the study calls running and whose lock is free has lost its worker, and the next worker that
looks for a trial goes on with its run.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from tqdm.auto import tqdm

from interp_utils import devices
from interp_utils.devices import Device
from interp_utils.runs import storage as disk
from interp_utils.runs.run import Run
from interp_utils.sweeps.locks import require_locks
from interp_utils.sweeps.objectives import held_out_loss
from interp_utils.sweeps.studies import import_optuna, is_server, open_study
from interp_utils.sweeps.work import Job, Make, job_of, most_together, work_on

if TYPE_CHECKING:
    import optuna

TRIALS = ".trials"
POLL_SECONDS = 2.0
Trials = int | Sequence[Mapping[str, Any]]

__all__ = ["sweep"]


def sweep(
    make: Make,
    *,
    out: str | Path,
    trials: Trials,
    objective: Callable[[Run], float] | None = None,
    storage: str | Path | None = None,
    study: str = "sweep",
    about: Mapping[str, Any] | None = None,
    seed: int | None = None,
    at_once: int | None = 1,
    device: Device = None,
    progress: bool = True,
) -> optuna.Study:
    """Works on a study until all its trials are done. Call this function in as many processes as
    you like, and again after any of them has died.

    make:      a function from a trial to the task, the model's and the training's configuration,
               which asks for values by `trial.suggest_float` and the like (Optuna's define-by-run).
               It may raise optuna.TrialPruned for settings that make no sense together.
    out:       the folder of the runs, which all workers share.
    trials:    the number of trials of all workers together, whose parameters Optuna's TPE chooses;
               or the parameters of each trial, e.g. a grid.
    objective: the number of a finished run that is minimised; default `held_out_loss`.
    storage:   a database's URL, or the path of a journal file, whose workers must be on one machine
               (default: a journal in `out`).
    about:     what all trials have in common (JSON-able), kept with the study: a worker whose
               `about` differs is refused.
    seed:      TPE's seed. What TPE suggests for a trial depends on the seed, on the trial's number
               and on the results so far.
    at_once:   the most trials that a worker takes at a time. Trials that can be computed together
               are trained by `train_many`, others one after the other. None takes as many as fit
               into memory (`train_many`'s chunk). TPE suggests the parameters of trials that are
               taken together without knowing any of their results.

    A training that diverges makes its trial a pruned one. User attributes of a trial: "run", the
    run's folder in `out`; "reason", why the trial was pruned or has failed; "resumed_at", the step
    from which another worker went on with the run. Ctrl-C, a kill or a full disk leaves the trials
    in hand to the next worker.
    Raises ValueError where the study has another folder or another `about`, OSError where the
    folder's file system has no locks that all workers see. Any other error of `make`, `train` or
    `objective` is raised, too: its trial has failed, and a later call makes another in its place.
    """
    import_optuna()
    if at_once is not None and (type(at_once) is not int or at_once < 1):
        raise ValueError(f"at_once must be an integer of at least 1, or None, got {at_once!r}")
    folder, device = Path(out), devices.resolve(device)
    folder.mkdir(parents=True, exist_ok=True)
    require_locks(folder, shared=is_server(storage))
    with disk.exclusive(folder, wait=True):
        opened = open_study(folder, storage, study, about)
        if not isinstance(trials, int):
            for params in _new(opened, trials):
                opened.enqueue_trial(params)
    # Trials whose run is being trained for another trial of the same settings.
    in_use: set[int] = set()
    with tqdm(desc=study, unit="trial", disable=not progress) as bar:
        while True:
            jobs: list[Job] = []
            with ExitStack() as locks:
                most = at_once
                while most is None or len(jobs) < most:
                    lock = locks.enter_context(ExitStack())
                    trial = _next_trial(opened, folder, trials, seed, in_use, lock)
                    if trial is None:
                        break
                    job = job_of(trial, make, folder)
                    if job is None:  # `make` has pruned the trial
                        continue
                    jobs.append(job)
                    if len(jobs) == 1 and most != 1:
                        most = min(most_together(job, device), most or math.inf)
                counts = _counts(opened)
                given = isinstance(trials, int)
                bar.total = trials if given else counts.total() - counts["failed"]
                bar.n = counts["done"]
                bar.refresh()
                in_use |= work_on(jobs, objective or held_out_loss, device, progress)
            if not jobs:
                if not counts["running"]:
                    return opened
                in_use.clear()
                time.sleep(POLL_SECONDS)  # another worker may die, and leave its trial to this one


def _next_trial(
    study: optuna.Study,
    folder: Path,
    trials: Trials,
    seed: int | None,
    in_use: set[int],
    lock: ExitStack,
) -> optuna.Trial | None:
    """A trial that has lost its worker, or a new one, whose lock `lock` then holds. None where
    there is no trial to take for now.
    """
    import optuna

    with disk.exclusive(folder, wait=True):
        for number, trial_id in _running(study).items():
            if number in in_use or not _locked(folder, study, number, lock):
                continue
            if number in _running(study):
                return optuna.trial.Trial(study, trial_id)
            lock.close()  # the trial's worker has just finished it
        counts = _counts(study)
        if isinstance(trials, int):
            enough = counts["done"] + counts["running"] >= trials
        else:
            enough = not counts["waiting"]
        if enough:
            return None
        study.sampler = optuna.samplers.TPESampler(seed=_own_seed(seed, counts.total()))
        trial = study.ask()
        _locked(folder, study, trial.number, lock)
        return trial


def _own_seed(seed: int | None, trial: int) -> int | None:
    """The seed for one trial: with one for all, workers would make the same suggestions."""
    if seed is None:
        return None
    return int(np.random.SeedSequence([seed, trial]).generate_state(1)[0])


def _locked(folder: Path, study: optuna.Study, number: int, lock: ExitStack) -> bool:
    try:
        lock.enter_context(
            disk.exclusive(folder / TRIALS, f"{quote(study.study_name, safe='')}-{number}.lock")
        )
    except disk.RunInUse:
        return False
    return True


def _new(study: optuna.Study, wanted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those of the wanted parameters that only failed trials have, or none; each once."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name != "FAIL"]
    there = [trial.system_attrs.get("fixed_params", trial.params) for trial in trials]
    distinct = [dict(params) for i, params in enumerate(wanted) if params not in wanted[:i]]
    return [params for params in distinct if params not in there]


def _running(study: optuna.Study) -> dict[int, int]:
    """The trials that workers are training or have left: number -> Optuna's id."""
    return {
        trial.number: trial._trial_id
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name == "RUNNING"
    }


def _counts(study: optuna.Study) -> Counter[str]:
    names = {
        "COMPLETE": "done",
        "PRUNED": "done",
        "RUNNING": "running",
        "WAITING": "waiting",
        "FAIL": "failed",
    }
    return Counter(names[trial.state.name] for trial in study.get_trials(deepcopy=False))
