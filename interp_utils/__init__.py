"""Read the algorithms that small transformers learn off their weights.

Names load when they are first used, so that importing this package costs next to nothing.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interp_utils import ablation, exponents, losses, milestones, models, multitask, plots, presets, sweeps, tasks, trajectories
    from interp_utils.analysis import (
        attention,
        circuits,
        crt,
        fourier,
        heads,
        neurons,
        periods,
        progress,
        ranks,
        renaming,
        spectra,
        summaries,
        waves,
    )
    from interp_utils.cached_model import CachedModel
    from interp_utils.configs import ModelConfig, RunConfig, TrainConfig
    from interp_utils.runs import Run
    from interp_utils.training.ensemble import train_many
    from interp_utils.training.loop import train

# cuBLAS reads this once, at the process's first product, and without it deterministic training on a GPU is refused.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

_HOME = {
    "CachedModel": "cached_model",
    "ModelConfig": "configs",
    "Run": "runs",
    "RunConfig": "configs",
    "TrainConfig": "configs",
    "train": "training.loop",
    "train_many": "training.ensemble",
}
_MODULES = {
    "ablation": "ablation",
    "attention": "analysis.attention",
    "circuits": "analysis.circuits",
    "crt": "analysis.crt",
    "exponents": "exponents",
    "fourier": "analysis.fourier",
    "heads": "analysis.heads",
    "losses": "losses",
    "milestones": "milestones",
    "models": "models",
    "multitask": "multitask",
    "neurons": "analysis.neurons",
    "periods": "analysis.periods",
    "plots": "plots",
    "presets": "presets",
    "progress": "analysis.progress",
    "ranks": "analysis.ranks",
    "renaming": "analysis.renaming",
    "spectra": "analysis.spectra",
    "summaries": "analysis.summaries",
    "sweeps": "sweeps",
    "tasks": "tasks",
    "trajectories": "trajectories",
    "waves": "analysis.waves",
}

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = importlib.import_module(f"interp_utils.{_MODULES[name]}")
    elif name in _HOME:
        value = getattr(importlib.import_module(f"interp_utils.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'interp_utils' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
