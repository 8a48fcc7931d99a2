"""A stand-in for a GPU, so that device handling is checked where there is none.

Its tensors say that they are on the device "standin:0" and hold their numbers in the CPU's memory.
As on CUDA, an operation on one of them and a CPU tensor of one or more dimensions raises, but for
indices and copies. Whatever makes the program wait for a GPU is counted; float64 can be refused, as
Apple's GPUs do.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

aten = torch.ops.aten
NAME = "standin"
# Their result is on the host, or has a size that depends on the numbers.
WAITS = (
    aten._local_scalar_dense,
    aten.bincount,
    aten.equal,
    aten.masked_select,
    aten.nonzero,
    aten._unique2,
)
INDEXING = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)
COPIES = (aten.copy_, aten._to_copy)
DOUBLE = (torch.float64, torch.complex128)


class OnDevice(Tensor):
    """A tensor on the stand-in, around the CPU tensor that it holds."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        if _refuses_double and held.dtype in DOUBLE:
            raise TypeError(f"the device {NAME} does not have {held.dtype}")
        made = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            held.stride(),
            held.storage_offset(),
            dtype=held.dtype,
            device=f"{NAME}:0",
        )
        made.held = held.detach()
        return made

    def __repr__(self, **_: Any) -> str:
        return f"{self.held!r} on {NAME}"

    def tolist(self) -> Any:
        """torch has none for subclasses."""
        return self.cpu().tolist()

    def __format__(self, spec: str) -> str:
        """Nor this."""
        return format(self.cpu(), spec)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})


def run(func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """An operation, on the CPU's memory of its tensors."""
    target = kwargs.get("device")
    tensors = list(_tensors((args, kwargs)))
    own = any(isinstance(x, OnDevice) for x in tensors)
    if not own and target is None:
        return func(*args, **kwargs)
    op = func.overloadpacket
    to_device = own if target is None else torch.device(target).type == NAME
    if target is not None and to_device:
        kwargs = {**kwargs, "device": "cpu"}
    if own:
        _refuse_mixtures(op, args, tensors)
        from_device = op in COPIES and not to_device
        into_host = op is aten.copy_ and not isinstance(args[0], OnDevice)
        if op in WAITS or _selects(op, args) or from_device or into_host:
            waits[str(op)] += 1
    result = func(*_each(_held, args), **_each(_held, kwargs))
    if op is aten.copy_ or not to_device:
        return args[0] if op is aten.copy_ else result
    wrapped = _each(OnDevice, result)
    if not own or not _aliases(func):
        return wrapped
    return return_and_correct_aliasing(func, args, kwargs, wrapped)


@functools.cache
def _aliases(func: Any) -> bool:
    """Whether what an operation returns shares its memory with what it was given."""
    return any(x.alias_info is not None for x in func._schema.returns)


# torch's own walks over nested arguments took most of the tests' time.
def _tensors(nested: Any) -> Iterator[Tensor]:
    if isinstance(nested, Tensor):
        yield nested
    elif isinstance(nested, (tuple, list, dict)):
        for part in nested.values() if isinstance(nested, dict) else nested:
            yield from _tensors(part)


def _each(function: Any, nested: Any) -> Any:
    """The same lists, tuples and dicts with the function's value in each tensor's place."""
    if isinstance(nested, Tensor):
        return function(nested)
    if isinstance(nested, dict):
        return {name: _each(function, part) for name, part in nested.items()}
    if isinstance(nested, (tuple, list)):
        return type(nested)([_each(function, part) for part in nested])
    return nested


def _held(x: Tensor) -> Tensor:
    return x.held if isinstance(x, OnDevice) else x


def _refuse_mixtures(op: Any, args: tuple, tensors: list[Tensor]) -> None:
    if op in COPIES:
        return
    if op in INDEXING and isinstance(args[0], OnDevice):
        tensors = [args[0], *(x for x in args[2:] if isinstance(x, Tensor))]
    foreign = [x for x in tensors if not isinstance(x, OnDevice) and x.ndim]
    if foreign:
        raise RuntimeError(
            f"{op}: expected all tensors to be on the same device, got {NAME}:0 and a CPU tensor "
            f"of shape {tuple(foreign[0].shape)}"
        )


def _selects(op: Any, args: tuple) -> bool:
    """Whether it indexes by a mask, whose number of True decides the shape."""
    return op in INDEXING and any(x is not None and x.dtype == torch.bool for x in args[1])


class _Dispatch(TorchDispatchMode):
    """For operations that make a tensor from none."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})


def _as_index(places: Any) -> Tensor:
    return torch.tensor(places) if len(places) else torch.zeros(0, dtype=torch.long)


class _Function(TorchFunctionMode):
    """For what never reaches a dispatch mode: torch.tensor(..., device=), and indices in lists."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        target = kwargs.get("device")
        if func in (torch.tensor, torch.as_tensor) and target is not None:
            return func(*args, **{**kwargs, "device": None}).to(target)
        if func in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[0], OnDevice):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            index = tuple(_as_index(x) if type(x) in (list, range) else x for x in index)
            args = (args[0], index, *args[2:])
        return func(*args, **kwargs)


# Autograd makes a queue for every device that there is when it first runs: conftest.py imports this
# module, so that this one is there by then whichever test comes first.
_setup_privateuseone_for_python_backend(NAME)
waits: Counter[str] = Counter()
_refuses_double = False


@contextlib.contextmanager
def accelerator(float64: bool = True) -> Iterator[torch.device]:
    """The stand-in's device, usable while this lasts. `waits` counts what waited for it since."""
    global _refuses_double
    before, _refuses_double = _refuses_double, not float64
    waits.clear()
    try:
        with _Function(), _Dispatch():
            yield torch.device(NAME, 0)
    finally:
        _refuses_double = before
