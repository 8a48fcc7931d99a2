"""What was published about a task, and what holds. A folder with an EXPERIMENT is an experiment.

Nothing else names an experiment: training what ships, measuring a run, docs/claims.md and the tests
of shipped runs go over `every()`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interp_utils.experiments.base import Experiment, Recipe
    from interp_utils.experiments.studies import Study
    from interp_utils.runs.run import Run


def every() -> dict[str, Experiment]:
    """All experiments by name, in the order of their names."""
    folders = (module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    packages = [importlib.import_module(f"{__name__}.{name}") for name in sorted(folders)]
    found = [package.EXPERIMENT for package in packages if hasattr(package, "EXPERIMENT")]
    return {experiment.name: experiment for experiment in found}


def of(run: Run) -> Experiment | None:
    """The experiment to which a run belongs, or None."""
    fitting = [experiment for experiment in every().values() if experiment.is_about(run)]
    if len(fitting) > 1:
        names = ", ".join(experiment.name for experiment in fitting)
        raise ValueError(
            f"a run belongs to one experiment, but several claim {run.path}: {names}; make their "
            "is_about tell tasks apart"
        )
    return fitting[0] if fitting else None


def recipes() -> dict[str, Recipe]:
    """Every recipe of every experiment by its name. Raises ValueError where two share one."""
    found: dict[str, Recipe] = {}
    for experiment in every().values():
        twice = sorted(found.keys() & experiment.recipes.keys())
        if twice:
            raise ValueError(
                f"a recipe's name is the folder of its run, and these stand in two experiments: "
                f"{', '.join(twice)}"
            )
        found |= experiment.recipes
    return found


def every_study() -> dict[str, Study]:
    """Every study of every experiment by its name. Raises ValueError where two share one."""
    found: dict[str, Study] = {}
    owners: dict[str, str] = {}
    for experiment in every().values():
        for study in experiment.studies:
            if study.name in found:
                raise ValueError(
                    f"a study's name is its folder, and two studies have the name {study.name!r}, "
                    f"one of {owners[study.name]} and one of {experiment.name}: rename one"
                )
            found[study.name], owners[study.name] = study, experiment.name
    return found
