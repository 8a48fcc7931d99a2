"""Settings of the process that a training changes while it runs, and then restores."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

import torch

from interp_utils.training.memory import reuse_large_buffers


@contextlib.contextmanager
def settings(is_deterministic: bool) -> Iterator[None]:
    """Gradients are on, kernels bitwise reproducible if `is_deterministic`, and large buffers
    reused; afterwards everything is as the user had it.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        deterministic(is_deterministic),
        reuse_large_buffers(),
    ):
        yield


@contextlib.contextmanager
def deterministic(on: bool) -> Iterator[None]:
    """Kernels are bitwise reproducible; afterwards the old settings are restored."""
    before, before_warn = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    before_fill = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(on or before)
    torch.utils.deterministic.fill_uninitialized_memory = (
        False  # nothing here reads uninitialised memory, and filling every buffer takes time
    )
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=before_warn)
        torch.utils.deterministic.fill_uninitialized_memory = before_fill


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C waits for the end of a step, so that whole steps are saved. A second Ctrl-C does not
    wait.
    """
    received: list[int] = []
    if (
        threading.current_thread() is not threading.main_thread()
    ):  # only the main thread receives signals
        yield lambda: False
        return

    def handler(number: int, frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield lambda: bool(received)
    finally:
        signal.signal(signal.SIGINT, before)
