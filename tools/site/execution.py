"""Runs notebooks, two at a time, and keeps the executed copies."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CELL_TIMEOUT_SECONDS = 3600
# Two kernels whose threads spin on two cores slow each other twenty-fold. Figures are stored as
# data alone: the page draws them.
KERNEL = {"OMP_NUM_THREADS": "1", "PLOTLY_RENDERER": "plotly_mimetype"}


def execute(notebooks: Sequence[Path], to: Path, at_once: int = 2) -> list[Path]:
    """The executed copies in `to`, which then holds nothing else. Raises the first error of a
    cell.
    """
    to.mkdir(parents=True, exist_ok=True)
    for old in to.glob("*.ipynb"):
        old.unlink()
    os.environ |= KERNEL
    return asyncio.run(_execute_all(notebooks, to, at_once))


async def _execute_all(notebooks: Sequence[Path], to: Path, at_once: int) -> list[Path]:
    free = asyncio.Semaphore(at_once)

    async def one(path: Path) -> Path:
        async with free:
            return await _execute(path, to / path.name)

    return list(await asyncio.gather(*map(one, notebooks)))


async def _execute(path: Path, copy: Path) -> Path:
    started = time.monotonic()
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_SECONDS,
        shutdown_kernel="immediate",
        resources=folder,
    )
    await client.async_execute()
    nbformat.write(notebook, copy)
    print(f"{path.name}: {time.monotonic() - started:.0f} s", flush=True)
    return copy
