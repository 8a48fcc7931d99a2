"""The precision in which a number is computed, whatever the precision of its stored input."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def at_least_float32(function: Callable[P, R]) -> Callable[P, R]:
    """The function with every tensor of half precision (float16, bfloat16) converted to float32.

    In half precision a loss of 2e-9 is 0, a sum of squares is infinite above 65,504, and a share of
    variance is wrong in its third digit. float32 and float64 stay as they are.
    """

    @wraps(function)
    def computing(*args: P.args, **kwargs: P.kwargs) -> R:
        raised = {name: _each(value, wide) for name, value in kwargs.items()}
        return function(*(_each(value, wide) for value in args), **raised)

    return computing


def exactly(function: Callable[P, R]) -> Callable[P, R]:
    """The function with every tensor moved to the CPU, and every real number converted to float64,
    for small results that rest on eigenvectors. Its results are on the CPU.
    """

    @wraps(function)
    def computing(*args: P.args, **kwargs: P.kwargs) -> R:
        exact = {name: _each(value, _exact) for name, value in kwargs.items()}
        return function(*(_each(value, _exact) for value in args), **exact)

    return computing


def wide(x: Tensor) -> Tensor:
    """x in float32 where it is in half precision (float16 or bfloat16)."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _exact(x: Tensor) -> Tensor:
    return x.cpu().double() if x.is_floating_point() else x.cpu()


def _each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A value with every tensor in it changed, also in tuples and lists; other values stay."""
    if isinstance(value, Tensor):
        return change(value)
    if not isinstance(value, tuple | list):
        return value
    items = [_each(item, change) for item in value]
    if all(new is old for new, old in zip(items, value, strict=True)):
        return value
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
