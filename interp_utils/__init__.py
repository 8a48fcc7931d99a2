"""Read the algorithms that small transformers learn off their weights.

Names load when they are first used, so importing this package costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interp_utils import group_tables, losses, models, plots, sweeps, tasks
    from interp_utils.analysis import (
        algorithm,
        answers,
        attention,
        characters,
        circuits,
        cosets,
        fourier,
        group_neurons,
        group_progress,
        group_structure,
        irreps,
        isotypic,
        ladder,
        neurons,
        periods,
        progress,
        rank_tests,
        relabelling,
        residues,
        rho_sets,
        sinusoids,
        sparsity,
        spectra,
        subgroups,
        summaries,
    )
    from interp_utils.configs import ModelConfig, RunConfig, TrainConfig
    from interp_utils.experiments import presets
    from interp_utils.experiments.checks import Checks
    from interp_utils.experiments.powers import exponents
    from interp_utils.experiments.remainders import multitask
    from interp_utils.exploring.page import explorer
    from interp_utils.measures import (
        ablation,
        controls,
        group_circuits,
        group_readings,
        group_sides,
        milestones,
        trajectories,
    )
    from interp_utils.measures.report import report
    from interp_utils.models.cached import CachedModel
    from interp_utils.runs.run import Run
    from interp_utils.tasks import Task
    from interp_utils.training.ensemble import train_many
    from interp_utils.training.single import fork, train

_HOME = {
    "CachedModel": "models.cached",
    "Checks": "experiments.checks",
    "ModelConfig": "configs",
    "Run": "runs.run",
    "RunConfig": "configs",
    "Task": "tasks",
    "TrainConfig": "configs",
    "explorer": "exploring.page",
    "fork": "training.single",
    "report": "measures.report",
    "train": "training.single",
    "train_many": "training.ensemble",
}
_MODULES = {
    "ablation": "measures.ablation",
    "algorithm": "analysis.algorithm",
    "answers": "analysis.answers",
    "attention": "analysis.attention",
    "characters": "analysis.characters",
    "circuits": "analysis.circuits",
    "controls": "measures.controls",
    "cosets": "analysis.cosets",
    "exponents": "experiments.powers.exponents",
    "fourier": "analysis.fourier",
    "group_circuits": "measures.group_circuits",
    "group_neurons": "analysis.group_neurons",
    "group_progress": "analysis.group_progress",
    "group_readings": "measures.group_readings",
    "group_sides": "measures.group_sides",
    "group_structure": "analysis.group_structure",
    "group_tables": "group_tables",
    "irreps": "analysis.irreps",
    "isotypic": "analysis.isotypic",
    "ladder": "analysis.ladder",
    "losses": "losses",
    "milestones": "measures.milestones",
    "models": "models",
    "multitask": "experiments.remainders.multitask",
    "neurons": "analysis.neurons",
    "periods": "analysis.periods",
    "plots": "plots",
    "presets": "experiments.presets",
    "progress": "analysis.progress",
    "rank_tests": "analysis.rank_tests",
    "relabelling": "analysis.relabelling",
    "residues": "analysis.residues",
    "rho_sets": "analysis.rho_sets",
    "sinusoids": "analysis.sinusoids",
    "sparsity": "analysis.sparsity",
    "spectra": "analysis.spectra",
    "subgroups": "analysis.subgroups",
    "summaries": "analysis.summaries",
    "sweeps": "sweeps",
    "tasks": "tasks",
    "trajectories": "measures.trajectories",
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
