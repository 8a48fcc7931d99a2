"""`measure`, `ship`, `study` and `claims`, for all experiments; none is named here."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interp_utils import experiments
from interp_utils.cli import complain, constructors, options, spelling, text
from interp_utils.experiments import general, shipping
from interp_utils.runs.run import Run
from interp_utils.runs.storage import write_atomic
from interp_utils.tasks import Task

UNKNOWN = (
    "Nobody said which inputs were for training, so these numbers are of all inputs. In Python, "
    "report(run) and trajectories.measure(run) find what else can be measured."
)


def measure(arguments: argparse.Namespace) -> int:
    path, out = arguments.path, arguments.out
    if out and out.exists() and not arguments.force:
        raise ValueError(f"{out} already exists; choose another file, or replace it with --force")
    measured, device = load(path), options.device(arguments)
    finite = isinstance(measured.task, Task)
    known = not finite or measured.task.split_known
    if finite and known and not measured.task.test_mask.any():
        missing = (
            f"{path} has no test pairs, and test accuracy and the phases need them: all pairs are "
            "for training. Train with --frac-train "
            "below 1, or compute the other measures in Python: trajectories.measure(run)"
        )
        return complain(ValueError(missing), 1)
    experiment = experiments.of(measured) if known else None
    own = general if experiment is None else experiment
    row = own.row(measured, device)
    about, last = spell_task(measured.manifest["task"]), measured.steps[-1]
    print(f"{path}: {about}, weights of step {last} of {measured.config.train.steps}\n")
    print(text.pairs({name: text.spell(row[name]) for name in row}))
    remark = UNKNOWN if not known else experiment and experiment.remark(measured)
    if remark:
        print(f"\n{remark}")
    if out:
        table = own.history(measured, device=device, progress=not arguments.quiet)
        write_atomic(out, table.to_csv(index=False).encode())
        print(f"\n{len(table)} rows, of {len(measured.steps)} snapshots, are in {out}")
    return 0


def ship(arguments: argparse.Namespace) -> int:
    """Ships recipes; without a name, lists the recipes."""
    if not arguments.names:
        rows = [
            {"recipe": name, "of": experiment.title, "steps": recipe.train.steps}
            for experiment in experiments.every().values()
            for name, recipe in experiment.recipes.items()
        ]
        print(text.table(rows, ["recipe", "of", "steps"]))
        return 0
    unknown = sorted(set(arguments.names) - experiments.recipes().keys())
    if unknown:
        raise ValueError(
            f"there is no recipe {', '.join(unknown)}; `interp-utils ship` lists those there are"
        )
    for name in arguments.names:
        shipping.ship(name, arguments.runs, arguments.checkpoints, progress=not arguments.quiet)
        print(f"{name} is trained")
    return 0


def study(arguments: argparse.Namespace) -> int:
    """Trains the missing rows of a study; without a name, lists the studies."""
    known, docs = experiments.every_study(), arguments.docs
    if not arguments.name:
        rows = [
            {"study": name, "trainings": len(one.trainings), "rows": len(one.stored(docs))}
            for name, one in known.items()
        ]
        print(text.table(rows, ["study", "trainings", "rows"]))
        return 0
    if arguments.name not in known:
        raise ValueError(
            f"there is no study {arguments.name}; `interp-utils study` lists those there are"
        )
    known[arguments.name].work(
        docs,
        arguments.runs,
        only=arguments.only or ("*",),
        minutes=arguments.minutes,
        progress=not arguments.quiet,
    )
    return 0


def claims(arguments: argparse.Namespace) -> int:
    docs = arguments.docs
    numbers = shipping.measure(arguments.checkpoints, docs, progress=not arguments.quiet)
    if not arguments.check:
        shipping.write(numbers, docs)
        print(f"{docs / shipping.PAGE} and {docs / shipping.NUMBERS} are written")
        return 0
    differing = shipping.stale(docs) + shipping.differences(shipping.stored(docs), numbers)
    if differing:
        return complain(ValueError("\n".join([*differing, "run: interp-utils claims"])), 1)
    print(f"{docs / shipping.PAGE} says what the runs say")
    return 0


def load(path: Path) -> Run:
    try:
        return Run.load(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}; `interp-utils list FOLDER` shows the runs below a folder"
        ) from None


def spell_task(about: Mapping[str, Any]) -> str:
    """A task's name and the arguments that are not the default."""
    made = constructors.constructors().get(about["name"])
    defaults = (
        {name: p.default for name, p in inspect.signature(made).parameters.items()} if made else {}
    )
    changed = [
        f"{name}={spelling.spell(value)}"
        for name, value in about["params"].items()
        if defaults.get(name, ...) != value
    ]
    return " ".join([about["name"], *changed])
