"""Loops that take turns, so that a change in the machine's speed hits all of them, and ratios that
are taken turn by turn.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch

from interp_utils.training.memory import reuse_large_buffers
from interp_utils.training.settings import deterministic

SECONDS_PER_TURN = 0.2
Times = dict[str, list[float]]


def take_turns(
    loops: Mapping[str, Callable[[], None]], repeats: int, device: torch.device
) -> Times:
    """Seconds per step of each loop in each repeat. Ours run under train()'s settings,
    HookedTransformer's as it is found.
    """
    seconds: Times = {name: [] for name in loops}
    steps = {}
    for repeat in range(repeats + 1):
        for name, step in loops.items():
            as_found = name.startswith("HookedTransformer")
            with (
                nullcontext() if as_found else deterministic(True),
                nullcontext() if as_found else reuse_large_buffers(),
            ):
                step()
                if repeat:  # the first one warms up
                    seconds[name].append(_seconds(step, steps[name], device))
                else:
                    steps[name] = min(
                        max(math.ceil(SECONDS_PER_TURN / _seconds(step, 1, device)), 1), 50
                    )
    return seconds


def _seconds(step: Callable[[], None], steps: int, device: torch.device) -> float:
    _wait(device)
    started = time.perf_counter()
    for _ in range(steps):
        step()
    _wait(device)
    return (time.perf_counter() - started) / steps


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def section(
    title: str, seconds: Times, baseline: str, per: Mapping[str, int] | None = None, **about: Any
) -> dict[str, Any]:
    """Printed, and as JSON: each row's time and its ratio to the baseline's, over the repeats. per:
    by how many members time is divided.
    """
    times = {
        name: [1e3 * value / (per or {}).get(name, 1) for value in values]
        for name, values in seconds.items()
    }
    rows = {
        name: {
            "ms": spread(values),
            f"times {baseline}": spread(
                [own / other for own, other in zip(values, times[baseline], strict=True)]
            ),
        }
        for name, values in times.items()
    }
    return table({"title": title, **about, "rows": rows})


def table(section: dict[str, Any]) -> dict[str, Any]:
    """Prints a section; returns it."""
    columns = list(dict.fromkeys(column for row in section["rows"].values() for column in row))
    print(f"\n{section['title']}" + (f" [{section['device']}]" if "device" in section else ""))
    cells = [["", *columns]]
    for name, row in section["rows"].items():
        cells.append([name, *(_shown(row[column]) if column in row else "" for column in columns)])
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    for first, *others in cells:
        print(
            "  " + first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)),
            sep="  ",
        )
    return section


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def _shown(value: Mapping[str, float]) -> str:
    return f"{value['median']:.3g} ({value['min']:.3g}-{value['max']:.3g})"
