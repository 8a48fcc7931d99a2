"""What is to be learned: every input, its label, and which of them are for training."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from interp_utils.tasks.controls import random_labels
from interp_utils.tasks.grid import exponentiated_addition, modular_addition, powers
from interp_utils.tasks.remainders import numbers, primes_below, remainders
from interp_utils.tasks.sequences import Sequences, StreamTask, sorting
from interp_utils.tasks.task import Task

AnyTask = Task | StreamTask

__all__ = [
    "AnyTask",
    "Sequences",
    "StreamTask",
    "Task",
    "exponentiated_addition",
    "modular_addition",
    "numbers",
    "powers",
    "primes_below",
    "random_labels",
    "remainders",
    "restore",
    "sorting",
]


def restore(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> AnyTask:
    """The task that a run has stored. Raises ValueError if what was stored is not what its
    description makes.
    """
    if about["name"] != "sorting":
        return Task.restore(about, tensors)
    params = {**about["params"], "length": _tuple(about["params"]["length"])}
    longest = max(params["length"]) if isinstance(params["length"], tuple) else params["length"]
    # Before lists are drawn: a description that is not theirs may ask for any number of any size.
    for name in ("validation", "test"):
        if (
            tuple(tensors[name].shape) != (params[f"n_{name}"], 2 * longest + 2)
            or tensors[name][0, 0] != params["n_values"]
        ):
            raise ValueError(f"its {name} lists are of another number or size")
    task = sorting(**params)
    if any(not own.equal(tensors[name].long()) for name, own in task.tensors().items()):
        raise ValueError("its validation and test lists are not those that its description makes")
    return task


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
