"""Workers that take several trials at once: which are computed together, and what becomes of the
others when one diverges, is in use, or the worker dies.
"""

import dataclasses
import os
import signal
import sys
import time
from collections import Counter

import optuna
import pytest

from interp_utils import Run, sweeps
from interp_utils.runs.storage import DamagedFile, exclusive
from interp_utils.sweeps import search, work
from interp_utils.training.stacked import StackedTrainer
from interp_utils.training.trainer import Trainer
from tests import workers
from tests.processes import process
from tests.small import SMALL_MODEL
from tests.test_sweeps import (
    COMPLETE,
    FAIL,
    PRUNED,
    QUICK,
    RUNNING,
    TASK,
    grid,
    make,
    quiet_and_impatient,  # noqa: F401
    states,
    sweep,
    with_any_lr,
)

WAITING = optuna.trial.TrialState.WAITING


@pytest.fixture
def sizes(monkeypatch) -> Counter:
    """How many members the updates were of."""
    made = Counter()
    for trainer in (Trainer, StackedTrainer):

        def counted(own, update=trainer.update):
            made[len(own.weights) if isinstance(own, StackedTrainer) else 1] += 1
            update(own)

        monkeypatch.setattr(trainer, "update", counted)
    return made


def with_everything(trial):
    """Those of one momentum can be computed together; Grokfast's moving average cannot."""
    task, model, training = make(trial)
    grokfast = trial.suggest_categorical("grokfast", ["none", "ma"])
    momentum = trial.suggest_categorical("momentum", [0.5, 0.6])
    return task, model, dataclasses.replace(training, grokfast=grokfast, momentum=momentum)


def assert_same(study, expected, out, other):
    """The same trials with the same values, but for rounding, and whole runs."""
    assert states(study) == states(expected)
    assert [trial.params for trial in study.trials] == [trial.params for trial in expected.trials]
    for trial, own in zip(study.trials, expected.trials, strict=True):
        assert trial.value == pytest.approx(own.value, rel=1e-4)
        assert trial.user_attrs["run"] == own.user_attrs["run"]
        run, alone = (Run.load(folder / trial.user_attrs["run"]) for folder in (out, other))
        run.verify()
        assert run.finished and run.steps == alone.steps


@pytest.mark.parametrize(
    ("at_once", "expected"),
    [
        # of each momentum 3, by groups of four trials: 2 and 2, 1 and 1
        (4, {2: 2 * QUICK.steps, 1: 2 * QUICK.steps}),
        (6, {3: 2 * QUICK.steps}),
        (None, {3: 2 * QUICK.steps}),
        (1, {1: 6 * QUICK.steps}),
    ],
)
def test_those_that_go_together_are_computed_together(tmp_path, sizes, at_once, expected):
    trials = [
        {"lr": lr, "seed": 0, "grokfast": "none", "momentum": momentum}
        for lr in (0.1, 0.2, 0.3)
        for momentum in (0.5, 0.6)
    ]
    alone = sweep(tmp_path / "alone", trials, make=with_everything)
    sizes.clear()
    study = sweep(tmp_path / "together", trials, make=with_everything, at_once=at_once)
    assert sizes == expected
    assert_same(study, alone, tmp_path / "together", tmp_path / "alone")


def test_a_batch_is_no_larger_than_fits(tmp_path, sizes, monkeypatch):
    monkeypatch.setattr(work, "most_at_once", lambda *_: 2)
    assert states(sweep(tmp_path, grid(0.1, 0.2, 0.3, 0.4, 0.5), at_once=4)) == [COMPLETE] * 5
    assert sizes == {2: 2 * QUICK.steps, 1: QUICK.steps}


def test_what_cannot_be_together_is_trained_alone(tmp_path, sizes):
    trials = [
        {"lr": lr, "seed": 0, "grokfast": grokfast, "momentum": 0.5}
        for lr in (0.1, 0.2)
        for grokfast in ("none", "ma")
    ]
    assert states(sweep(tmp_path, trials, make=with_everything, at_once=4)) == [COMPLETE] * 4
    assert sizes == {2: QUICK.steps, 1: 2 * QUICK.steps}


def test_the_same_settings_twice_in_a_batch(tmp_path, sizes):
    def any_seed(trial):
        trial.suggest_int("name", 0, 9)
        return make(trial)

    trials = [{**own, "name": name} for own in grid(0.1, 0.2) for name in (0, 1)]
    study = sweep(tmp_path, trials, make=any_seed, at_once=4)
    assert states(study) == [COMPLETE] * 4 and sizes == {2: QUICK.steps}
    values = [trial.value for trial in study.trials]
    assert values[0] == values[1] != values[2] == values[3]


def test_one_diverges(tmp_path):
    trials = [*grid(0.1), {"lr": 1e30, "seed": 0}, *grid(0.2)]
    study = sweep(tmp_path, trials, make=with_any_lr, at_once=3)
    assert states(study) == [COMPLETE, PRUNED, COMPLETE]
    assert "is not finite at step" in study.trials[1].user_attrs["reason"]
    assert len(sweep(tmp_path, 3, make=with_any_lr, at_once=3).trials) == 3  # it counts


def test_settings_that_make_no_sense_among_others(tmp_path, sizes):
    def picky(trial):
        if trial.suggest_categorical("seed", [0, 1, 2]) == 1:
            raise optuna.TrialPruned("no seed 1")
        return make(trial)

    trials = [{"lr": 0.1, "seed": seed} for seed in (0, 1, 2)]
    study = sweep(tmp_path, trials, make=picky, at_once=2)
    assert states(study) == [COMPLETE, PRUNED, COMPLETE]
    assert sizes == {2: QUICK.steps}, "another takes its place in the batch"


def test_what_make_raises_fails_its_trial_alone(tmp_path):
    def wrong(trial):
        task, model, training = make(trial)
        if training.lr == 0.2:
            raise LookupError("mine")
        return task, model, training

    trials = grid(0.1, 0.2, 0.3)
    with pytest.raises(LookupError, match="mine"):
        sweep(tmp_path, trials, make=wrong, at_once=3)
    assert states(sweeps.load(tmp_path)) == [RUNNING, FAIL, WAITING]
    study = sweep(tmp_path, trials, at_once=3)
    assert states(study) == [COMPLETE, FAIL, COMPLETE, COMPLETE]


def test_an_objective_or_a_damaged_run_fails_its_trial_alone(tmp_path):
    def picky(run):
        if run.config.train.lr == 0.2:
            raise LookupError("mine")
        return sweeps.held_out_loss(run)

    with pytest.raises(LookupError, match="mine"):
        sweep(tmp_path, grid(0.1, 0.2, 0.3), objective=picky, at_once=3)
    study = sweep(tmp_path, grid(0.1, 0.3), objective=picky, at_once=3)
    assert states(study) == [COMPLETE, FAIL, COMPLETE]
    (tmp_path / study.trials[0].user_attrs["run"] / "task.safetensors").unlink()
    with pytest.raises(DamagedFile, match="task.safetensors"):
        sweep(tmp_path, grid(0.1, 0.2), study="other", at_once=2)
    assert states(sweeps.load(tmp_path, study="other")) == [FAIL, RUNNING]


def test_a_run_in_use_is_left_to_its_worker(tmp_path, monkeypatch, sizes):
    """The others of the batch do not wait for it."""
    held = exclusive(
        tmp_path / sweeps.run_name(TASK, SMALL_MODEL, dataclasses.replace(QUICK, lr=0.2))
    )
    seen = []

    def gone(seconds):
        seen.append(states(sweeps.load(tmp_path)))
        held.__exit__(None, None, None)

    monkeypatch.setattr(search.time, "sleep", gone)
    held.__enter__()
    study = sweep(tmp_path, grid(0.1, 0.2, 0.3), at_once=3)
    assert states(study) == [COMPLETE] * 3 and seen == [[COMPLETE, RUNNING, COMPLETE]]
    assert sizes == {2: QUICK.steps, 1: QUICK.steps}


def test_a_run_taken_since_it_was_looked_at(tmp_path, monkeypatch):
    train_all, taken = work.train_all, []

    def too_late(*arguments):
        if not taken:
            taken.append(1)
            raise work.disk.RunInUse("another process has trained it")
        train_all(*arguments)

    monkeypatch.setattr(work, "train_all", too_late)
    assert states(sweep(tmp_path, grid(0.1, 0.2), at_once=2)) == [COMPLETE] * 2


def test_ctrl_c_leaves_all_of_them_to_the_next_call(tmp_path, monkeypatch):
    update, interrupted = StackedTrainer.update, []

    def once(trainer):
        if trainer.step == 2 and not interrupted:
            interrupted.append(trainer)
            os.kill(os.getpid(), signal.SIGINT)
        update(trainer)

    monkeypatch.setattr(StackedTrainer, "update", once)
    trials = grid(0.1, 0.2, 0.3)
    with pytest.raises(KeyboardInterrupt, match="stopped at step 3"):
        sweep(tmp_path, trials, at_once=3)
    assert states(sweeps.load(tmp_path)) == [RUNNING] * 3
    study = sweep(tmp_path, trials, at_once=2)  # or with fewer at once
    assert states(study) == [COMPLETE] * 3
    assert [trial.user_attrs.get("resumed_at") for trial in study.trials] == [3, 3, 3]


@pytest.mark.skipif(sys.platform != "linux", reason="signals are Linux's")
def test_a_worker_is_killed(tmp_path):
    """All trials that it held are finished by another from their last save, none twice."""
    log = tmp_path / "log"
    with process(workers.worker_at_once, tmp_path / "sweep", log, 4) as (victim, _):
        while not (log.exists() and len(log.read_text().splitlines()) > 20):
            time.sleep(0.01)
        victim.kill()
        victim.join()
    left = sweeps.load(tmp_path / "sweep")
    assert states(left) == [RUNNING] * 4
    last = int(log.read_text().splitlines()[-1])
    settings = {"make": workers.make, "out": tmp_path / "sweep", "trials": workers.TRIALS}
    study = sweeps.sweep(**settings, at_once=4, seed=0, progress=False)
    assert states(study) == [COMPLETE] * workers.TRIALS
    resumed = [trial.user_attrs.get("resumed_at") for trial in study.trials]
    assert resumed[4:] == [None] * (workers.TRIALS - 4)
    assert len(set(resumed[:4])) == 1 and 0 < resumed[0] <= last < workers.STEPS
    alone = sweeps.sweep(**{**settings, "out": tmp_path / "alone"}, seed=0, progress=False)
    assert_same(study, alone, tmp_path / "sweep", tmp_path / "alone")


@pytest.mark.parametrize("at_once", [0, -1, 2.0, True, "fit"])
def test_how_many_must_be_a_number(tmp_path, at_once, as_a_user):
    with pytest.raises(ValueError, match="at_once must be an integer of at least 1, or None, got"):
        sweep(tmp_path / "new", at_once=at_once)
    assert not (tmp_path / "new").exists()


def test_tpe_counts_the_trials_in_hand(tmp_path):
    study = sweep(tmp_path, 7, at_once=3)
    assert states(study) == [COMPLETE] * 7
    assert len({trial.params["lr"] for trial in study.trials}) == 7
