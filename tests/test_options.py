"""An option that is none of those there are is refused, wherever a Literal says which there are."""

import importlib
import inspect
import pkgutil
import re
from typing import Literal, get_args, get_origin

import pytest
import torch

import interp_utils
from interp_utils import CachedModel, ModelConfig, TrainConfig, tasks
from interp_utils.analysis.characters import real_irreps
from interp_utils.group_tables import group_table
from tests import planted
from tests.arguments import FUNCTIONS, Place, arguments, functions, table

CPU = torch.device("cpu")
C3 = group_table("C3")
WRONG = "nonsense"
# Values for what is not in tests/arguments.py, by the name of the argument.
OTHERS = {
    "p": 7,
    "a": 2,
    "b": 2,
    "alpha": 2,
    "beta": 3,
    "group": "C3",
    "n": 9,
    "base": 10,
    "frac_train": 0.5,
    "seed": 0,
    "logits": planted.random(3, 3, 3),
    "labels": C3.flatten(),
    "table": C3,
    "keys": [1],
    "irreps": real_irreps(C3),
    "name": "sums",
    "operation": tasks.modular_addition(7).operation,
    "n_classes": 7,
    "params": {},
    "formula": "a b",
    "table_task.labels": C3,
}


def literal(hint) -> bool:
    return get_origin(hint) is Literal or any(map(literal, get_args(hint)))


def found():
    """(place, function, parameter) of every public option in the package."""
    for module in pkgutil.walk_packages(interp_utils.__path__, "interp_utils."):
        if module.name.startswith("interp_utils.cli"):
            continue
        here = vars(importlib.import_module(module.name))
        for name, function in here.items():
            if inspect.isfunction(function) and function.__module__ == module.name:
                yield from options(f"{module.name}.{name}", function, here)


def options(place, function, names):
    for parameter in inspect.signature(function).parameters.values():
        hint = parameter.annotation
        if "Literal" in str(hint) or str(hint).partition(" ")[0].rpartition(".")[2] in ALIASES:
            yield place, function, parameter.name


ALIASES = {
    name
    for module in pkgutil.walk_packages(interp_utils.__path__, "interp_utils.")
    for name, value in vars(importlib.import_module(module.name)).items()
    if name[0].isupper() and literal(value)
}
OPTIONS = {f"{place}:{option}": (function, option) for place, function, option in found()}


def test_there_are_options_to_go_over():
    assert {"How", "Rule", "Variant", "Split", "Loss"} <= ALIASES and len(OPTIONS) > 25


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("name", [name for name in OPTIONS if "._" not in name])
def test_another_option_is_refused(name, small_run):
    function, option = OPTIONS[name]
    place = name.partition(":")[0].removeprefix("interp_utils.")
    if place in FUNCTIONS:
        given = arguments(place, table(small_run, Place(CPU, CPU)))
    else:
        given = {
            parameter.name: OTHERS.get(
                f"{function.__name__}.{parameter.name}", OTHERS[parameter.name]
            )
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is parameter.empty and parameter.name in OTHERS
        }
    with pytest.raises(ValueError, match=f"{option} must be .*got '{WRONG}'"):
        function(**{**given, option: WRONG})


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("config", [ModelConfig, TrainConfig])
def test_another_setting_is_refused(config):
    names = [name for name, hint in inspect.get_annotations(config).items() if hint in ALIASES]
    assert len(names) >= 4
    for name in names:
        with pytest.raises(ValueError, match=f"{name}.*'{WRONG}'"):
            config(**{name: WRONG})


@pytest.mark.usefixtures("as_a_user")
def test_another_position_is_refused(small_run):
    model = CachedModel(small_run)
    post = model.activation("post", 0)
    for at in (
        lambda: model.activation("post", 0, pos=WRONG),
        lambda: model.with_values({"post": post}, pos=WRONG),
    ):
        with pytest.raises(ValueError, match=f"pos must be .*got '{WRONG}'"):
            at()


# What people pass by name; two functions that build ablations pass a layer on as it is.
BY_NAME = {"any_labels", "layer", "level", "mask", "threshold", "variant"}
PASS_ON = ("ablation.parts.hook", "applies.the_layer")


def test_masks_and_options_are_passed_by_name():
    by_place = {
        f"{name}: {parameter.name}"
        for name, function in functions(interp_utils).items()
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name in BY_NAME and parameter.default is not parameter.empty
        if parameter.kind is not parameter.KEYWORD_ONLY and not name.endswith(PASS_ON)
    }
    assert by_place == set()


def test_a_progress_bar_is_switched_off_by_the_same_word_everywhere():
    named = {
        parameter
        for function in functions(interp_utils).values()
        for parameter in inspect.signature(function).parameters
        if re.search("progress|verbose|silent|quiet", parameter)
    }
    assert named == {"progress"}
