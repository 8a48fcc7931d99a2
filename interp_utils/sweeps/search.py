"""Sweeps: Optuna studies whose trials are runs in one folder, trained by any number of workers that
share it.

    <digest>/                    a run, named by all that it is made of: the same settings are the
                                 same run, in every study
    study.journal                the study, unless a database holds it
    folder.json                  tells this folder from others, whose workers may have the same
                                 database
    .trials/<study>-<n>.lock     held by the worker that trains trial n

A worker that looks for something to do holds the folder's lock meanwhile, and leaves with the locks
of the trials that it takes. The operating system frees them when the worker ends, however it ends.
A trial that the study calls running and whose lock is free has lost its worker, and the next worker
to come by goes on with its run.
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
    """Works on a study until all its trials are done. Call it in as many processes as you like, and
    again after any of them died.

    make:      a trial to what `train` takes, by `trial.suggest_float` and the like (Optuna's
               define-by-run). It may raise optuna.TrialPruned for settings that make no sense
               together.
    out:       the folder of the runs, which all workers share.
    trials:    how many in all, over all workers, chosen by Optuna's TPE; or the very parameters of
               each, e.g. a grid.
    objective: what to minimise, a number of a finished run; default `held_out_loss`.
    storage:   a database's URL, or a journal file, which is for one machine (default: in `out`).
    about:     what all trials have in common (JSON-able), kept with the study: a worker that says
               otherwise is refused.
    seed:      of TPE. What it suggests for a trial depends on this, the trial's number and the
               results so far.
    at_once:   how many trials a worker takes at most, and trains by `train_many` where they can be
               computed together, one after the other where not; None: as many as fit into memory
               (`train_many`'s chunk). TPE suggests them without each other's results.

    A training that diverges is a pruned trial. User attributes of a trial: "run", its folder in
    `out`; "reason", why it was pruned or failed; "resumed_at", the step from which another worker
    went on with it. Ctrl-C, a kill or a full disk leaves the trials in hand to whoever comes next.
    Raises ValueError where the study is another one, OSError where the folder's file system has no
    locks that all workers see. What else `make`, `train` or `objective` raise
    is raised, too: that trial has failed, and another is made in its place.
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
                    if job is None:  # its settings make no sense
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
                time.sleep(POLL_SECONDS)  # the other workers may die


def _next_trial(
    study: optuna.Study,
    folder: Path,
    trials: Trials,
    seed: int | None,
    in_use: set[int],
    lock: ExitStack,
) -> optuna.Trial | None:
    """A trial that has lost its worker, or a new one; `lock` then holds its lock. None where there
    is nothing to do for now.
    """
    import optuna

    with disk.exclusive(folder, wait=True):
        for number, trial_id in _running(study).items():
            if number in in_use or not _locked(folder, study, number, lock):
                continue
            if number in _running(study):
                return optuna.trial.Trial(study, trial_id)
            lock.close()  # its worker has just finished it
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
    """With one seed for all trials, workers would make the same suggestions."""
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
    """The parameters that no trial has or had, failed trials aside; each once."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name != "FAIL"]
    there = [trial.system_attrs.get("fixed_params", trial.params) for trial in trials]
    distinct = [dict(params) for i, params in enumerate(wanted) if params not in wanted[:i]]
    return [params for params in distinct if params not in there]


def _running(study: optuna.Study) -> dict[int, int]:
    """The trials in progress, or left by their workers: number -> Optuna's id."""
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
