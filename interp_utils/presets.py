"""Trainings by name: those of the notebooks, and the published ones. The one place that reads INTERP_FAST."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.tasks import Task


class Preset(NamedTuple):
    """What `train` takes: train(*preset, out=...)."""

    task: Task
    model: ModelConfig
    train: TrainConfig


def quick() -> Preset:
    """Groks while you watch, in half a minute on two cores: p = 53, half of the pairs, three times the usual learning rate.

    With INTERP_FAST=1 in the environment (for CI) p = 37, which takes seconds.
    """
    p, config = (37, TrainConfig(steps=1200, lr=4e-3, log_every=10)) if _fast() else (53, TrainConfig(steps=2000, lr=3e-3, log_every=20))
    return Preset(tasks.modular_addition(p, frac_train=0.5), ModelConfig(), config)


def runs_folder() -> Path:
    """Where notebooks put what they train: ../runs beside them, so that it is there next time; fresh with INTERP_FAST=1."""
    return Path(tempfile.mkdtemp()) if _fast() else Path("../runs")


def _fast() -> bool:
    return os.environ.get("INTERP_FAST") == "1"


def grokking_demo() -> Preset:
    """The run that ships: p = 113 with the split and hyper-parameters of TransformerLens's Grokking_Demo.

    Initial weights are of the demo's distribution, but drawn from a generator of our own.
    """
    task = tasks.modular_addition(p=113, frac_train=0.3, seed=598, split="grokking_demo")
    return Preset(task, ModelConfig(seed=999), TrainConfig(steps=25_000, warmup_steps=0, snapshot_every=250))
