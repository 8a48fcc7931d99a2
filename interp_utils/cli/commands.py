"""What each command does and prints. A command takes the parsed arguments and returns an exit "
"code."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from tqdm.auto import tqdm

from interp_utils.analysis import answers, circuits, progress
from interp_utils.cli import complain, options, sweeping, text, verification
from interp_utils.configs import RunConfig
from interp_utils.measures import trajectories
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import MANIFEST, TASK, Run
from interp_utils.runs.storage import DamagedFile, RunInUse, write_atomic
from interp_utils.tasks import AnyTask, StreamTask, Task
from interp_utils.training import loop

if TYPE_CHECKING:
    import pandas as pd

CODES = {  # the first that fits
    DamagedFile: 1,
    RunInUse: 3,
    FloatingPointError: 1,
    ModuleNotFoundError: 1,
    ValueError: 2,
    FileNotFoundError: 2,
    OSError: 1,
}
Row = dict[str, Any]


def run(arguments: argparse.Namespace) -> int:
    """Any other error is a bug, whose traceback is wanted."""
    try:
        return COMMANDS[arguments.command](arguments)
    except tuple(CODES) as error:
        return complain(
            error, next(code for kind, code in CODES.items() if isinstance(error, kind))
        )


def _train(arguments: argparse.Namespace) -> int:
    task, model, training = options.make(arguments)
    return _train_to_the_end(arguments.out, task, RunConfig(model, training), arguments)


def _resume(arguments: argparse.Namespace) -> int:
    stored = _load(arguments.path)
    if stored.finished:
        print("There is nothing left to do: this run is finished.")
        _print_outcome(stored)
        return 0
    return _train_to_the_end(arguments.path, stored.task, stored.config, arguments)


def _train_to_the_end(
    path: Path, task: AnyTask, config: RunConfig, arguments: argparse.Namespace
) -> int:
    try:
        trained = loop.train(
            task,
            config.model,
            config.train,
            out=path,
            device=options.device(arguments),
            progress=not arguments.quiet,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_go_on(path)) from None
    _print_outcome(trained)
    return 0


def _how_to_go_on(path: Path) -> str:
    if not (path / MANIFEST).exists():
        return "stopped before the first save; the same command starts again"
    return (
        f"stopped at step {Run.load(path).step}, which is saved; go on with: "
        f"{text.command('resume', path)}"
    )


def _print_outcome(trained: Run) -> None:
    row = _last_row(trained)
    shown = [
        name for name in row if re.fullmatch("(train|test|validation)_.*(loss|accuracy)", name)
    ]
    numbers = {name.replace("_", " "): text.spell(row[name]) for name in shown}
    print(
        text.pairs(
            {
                "step": f"{trained.step} of {trained.config.train.steps}",
                **numbers,
                "path": trained.path,
            }
        )
    )
    print(
        f"What it learned: {text.command('measure', trained.path)}\nIn Python:       "
        f"Run.load({str(trained.path)!r})"
    )


def _measure(arguments: argparse.Namespace) -> int:
    path, out = arguments.path, arguments.out
    if out and out.exists() and not arguments.force:
        raise ValueError(f"{out} is there already; choose another file, or replace it with --force")
    measured, device = _load(path), options.device(arguments)
    about = _spell_task(measured.manifest["task"])
    if not _is_sorting(measured) and not _is_pair_model(measured):
        raise ValueError(
            "measure is for one-layer models on all pairs of a p x p grid, and for sorting; "
            f"{path} has {measured.config.model.n_layers} "
            f"layers on {about}. Take it apart in Python: CachedModel(run.model(), run.task)"
        )
    if not _is_sorting(measured) and not measured.task.test_mask.any():
        missing = (
            f"{path} has no test pairs, which test accuracy and the phases are read off: all are "
            "for training. Train with --frac-train "
            "below 1, or take the other measures in Python: trajectories.measure(run)"
        )
        return complain(ValueError(missing), 1)
    row = (
        _sorting_row(measured, measured.steps[-1], device)
        if _is_sorting(measured)
        else trajectories.headline(measured, device)
    )
    elsewhere = not _is_sorting(measured) and not _is_addition(measured.task)
    print(
        f"{path}: {about}, weights of step {measured.steps[-1]} of {measured.config.train.steps}\n"
    )
    shown = [
        name
        for name in row
        if not name.startswith("step") and not (elsewhere and name.endswith(" ends"))
    ]
    print(text.pairs({name: text.spell(row[name]) for name in shown}))
    if elsewhere:
        print(
            "\nKey frequencies, restricted and excluded loss look for a + b, and this task's "
            "labels are something else. "
            "The phases of grokking are left out."
        )
    if out:
        table = _history(measured, device, arguments.quiet)
        write_atomic(out, table.to_csv(index=False).encode())
        print(f"\n{len(table)} rows, of {len(measured.steps)} snapshots, are in {out}")
    return 0


def _is_sorting(measured: Run) -> bool:
    return measured.task.name == "sorting"


def _is_pair_model(measured: Run) -> bool:
    task = measured.task
    return (
        not isinstance(task, StreamTask)
        and task.grid == 2 * task.n_classes
        and measured.config.model.n_layers == 1
    )


def _is_addition(task: Task) -> bool:
    return task.labels.equal(progress.sum_of_pair(task.grid[0], task.labels.device).flatten())


def _history(measured: Run, device: torch.device, quiet: bool) -> pd.DataFrame:
    """The measures of every snapshot."""
    import pandas as pd

    if not _is_sorting(measured):
        return trajectories.measure(measured, device=device, show_progress=not quiet)
    return pd.DataFrame(
        [
            _sorting_row(measured, step, device)
            for step in tqdm(measured.steps, desc="measuring", disable=quiet)
        ]
    )


def _sorting_row(measured: Run, step: int, device: torch.device) -> Row:
    """Accuracy on the test lists, and whether heads copy the numbers that they attend to."""
    test, weights = measured.task.test, measured.weights(step)
    accuracy = answers.sequence_accuracy(
        CachedModel(measured.model(step, device), test).logits.cpu(), test.labels
    )
    row = {
        "step": step,
        "whole-list test accuracy": accuracy.whole,
        "token test accuracy": accuracy.token,
    }
    for layer in range(measured.config.model.n_layers):
        OV = (weights[f"blocks.{layer}.attn.{name}"] for name in ("W_V", "W_O"))
        numbers = range(measured.task.params["n_values"])
        scores = circuits.copying_score(
            weights["embed.W_E"], *OV, weights["unembed.W_U"], tokens=numbers
        )
        row |= {
            f"copying score of head {layer}.{head}": score
            for head, score in enumerate(scores.tolist())
        }
    return row


def _list(arguments: argparse.Namespace) -> int:
    rows, damaged = [], []
    for path in _runs_below(arguments.folders):
        try:
            rows.append(_list_row(Run.load(path)))
        except (ValueError, OSError) as error:
            rows.append({"run": path, "task": "DAMAGED"})
            damaged.append(f"{path}: {error}")
    print(
        text.table(
            rows,
            [
                "run",
                "task",
                "steps",
                "train loss",
                "held-out loss",
                "train accuracy",
                "held-out accuracy",
            ],
        )
    )
    print(*(["", "damaged:", *damaged] if damaged else []), sep="\n", end="\n" if damaged else "")
    return 1 if damaged else 0


def _list_row(listed: Run) -> Row:
    row = _last_row(listed)
    held_out = {
        name: row.get(f"test_{name}", row.get(f"validation_{name}"))
        for name in ("loss", "accuracy")
    }
    return {
        "run": listed.path,
        "task": _spell_task(listed.manifest["task"]),
        "steps": f"{listed.step}/{listed.config.train.steps}",
        **{f"train {name}": text.spell(row[f"train_{name}"]) for name in held_out},
        **{f"held-out {name}": text.spell(value) for name, value in held_out.items()},
    }


def _verify(arguments: argparse.Namespace) -> int:
    results = {path: verification.verify(path) for path in _runs_below(arguments.folders)}
    rows = [
        {
            "run": path,
            "files": result.files,
            "numbers": result.numbers,
            "verdict": "FAILED" if result.problem else "ok",
        }
        for path, result in results.items()
    ]
    print(text.table(rows, ["run", "files", "numbers", "verdict"]))
    problems = [
        f"{path} failed: {result.problem}" for path, result in results.items() if result.problem
    ]
    for problem in problems:
        complain(ValueError(problem), 1)
    return 1 if problems else 0


def _load(path: Path) -> Run:
    try:
        return Run.load(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}; `interp-utils list FOLDER` shows the runs below a folder"
        ) from None


def _runs_below(folders: Sequence[Path]) -> list[Path]:
    """Every folder with a run, or with what is left of one."""
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(
                f"there is no folder {folder}; name one that holds runs, e.g. the one given to "
                "train --out"
            )
    found = {
        path.parent
        for folder in folders
        for name in (MANIFEST, TASK)
        for path in folder.rglob(name)
    }
    if not found:
        raise ValueError(
            f"there is no run below {' or '.join(map(str, folders))}; a run is a folder with a "
            f"{MANIFEST}"
        )
    return sorted(found)


def _last_row(logged: Run) -> Row:
    return {name: column[-1] for name, column in logged.raw_metrics.items()}


def _spell_task(about: Mapping[str, Any]) -> str:
    """Its name and the arguments that are not the default."""
    made = options.constructors().get(about["name"])
    defaults = (
        {name: p.default for name, p in inspect.signature(made).parameters.items()} if made else {}
    )
    changed = [
        f"{name}={options.spell(value)}"
        for name, value in about["params"].items()
        if defaults.get(name, ...) != value
    ]
    return " ".join([about["name"], *changed])


COMMANDS = {
    "train": _train,
    "resume": _resume,
    "measure": _measure,
    "list": _list,
    "verify": _verify,
    "sweep": sweeping.sweep,
}
