"""Large buffers that are reused instead of returned to the operating system after every step."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h
GLIBC_LARGEST_DYNAMIC = (
    32 << 20
)  # a threshold that is set no longer adapts: this is the value to which it would adapt
LARGE = 1 << 30


@contextlib.contextmanager
def reuse_large_buffers() -> Iterator[None]:
    """Within this context, glibc's malloc keeps freed buffers of any size.

    By default malloc maps every large activation afresh and the kernel zeroes its pages, for each
    product of a step. Without glibc the context does nothing. Results are the same.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_MMAP_THRESHOLD, LARGE)
    mallopt(M_TRIM_THRESHOLD, LARGE)
    try:
        yield
    finally:
        mallopt(M_MMAP_THRESHOLD, GLIBC_LARGEST_DYNAMIC)
        mallopt(M_TRIM_THRESHOLD, GLIBC_LARGEST_DYNAMIC)
