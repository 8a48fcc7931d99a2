"""What each command does and prints. Each takes parsed arguments and returns an exit code."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from interp_utils.cli import complain, experimenting, options, sweeping, text, verification
from interp_utils.runs.manifest import MANIFEST, TASK
from interp_utils.runs.run import Run
from interp_utils.runs.storage import DamagedFile, RunInUse
from interp_utils.training import resume, train

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
    """Runs a command. An error that has no exit code is a bug, and its traceback is shown."""
    try:
        return COMMANDS[arguments.command](arguments)
    except tuple(CODES) as error:
        return complain(
            error, next(code for kind, code in CODES.items() if isinstance(error, kind))
        )


def _train(arguments: argparse.Namespace) -> int:
    task, model, training = options.make(arguments)
    return _to_the_end(train, task, model, training, out=arguments.out, arguments=arguments)


def _resume(arguments: argparse.Namespace) -> int:
    stored = experimenting.load(arguments.path)
    if stored.finished:
        print("There is nothing left to do: this run is finished.")
        _print_outcome(stored)
        return 0
    return _to_the_end(resume, out=arguments.path, arguments=arguments)


def _to_the_end(
    training: Callable[..., Run], *given: Any, out: Path, arguments: argparse.Namespace
) -> int:
    device, progress = options.device(arguments), not arguments.quiet
    try:
        trained = training(*given, out=out, device=device, progress=progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_go_on(out)) from None
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
        "task": experimenting.spell_task(listed.manifest["task"]),
        "steps": f"{listed.step}/{listed.config.train.steps}",
        **{f"train {name}": text.spell(row.get(f"train_{name}")) for name in held_out},
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


def _runs_below(folders: Sequence[Path]) -> list[Path]:
    """Every folder that contains a run, or what is left of one."""
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


COMMANDS = {
    "train": _train,
    "resume": _resume,
    "measure": experimenting.measure,
    "list": _list,
    "verify": _verify,
    "sweep": sweeping.sweep,
    "ship": experimenting.ship,
    "study": experimenting.study,
    "claims": experimenting.claims,
}
