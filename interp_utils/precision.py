"""In which precision a number is computed, whatever the precision in which its input is stored."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def at_least_float32(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which is given float32 for every tensor of half precision (float16, bfloat16).

    In half precision a loss of 2e-9 is 0, a sum of squares is infinite above 65,504, and a share of
    variance is off in its third digit. float32 and float64 stay what they are.
    """

    @wraps(function)
    def computing(*args: P.args, **kwargs: P.kwargs) -> R:
        raised = {name: _each(value, wide) for name, value in kwargs.items()}
        return function(*(_each(value, wide) for value in args), **raised)

    return computing


def exactly(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, given every tensor on the CPU, and every number in float64: for what is
    small and rests on eigenvectors. Its results are on the CPU.
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
    """A value with every tensor in it changed, in tuples and lists too; itself where none is."""
    if isinstance(value, Tensor):
        return change(value)
    if not isinstance(value, tuple | list):
        return value
    items = [_each(item, change) for item in value]
    if all(new is old for new, old in zip(items, value, strict=True)):
        return value
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
