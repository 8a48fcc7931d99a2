"""The table of metrics: one row per logged step, one column per number."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

from interp_utils.runs.manifest import WRONG
from interp_utils.runs.storage import DamagedFile

Metrics = dict[str, list[int | float | None]]


def metrics_from_bytes(content: bytes, path: Path, last_step: int) -> Metrics:
    """The table. Raises DamagedFile unless content is a table whose rows are ascending steps."""
    try:
        table = json.loads(content)
        steps, columns = (
            table["step"],
            {name: column for name, column in table.items() if name != "step"},
        )
        whole = (
            all(type(step) is int and 0 <= step <= last_step for step in steps)
            and all(one < next_one for one, next_one in itertools.pairwise(steps))
            and all(type(column) is list and len(column) == len(steps) for column in table.values())
            and all(
                value is None or (type(value) is float and math.isfinite(value))
                for column in columns.values()
                for value in column
            )
        )
    except WRONG:
        whole = False
    if not whole:
        raise DamagedFile(
            path,
            f"not a table of equally long columns, one of them ascending steps up to {last_step}",
        )
    return table
