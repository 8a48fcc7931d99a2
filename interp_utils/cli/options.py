"""Options of `train` and `sweep`, read off the signatures of tasks and configurations: what is
added there appears here by itself.
"""

from __future__ import annotations

import argparse
import collections.abc
import contextlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import torch

from interp_utils import cli, devices, tasks
from interp_utils.configs import ModelConfig, TrainConfig

UNIONS, TUPLES = (Union, UnionType), (tuple, collections.abc.Sequence)
DERIVED = {"n_ctx", "d_vocab", "d_vocab_out"}  # from the task
RENAMED = {("model", "seed"): "--model-seed"}
EXAMPLES = {
    "modular_addition": "--p 53 --frac-train 0.5 --lr 3e-3 --steps 2000",
    "exponentiated_addition": "--p 53 --a 2 --b 3 --frac-train 0.7 --lr 3e-3 --steps 4000",
    "remainders": (
        "--p 23 --frac-train 0.8 --weight-decay 1 --dropout 0.05 --grokfast ema --lr "
        "3e-3 --steps 3000"
    ),
    "sorting": "--n-values 48 --length 25 --d-model 64 --n-heads 1 --d-head 32 --d-mlp none "
    "--no-positions --batch-size 128 --weight-decay 0 --betas 0.9,0.999 "
    "--warmup-steps 0 --steps 20000",
}
DURATIONS = {
    "modular_addition": "half a minute",
    "sorting": "five minutes",
}  # of the examples, on two cores
HELP = {
    ("task", "p"): "the modulus",
    ("task", "frac_train"): "fraction of the inputs for training, in (0, 1]",
    ("task", "seed"): "which inputs are for training; the initial weights have a --model-seed",
    ("task", "split"): "who draws them from that seed: we, or the code of a published run",
    (
        "modular_addition",
        "seed",
    ): "which inputs are for training, none for the split's published seed; initial weights have "
    "a --model-seed",
    ("sorting", "seed"): "which lists are drawn; the initial weights have a --model-seed",
    ("task", "n_values"): "the numbers are 0 .. n_values - 1",
    ("task", "length"): "numbers in a list, or the fewest and the most: 25 or 1,100",
    ("task", "repeats"): "whether a number may occur more than once in a list",
    ("task", "n_validation"): "lists that the log's held-out numbers are measured on",
    ("task", "n_test"): "lists that only `measure` reads",
    ("model", "d_model"): "width of the residual stream",
    ("model", "n_heads"): "attention heads in each layer",
    ("model", "d_head"): "width of each head",
    ("model", "d_mlp"): "neurons in each layer; none for attention only",
    ("model", "n_layers"): "layers; the fast forward is for one",
    ("model", "act_fn"): "the neurons' activation function",
    ("model", "positions"): "positional embeddings",
    ("model", "seed"): "of the initial weights; the task has a --seed of its own",
    ("training", "steps"): "updates in all",
    (
        "training",
        "batch_size",
    ): "fresh inputs per step, which sorting needs; none trains on all training inputs at once",
    ("training", "lr"): "learning rate",
    ("training", "weight_decay"): "of AdamW, decoupled",
    ("training", "betas"): "of AdamW",
    ("training", "eps"): "of AdamW",
    ("training", "warmup_steps"): "updates over which the learning rate rises to --lr",
}


def constructors() -> dict[str, Callable]:
    """Every task that can be made from options alone, by name."""
    made = {name: getattr(tasks, name) for name in tasks.__all__}
    functions = {name: function for name, function in made.items() if inspect.isfunction(function)}
    return {name: function for name, function in functions.items() if _is_constructor(function)}


def _is_constructor(function: Callable) -> bool:
    """Whether it makes a task, of nothing that cannot be typed."""
    made = get_type_hints(function).get("return")
    if not (isinstance(made, type) and issubclass(made, (tasks.Task, tasks.StreamTask))):
        return False
    return all(_readable(hint) for _, hint, default in _arguments(function) if default is ...)


def add_tasks(command: argparse.ArgumentParser, codes: str, sweep: Callable | None = None) -> None:
    """A parser for each task, with its options and those of the model, the training and the run; or
    those that `sweep` adds for many.
    """
    of = command.add_subparsers(dest="task", metavar="TASK", required=True, title="tasks")
    for name, made in constructors().items():
        about = inspect.getdoc(made).splitlines()[0]
        task = of.add_parser(
            name,
            help=about.replace("%", "%%"),
            description=about,
            usage=(
                "%(prog)s "
                f"{'--vary NAME=VALUES' if sweep else ' '.join(required(name).values())} --out "
                "FOLDER [options]"
            ),
            epilog=f"{_example(name, command.prog, sweep is not None)}{codes}",
        )
        for title, owner in _owners(name).items():
            _add(task.add_argument_group(title), title, owner, required=sweep is None)
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
    return {"task": constructors()[task], "model": ModelConfig, "training": TrainConfig}


def required(task: str) -> dict[str, str]:
    """The options that a task cannot do without, as they are typed, by name."""
    return {
        name: f"{_flag('task', name)} {spell_hint(hint)}"
        for name, hint, default in _arguments(constructors()[task])
        if default is ...
    }


def variables(task: str) -> dict[str, tuple[str, Any]]:
    """What can be varied, by its option's name with underscores: where `parse_args` puts it, and
    its type.
    """
    return {
        _flag(title, name)[2:].replace("-", "_"): (f"{title}.{name}", hint)
        for title, owner in _owners(task).items()
        for name, hint, _ in _arguments(owner)
        if name not in DERIVED
    }


def given(arguments: argparse.Namespace, title: str) -> dict[str, Any]:
    """What was given of a group's options. The others are left to their owner's defaults."""
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
    """The task that was asked for. Errors have its arguments under their names as options."""
    made = constructors()[arguments.task]
    names = "|".join(
        name for name in inspect.signature(made).parameters if len(name) > 1
    )  # "a" is a word, too
    try:
        return made(**given(arguments, "task"))
    except ValueError as error:
        spelt = re.sub(
            rf"^\w(?= must)|\b({names})\b(=True)?",
            lambda found: _flag("task", found[0].removesuffix("=True")),
            str(error),
        )
        raise ValueError(spelt) from None


def _add(group: argparse._ArgumentGroup, title: str, owner: Callable, required: bool) -> None:
    for name, hint, default in _arguments(owner):
        if name in DERIVED:
            continue
        note = "required" if default is ... else f"default: {spell(default)}"
        about = (
            HELP.get((owner.__name__, name)) or HELP.get((title, name)) or _documented(owner, name)
        )
        about = f"{about} ({note})".strip().replace("%", "%%")
        common = {
            "dest": f"{title}.{name}",
            "default": argparse.SUPPRESS,
            "required": required and default is ...,
            "help": about,
        }
        if hint is bool:
            group.add_argument(_flag(title, name), action=argparse.BooleanOptionalAction, **common)
        else:
            group.add_argument(
                _flag(title, name), type=_reader(hint), metavar=spell_hint(hint), **common
            )


def _arguments(owner: Callable) -> list[tuple[str, Any, Any]]:
    """Name, type and default (... for none) of each argument of a task or field of a
    configuration, but for those with a default that cannot be typed (a `Layout`).
    """
    hints = get_type_hints(owner)
    found = []
    for parameter in inspect.signature(owner).parameters.values():
        default = ... if parameter.default is parameter.empty else parameter.default
        hint = hints[parameter.name]
        if default is ...:
            found.append((parameter.name, _typed(hint), default))
        elif _readable(hint):
            found.append((parameter.name, hint, default))
    return found


def _typed(hint: Any) -> Any:
    """Of a union the types that can be typed: a group's name, where a table would do as well."""
    parts = [part for part in get_args(hint) if _readable(part)]
    if get_origin(hint) not in UNIONS or not parts:
        return hint
    return Union[tuple(parts)]  # noqa: UP007, of as many as there are


def _flag(title: str, name: str) -> str:
    return RENAMED.get((title, name), "--" + name.replace("_", "-"))


def _documented(owner: Callable, name: str) -> str:
    """What the owner's docstring says of an argument, in one line."""
    found = re.search(rf"^{name}: +(.+(?:\n {{4,}}.+)*)", inspect.getdoc(owner) or "", re.M)
    return " ".join(found[1].split()).rstrip(".") if found else ""


def _reader(hint: Any) -> Callable[[str], Any]:
    def reader(text: str) -> Any:
        try:
            return read(hint, text)
        except (ValueError, TypeError):
            raise argparse.ArgumentTypeError(f"expected {spell_hint(hint)}, got {text!r}") from None

    return reader


def read(hint: Any, text: str) -> Any:
    """The value of this type that a text spells. Raises ValueError or TypeError if there is "
    "none."""
    parts = get_args(hint)
    if get_origin(hint) in UNIONS:
        for part in parts:
            with contextlib.suppress(ValueError, TypeError):
                return read(part, text)
        raise ValueError
    if get_origin(hint) is Literal:
        return parts[[str(part) for part in parts].index(text)]
    if get_origin(hint) in TUPLES:
        items = text.split(",")
        return tuple(
            read(part, item) for part, item in zip(_items(hint, len(items)), items, strict=True)
        )
    if hint is bool:
        return bool(["no", "yes"].index(text))
    return None if hint is NoneType and text == "none" else hint(text)


def _items(hint: Any, n: int) -> tuple[Any, ...]:
    """The type of each of n items: a tuple's own, or n times the one of a sequence of any "
    "length."""
    parts = get_args(hint)
    return parts[:1] * n if _any_length(hint) else parts


def _any_length(hint: Any) -> bool:
    return get_origin(hint) is not tuple or ... in get_args(hint)


def _readable(hint: Any) -> bool:
    if get_origin(hint) in UNIONS:
        return all(map(_readable, get_args(hint)))
    if get_origin(hint) in TUPLES:
        return all(map(_readable, _items(hint, 1)))
    return get_origin(hint) is Literal or hint in (int, float, str, bool, NoneType)


def spell(value: Any) -> str:
    """A value as it would be typed."""
    if isinstance(value, (tuple, list)):
        return ",".join(map(spell, value))
    return {"None": "none", "True": "yes", "False": "no"}.get(str(value), str(value))


def spell_hint(hint: Any) -> str:
    """What a type takes, e.g. int|none or float,float."""
    if get_origin(hint) in UNIONS:
        return "|".join(map(spell_hint, get_args(hint)))
    if get_origin(hint) is Literal:
        return "|".join(map(str, get_args(hint)))
    if get_origin(hint) in TUPLES:
        return ",".join(
            [*map(spell_hint, _items(hint, 1)), *(["..."] if _any_length(hint) else [])]
        )
    return "none" if hint is NoneType else hint.__name__


def device(arguments: argparse.Namespace) -> torch.device:
    try:
        return devices.resolve(arguments.device)
    except ValueError as error:
        raise ValueError(f"--{error}") from None
