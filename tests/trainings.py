"""Trainings in processes of their own, for tests that kill, starve and interrupt them. Nothing here
runs in pytest's process.
"""

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from interp_utils import ModelConfig, Run, TrainConfig, tasks, train
from interp_utils.training import stopwatch
from interp_utils.training.trainer import Trainer

SCHEDULE = {
    "steps": 60,
    "log_every": 10,
    "snapshot_every": 3,
}  # about half of the time goes into saves
CASES = {
    "grid": (
        tasks.modular_addition(7, 0.6),
        ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32),
        TrainConfig(**SCHEDULE),
    ),
    "sequence": (
        tasks.sorting(16, 5),
        ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=None),
        TrainConfig(**SCHEDULE, batch_size=16),
    ),
}


def outcome(case: str, out: Path, progress: bool = False) -> tuple[str, int | None, str]:
    """How a training ended: ("finished", None, "") or the error's type, errno and text."""
    task, model_config, train_config = CASES[case]
    stopwatch.now = lambda: 0.0  # as in pytest's process: runs are compared byte by byte
    try:
        train(task, model_config, train_config, out=out, progress=progress)
    except BaseException as error:
        return type(error).__name__, getattr(error, "errno", None), str(error)
    return "finished", None, ""


def training(
    report: Connection,
    case: str,
    out: Path,
    before_update: Callable | None = None,
    progress: bool = False,
) -> None:
    update = Trainer.update
    if before_update is not None:
        Trainer.update = lambda trainer: (before_update(trainer), update(trainer))
    report.send(outcome(case, out, progress))


def training_under_quota(report: Connection, case: str, out: Path) -> None:
    _set_quota()
    report.send(outcome(case, out))


def slow(trainer: Trainer) -> None:
    time.sleep(0.02)


def quota(trainer: Trainer, step: int) -> None:
    if trainer.step >= step:
        _set_quota()


def _set_quota() -> None:
    """From now on no file may be as large as a state: a write fails as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, resource.RLIM_INFINITY))


def on_a_small_disk(report: Connection, case: str, disk: Path, copy: Path) -> None:
    """Trains until a tmpfs is full, again, and to the end once it is larger. Only this process sees
    the mount.
    """
    try:
        if ctypes.CDLL(None).unshare(0x20000):  # CLONE_NEWNS
            raise PermissionError
        for command in (
            ["--make-rprivate", "/"],
            ["-t", "tmpfs", "-o", "size=200k", "tmpfs", disk],
        ):
            subprocess.run(["mount", *command], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError, AttributeError):
        report.send("mounting is not permitted")
        return
    seen = []
    for _ in range(2):
        seen.append((outcome(case, disk / "run"), Run.load(disk / "run").step))
        Run.load(disk / "run").verify()
    subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
    seen.append((outcome(case, disk / "run"), Run.load(disk / "run").step))
    shutil.copytree(disk / "run", copy)
    report.send(seen)


def without_privileges(report: Connection, case: str, finished: Path, unfinished: Path) -> None:
    """Permissions count for root too once it has no capabilities."""
    ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
    if os.access(finished, os.W_OK):
        report.send("permissions do not count here")
        return
    run = Run.load(finished)
    run.verify()
    run.model()
    report.send([outcome(case, folder) for folder in (finished, unfinished)])
