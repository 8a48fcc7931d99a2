"""Options of `train` and `sweep`, read off the signatures of tasks and configurations: a new
argument or field is an option without a change here.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from interp_utils import cli, devices, tasks
from interp_utils.cli import constructors, spelling
from interp_utils.cli.option_texts import DURATIONS, EXAMPLES, HELP
from interp_utils.configs import ModelConfig, TrainConfig

DERIVED = {"n_ctx", "d_vocab", "d_vocab_out"}  # taken from the task
RENAMED = {("model", "seed"): "--model-seed"}


def add_tasks(
    command: argparse.ArgumentParser,
    codes: str,
    sweep: Callable | None = None,
    own: str | None = None,
) -> None:
    """A parser for each task, with options of the task, the model, the training and the run. For
    many runs, `sweep` adds its options instead of the run's.

    own: MODULE:FUNCTION of a user's own task.
    """
    of = command.add_subparsers(dest="task", metavar="TASK", required=True, title="tasks")
    names = list(constructors.constructors())
    if own is not None:
        names.append(own)
    for name in names:
        about = constructors.summary(constructors.constructor(name))
        task = of.add_parser(
            name,
            help=about.replace("%", "%%"),
            description=about,
            usage=(
                f"{command.prog} {'--task ' if name == own else ''}{name} "
                f"{'--vary NAME=VALUES' if sweep else ' '.join(required(name).values())} --out "
                "FOLDER [options]"
            ),
            epilog=f"{_example(name, command.prog, sweep is not None)}{codes}",
        )
        for title, owner in _owners(name).items():
            try:
                _add(task.add_argument_group(title), title, owner, required=sweep is None)
            except argparse.ArgumentError as error:  # two options have the same name
                raise ValueError(
                    f"argument --task: {name}, {error}; rename that argument"
                ) from None
        if sweep:
            sweep(task.add_argument_group("sweep"))
            continue
        run = task.add_argument_group("run")
        run.add_argument(
            "--out",
            metavar="FOLDER",
            type=Path,
            required=True,
            help="where the run goes, or is and goes on (required)",
        )
        cli.add_running(run)


def _example(name: str, command: str, sweep: bool) -> str:
    if name not in EXAMPLES:
        return ""
    takes = f" (about {DURATIONS[name]} on two cores)" if name in DURATIONS and not sweep else ""
    out = "--vary model-seed=0,1,2 --out runs/seeds" if sweep else "--out runs/mine"
    return f"example{takes}:\n  {command} {name} {EXAMPLES[name]} {out}\n\n"


def _owners(task: str) -> dict[str, Callable]:
    return {"task": constructors.constructor(task), "model": ModelConfig, "training": TrainConfig}


def required(task: str) -> dict[str, str]:
    """The options that a task requires, as they are typed, by name."""
    return {
        name: f"{_flag('task', name)} {spelling.spell_hint(hint)}"
        for name, hint, default in constructors.arguments(constructors.constructor(task))
        if default is ...
    }


def variables(task: str) -> dict[str, tuple[str, Any]]:
    """The options that can be varied, by name with underscores: where `parse_args` puts each
    option, and its type.
    """
    return {
        _flag(title, name)[2:].replace("-", "_"): (f"{title}.{name}", hint)
        for title, owner in _owners(task).items()
        for name, hint, _ in constructors.arguments(owner)
        if not _is_derived(title, name)
    }


def given(arguments: argparse.Namespace, title: str) -> dict[str, Any]:
    """Those of a group's options that were given. The others are left to the owner's defaults."""
    return {
        name.removeprefix(f"{title}."): value
        for name, value in vars(arguments).items()
        if name.startswith(f"{title}.")
    }


def make(arguments: argparse.Namespace) -> tuple[tasks.AnyTask, ModelConfig, TrainConfig]:
    """What `train` takes."""
    return (
        make_task(arguments),
        ModelConfig(**given(arguments, "model")),
        TrainConfig(**given(arguments, "training")),
    )


def make_task(arguments: argparse.Namespace) -> tasks.AnyTask:
    """The task that was asked for. Errors name its arguments as options."""
    made = constructors.constructor(arguments.task)
    names = "|".join(
        name for name in inspect.signature(made).parameters if len(name) > 1
    )  # "a" is a word, too
    try:
        task = made(**given(arguments, "task"))
    except ValueError as error:
        spelt = re.sub(
            rf"^\w(?= must)|\b({names})\b(=True)?",
            lambda found: _flag("task", found[0].removesuffix("=True")),
            str(error),
        )
        raise ValueError(spelt) from None
    if not isinstance(task, (tasks.Task, tasks.StreamTask)):
        raise ValueError(
            f"argument --task: {arguments.task} must return a Task or a StreamTask, it returned "
            f"{type(task).__name__}"
        )
    return task


def _add(group: argparse._ArgumentGroup, title: str, owner: Callable, required: bool) -> None:
    for name, hint, default in constructors.arguments(owner):
        if _is_derived(title, name):
            continue
        note = "required" if default is ... else f"default: {spelling.spell(default)}"
        about = f"{_about(title, owner, name)} ({note})".strip().replace("%", "%%")
        common = {
            "dest": f"{title}.{name}",
            "default": argparse.SUPPRESS,
            "required": required and default is ...,
            "help": about,
        }
        if hint is bool:
            group.add_argument(_flag(title, name), action=argparse.BooleanOptionalAction, **common)
        else:
            typed = {"type": partial(_read, hint), "metavar": spelling.spell_hint(hint)}
            group.add_argument(_flag(title, name), **typed, **common)


def _is_derived(title: str, name: str) -> bool:
    """Whether a field of the model is taken from the task, and so is no option."""
    return title == "model" and name in DERIVED


def _about(title: str, owner: Callable, name: str) -> str:
    """What an argument is, in one line: from the table here, or from its owner's docstring."""
    is_ours = owner.__module__.startswith("interp_utils.")
    said = HELP.get((owner.__name__, name)) or HELP.get((title, name)) if is_ours else None
    return said or _documented(owner, name)


def _flag(title: str, name: str) -> str:
    return RENAMED.get((title, name), "--" + name.replace("_", "-"))


def _documented(owner: Callable, name: str) -> str:
    """What the owner's docstring says about an argument, in one line."""
    found = re.search(rf"^{name}: +(.+(?:\n {{4,}}.+)*)", inspect.getdoc(owner) or "", re.M)
    return " ".join(found[1].split()).rstrip(".") if found else ""


def _read(hint: Any, text: str) -> Any:
    try:
        return spelling.read(hint, text)
    except (ValueError, TypeError):
        raise argparse.ArgumentTypeError(
            f"expected {spelling.spell_hint(hint)}, got {text!r}"
        ) from None


def device(arguments: argparse.Namespace) -> torch.device:
    try:
        return devices.resolve(arguments.device)
    except ValueError as error:
        raise ValueError(f"--{error}") from None
