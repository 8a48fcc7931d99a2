"""Half precision is for storing. What is computed from it is computed in float32 at least."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def at_least_float32(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, given float32 for every tensor of half precision (float16 or bfloat16).

    In half precision a loss of 2e-9 is 0, a sum of squares is infinite above 65,504, and a share of
    variance is off in its third digit. float32 and float64 stay what they are.
    """

    @wraps(function)
    def computing(*args: P.args, **kwargs: P.kwargs) -> R:
        raised = {name: _raised(value) for name, value in kwargs.items()}
        return function(*map(_raised, args), **raised)

    return computing


def _raised(value: Any) -> Any:
    """A tensor in float32 at least; tuples and lists of tensors item by item."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
    if not isinstance(value, (tuple, list)) or not any(isinstance(x, Tensor) for x in value):
        return value
    items = [_raised(item) for item in value]
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
