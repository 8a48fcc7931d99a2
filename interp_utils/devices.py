"""The device of tensors: one default for every function that makes tensors of its own.

Functions of tensors have no default. They compute on the device of their numbers, to which labels,
masks and names on another device are moved.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Device = torch.device | str | None  # None is the default


def default() -> torch.device:
    """The device that is used where none is named: a CUDA GPU if there is one, else Apple's GPU,
    else the CPU.
    """
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if torch.backends.mps.is_available():
        return torch.device("mps", 0)
    return torch.device("cpu")


def resolve(device: Device = None) -> torch.device:
    """The device of this name, with its index; None is the default.

    For a CUDA GPU, the environment variable CUBLAS_WORKSPACE_CONFIG is set unless the user has set
    it: cuBLAS reads this variable at the process's first product, and without it torch refuses
    deterministic training on a GPU.
    Raises ValueError for a device that torch cannot use on this machine.
    """
    found = default() if device is None else _usable(device)
    if found.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return found


def _usable(device: torch.device | str) -> torch.device:
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device must be one that torch can use here, got {str(device)!r} ({reason}); leave it "
            "out to use the default"
        ) from None


def for_double(device: torch.device) -> torch.device:
    """The device itself if it has float64, else the CPU: Apple's GPUs have none."""
    try:
        torch.empty(0, dtype=torch.float64, device=device)
    except TypeError:
        return torch.device("cpu")
    return device


def column(values: Sequence[float], device: torch.device) -> Float[Tensor, "value 1"]:
    """Numbers, one per row, in float64; on the CPU where the device has no float64."""
    rows = [[value] for value in values]
    return torch.tensor(rows, dtype=torch.float64, device=for_double(device))


def double(x: Tensor) -> Tensor:
    """x in float64; on the CPU where the device of x has no float64."""
    return x.to(for_double(x.device)).double()
