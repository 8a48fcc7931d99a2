"""Workers on one sweep, in processes of their own. Nothing here but `make` runs in pytest's
process.
"""

import dataclasses
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import optuna

from interp_utils import ModelConfig, TrainConfig, sweeps, tasks
from interp_utils.sweeps import search
from interp_utils.training import loop
from interp_utils.training.stacked import StackedTrainer
from interp_utils.training.trainer import Trainer

N_WORKERS, TRIALS, STEPS = 3, 7, 60
TASK, MODEL = tasks.modular_addition(7, 0.6), ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)


def make(trial: optuna.Trial):
    """Learning rates tell the trainings apart."""
    model = dataclasses.replace(MODEL, seed=trial.suggest_int("model_seed", 0, 9))
    return (
        TASK,
        model,
        TrainConfig(
            steps=STEPS,
            log_every=10,
            snapshot_every=5,
            lr=trial.suggest_float("lr", 1e-4, 1e-2, log=True),
        ),
    )


def worker(report: Connection, out: Path, storage: str | None, log: Path, pause: float) -> None:
    """Writes down every update that it makes. The first waits until all workers have something to
    do.
    """
    search.POLL_SECONDS, os.fsync = 0.05, lambda handle: None
    update, mine = Trainer.update, log / str(os.getpid())

    def logged(trainer: Trainer) -> None:
        with mine.open("a") as lines:
            lines.write(f"{trainer.config.lr} {trainer.step}\n")
        while len(list(log.iterdir())) < N_WORKERS:
            time.sleep(0.01)
        time.sleep(pause)
        update(trainer)

    Trainer.update = logged
    sweeps.sweep(make, out=out, trials=TRIALS, storage=storage, seed=0, progress=False)
    report.send("finished")


def killed_at_a_study(report: Connection, out: Path, when: str) -> None:
    """Works on a study of tests/test_studies.py until it is killed: in the middle of a training,
    when it has stopped, when it is measured, or when its row is written.
    """
    from interp_utils.experiments import studies
    from tests.test_studies import SMALL_STUDY

    def kill(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if when == "training":
        update = Trainer.update
        loop.SAVE_EVERY_SECONDS = 0.0
        Trainer.update = lambda self: kill() if self.step == 33 else update(self)
    elif when == "row written":
        studies.shutil.rmtree = kill
    elif when == "measured":
        studies.Study._add = kill
    else:
        object.__setattr__(SMALL_STUDY, "look", kill)
    SMALL_STUDY.work(out / "docs", out / "runs", only=["grokking"], progress=False)


def worker_at_once(report: Connection, out: Path, log: Path, at_once: int) -> None:
    """Writes down the step of every update of its first trials, which it makes slowly."""
    update, os.fsync = StackedTrainer.update, lambda handle: None

    def logged(trainer: StackedTrainer) -> None:
        with log.open("a") as lines:
            lines.write(f"{trainer.step}\n")
        time.sleep(0.02)
        update(trainer)

    StackedTrainer.update = logged
    sweeps.sweep(make, out=out, trials=TRIALS, seed=0, at_once=at_once, progress=False)
    report.send("finished")
