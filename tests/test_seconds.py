"""The seconds of a training: those of its updates, on a clock that other work moves on, too."""

import os
import signal

import pytest

from interp_utils import TrainConfig, fork, train, train_many
from interp_utils.runs.writer import RunWriter
from interp_utils.training import stopwatch
from interp_utils.training.stacked import StackedTrainer
from interp_utils.training.stopwatch import Stopwatch
from interp_utils.training.trainer import Trainer
from tests.small import SMALL_MODEL

SCHEDULE = TrainConfig(steps=40, log_every=10, snapshot_every=20)
UPDATE, ROW, SAVE = 1.0, 100.0, 10_000.0


@pytest.fixture
def clock(monkeypatch):
    """An update takes a second; rows of metrics, saves and a callback much longer."""
    times = {"now": 0.0}

    def takes(seconds, function):
        def slow(*arguments, **options):
            times["now"] += seconds
            return function(*arguments, **options)

        return slow

    for trainer in (Trainer, StackedTrainer):
        monkeypatch.setattr(trainer, "update", takes(UPDATE, trainer.update))
        monkeypatch.setattr(trainer, "measure", takes(ROW, trainer.measure))
    monkeypatch.setattr(RunWriter, "save", takes(SAVE, RunWriter.save))
    monkeypatch.setattr(stopwatch, "now", lambda: times["now"])
    return times


def assert_a_second_a_step(run, since=0, share=1.0):
    metrics = run.metrics
    assert metrics["seconds"].tolist() == [share * (step - since) for step in metrics["step"]]


def test_seconds_are_those_of_the_updates(clock, small_task, tmp_path):
    def slow_callback(row):
        clock["now"] += ROW
        assert row["seconds"] == row["step"]

    run = train(
        small_task, SMALL_MODEL, SCHEDULE, out=tmp_path, callback=slow_callback, progress=False
    )
    assert_a_second_a_step(run)
    assert clock["now"] > SCHEDULE.steps * UPDATE + SAVE, "the clock went on beside the updates"


@pytest.mark.parametrize("stop", [17, 20])
def test_they_go_on_where_a_training_was_stopped(clock, small_task, tmp_path, monkeypatch, stop):
    """Also between two rows: what was not logged yet is saved."""
    update = Trainer.update

    def interrupted(trainer):
        update(trainer)
        if trainer.step == stop:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "update", interrupted)
        train(small_task, SMALL_MODEL, SCHEDULE, out=tmp_path, progress=False)
    clock["now"] += 1e6
    run = train(small_task, SMALL_MODEL, SCHEDULE, out=tmp_path, progress=False)
    assert_a_second_a_step(run)
    longer = TrainConfig(steps=50, log_every=10, snapshot_every=20)
    assert_a_second_a_step(train(small_task, SMALL_MODEL, longer, out=tmp_path, progress=False))


def test_members_share_them(clock, small_task, tmp_path):
    runs = train_many(
        small_task, SMALL_MODEL, SCHEDULE, seeds=range(4), out=tmp_path, progress=False
    )
    for run in runs:
        assert_a_second_a_step(run, share=0.25)


def test_a_forks_begin_with_it(clock, small_task, tmp_path):
    source = train(small_task, SMALL_MODEL, SCHEDULE, out=tmp_path / "source", progress=False)
    for step in (20, 40):  # a snapshot, and the last save with its state
        forked = fork(source, step, out=tmp_path / f"fork {step}", steps=60, progress=False)
        assert_a_second_a_step(forked, since=step)


def test_a_watch_that_was_not_started_shows_nothing(monkeypatch):
    times = iter([5.0, 7.0, 100.0, 103.0])
    monkeypatch.setattr(stopwatch, "now", lambda: next(times))
    watch = Stopwatch()
    assert watch.read() == 0
    for expected in (2.0, 3.0):
        watch.start()
        watch.start()  # it runs already
        assert watch.read() == expected
        assert watch.read() == 0
