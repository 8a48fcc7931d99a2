"""Trainings by name: those of the notebooks, and the published ones. The one place that reads
INTERP_FAST.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.tasks import AnyTask


class Preset(NamedTuple):
    """What `train` takes: train(*preset, out=...)."""

    task: AnyTask
    model: ModelConfig
    train: TrainConfig


def quick() -> Preset:
    """Groks while you watch, in half a minute on two cores: p = 53, half of the pairs, three times
    the usual learning rate.

    With INTERP_FAST=1 in the environment (for CI) p = 37, which takes seconds.
    """
    p, config = (
        (37, TrainConfig(steps=1200, lr=4e-3, log_every=10))
        if _fast()
        else (53, TrainConfig(steps=2000, lr=3e-3, log_every=20))
    )
    return Preset(tasks.modular_addition(p, frac_train=0.5), ModelConfig(), config)


def runs_folder() -> Path:
    """Where notebooks put what they train: ../runs beside them, so that it is there next time;
    fresh with INTERP_FAST=1.
    """
    return Path(tempfile.mkdtemp()) if _fast() else Path("../runs")


def _fast() -> bool:
    return os.environ.get("INTERP_FAST") == "1"


def grokking_demo() -> Preset:
    """The run that ships: p = 113 with the split and hyper-parameters of TransformerLens's
    Grokking_Demo.

    Initial weights are of the demo's distribution, but drawn from a generator of our own.
    """
    task = tasks.modular_addition(p=113, frac_train=0.3, seed=598, split="grokking_demo")
    return Preset(
        task, ModelConfig(seed=999), TrainConfig(steps=25_000, warmup_steps=0, snapshot_every=250)
    )


def sorting(variant: str = "one head", seed: int = 0) -> Preset:
    """A transformer of one layer that sorts: 25 of 48 numbers, attention only, with one head and no
    positions, or a `SORTING` variant.
    """
    if variant not in SORTING:
        raise ValueError(f"variant must be one of {list(SORTING)}, got {variant!r}")
    changes = {**ONE_HEAD, **SORTING[variant]}
    of_task = {
        name: changes.pop(name) for name in ("n_values", "length", "repeats") if name in changes
    }
    size = changes.pop("batch_size", 128)
    config = TrainConfig(
        steps=20_000, batch_size=size, lr=1e-3, weight_decay=0.0, betas=(0.9, 0.999), warmup_steps=0
    )
    return Preset(tasks.sorting(**of_task, seed=seed), ModelConfig(**changes, seed=seed), config)


# The last is after McDougall's challenge, but with START, without LayerNorm, and at a constant
# learning rate without weight decay.
ONE_HEAD = {
    "n_values": 48,
    "length": 25,
    "d_model": 64,
    "d_head": 32,
    "n_heads": 1,
    "d_mlp": None,
    "positions": False,
}
TEN_OF_51 = {
    "n_values": 51,
    "length": 10,
    "repeats": True,
    "d_model": 96,
    "d_head": 48,
    "n_heads": 2,
    "positions": True,
    "batch_size": 512,
}
SORTING: dict[str, dict[str, Any]] = {
    "one head": {},
    "positions": {"positions": True},
    "two heads": {"n_heads": 2},
    "four heads": {"n_heads": 4},
    "MLP": {"d_mlp": 256},
    "repeats": {"repeats": True},
    "repeats, positions": {"repeats": True, "positions": True},
    "variable length": {"n_values": 199, "length": (1, 100), "d_model": 128},
    "ten of 51, two heads": TEN_OF_51,
}


def remainders(variant: str = "all", seed: int = 0, p: int = 53) -> Preset:
    """n mod q for all primes q below p, or a `REMAINDERS` variant: 15 heads for p = 53, learned on
    two cores, or 29 for p = 113.

    For p = 113 "all" has the paper's split and ends when it has memorised; "more data" learns most
    heads, an hour and a half on one core. Learning rate, weight decay and Grokfast's lambda are
    three to four times the paper's; "as published" has its own, its width and split.
    """
    if variant not in REMAINDERS:
        raise ValueError(f"variant must be one of {list(REMAINDERS)}, got {variant!r}")
    if p not in REMAINDERS_SIZES:
        raise ValueError(f"p must be one of {list(REMAINDERS_SIZES)}, got {p!r}")
    config = (
        {"snapshot_every": 1000, "dropout": 0.1, "grokfast": "ema", "grokfast_lambda": 2.0}
        | REMAINDERS_SIZES[p]
        | REMAINDERS[variant]
    )
    of_task = {
        name: config.pop(name) for name in ("frac_train", "labels", "masked") if name in config
    }
    d_model = config.pop("d_model")
    model = ModelConfig(d_model=d_model, d_head=d_model // 4, d_mlp=4 * d_model, seed=seed)
    return Preset(tasks.remainders(p, seed=seed, **of_task), model, TrainConfig(**config))


REMAINDERS_SIZES: dict[int, dict[str, Any]] = {
    37: {"frac_train": 0.8, "d_model": 128, "steps": 12_000},
    53: {"frac_train": 0.8, "d_model": 128, "steps": 12_000},
    113: {"frac_train": 0.3, "d_model": 256, "steps": 4000},
}
MORE_DATA = {"frac_train": 0.8, "steps": 5000, "snapshot_every": 500}
OTHER_LABELS: dict[str, dict[str, Any]] = {
    "permuted": {"labels": "permuted"},
    "masked": {"masked": (2, 3, 5, 7)},
}
REMAINDERS: dict[str, dict[str, Any]] = {
    "all": {},
    **OTHER_LABELS,
    "unfiltered": {"grokfast": "none"},
    "no dropout": {"dropout": 0.0},
    "more data": MORE_DATA,
    **{f"more data, {name}": MORE_DATA | labels for name, labels in OTHER_LABELS.items()},
    "as published": {
        "frac_train": 0.3,
        "d_model": 256,
        "steps": 20_000,
        "lr": 3e-4,
        "weight_decay": 1 / 3,
        "grokfast_lambda": 0.5,
    },
}
