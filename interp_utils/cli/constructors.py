"""The functions that make tasks: those of `tasks`, and a user's own as MODULE:FUNCTION."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any, get_type_hints

from interp_utils import tasks
from interp_utils.cli.spelling import readable, typed


def constructors() -> dict[str, Callable]:
    """Every task of the package that can be made from options alone, by name."""
    made = {name: getattr(tasks, name) for name in tasks.__all__}
    functions = {name: function for name, function in made.items() if inspect.isfunction(function)}
    return {name: function for name, function in functions.items() if _is_constructor(function)}


def _is_constructor(function: Callable) -> bool:
    """Whether a function makes a task, from arguments that can be typed in a shell."""
    made = get_type_hints(function).get("return")
    if not (isinstance(made, type) and issubclass(made, (tasks.Task, tasks.StreamTask))):
        return False
    return all(readable(hint) for _, hint, default in arguments(function) if default is ...)


def constructor(name: str) -> Callable:
    """The constructor of this name, or the user's own at MODULE:FUNCTION.

    Raises ValueError where there is no such function, or its arguments cannot be typed.
    """
    if ":" not in name:
        return getattr(tasks, name)
    function = _imported(name)
    hints = get_type_hints(function)
    for parameter in inspect.signature(function).parameters.values():
        is_needed = parameter.default is parameter.empty
        if is_needed and not readable(typed(hints.get(parameter.name))):
            raise ValueError(
                f"argument --task: {name} has an argument {parameter} whose type cannot be typed; "
                f"annotate it, e.g. {parameter.name}: int, or give it a default"
            )
    return function


def _imported(name: str) -> Callable:
    """The function from a module that can be imported, or that lies in the current folder."""
    module_name, _, function_name = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the missing module is one that this one imports
        raise ValueError(
            f"argument --task: there is no module {error.name!r}, neither installed nor in "
            f"{os.getcwd()}"
        ) from None
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ValueError(f"argument --task: there is no function {function_name} in {module_name}")
    return function


def summary(function: Callable) -> str:
    """The first line of a function's docstring, or else the module that it is from."""
    about = inspect.getdoc(function) or f"From the module {function.__module__}."
    return about.splitlines()[0]


@functools.cache
def arguments(owner: Callable) -> tuple[tuple[str, Any, Any], ...]:
    """Name, type and default (... for none) of each argument of a task or field of a
    configuration, except those with a default that cannot be typed (a `Layout`).
    """
    hints = get_type_hints(owner)
    found = []
    for parameter in inspect.signature(owner).parameters.values():
        default = ... if parameter.default is parameter.empty else parameter.default
        hint = hints.get(parameter.name)
        if default is ...:
            found.append((parameter.name, typed(hint), default))
        elif readable(hint):
            found.append((parameter.name, hint, default))
    return tuple(found)
