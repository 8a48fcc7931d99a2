"""How numbers, commands and tables are printed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interp_utils.cli import spelling


def command(name: str, path: Path) -> str:
    return f"interp-utils {name} {shlex.quote(str(path))}"


def spell(value: Any) -> str:
    """A number to four digits; for a list or a table, its entries one after the other."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {spell(each)}" for name, each in value.items()) or "-"
    if isinstance(value, list | tuple) and any(isinstance(each, float) for each in value):
        return ", ".join(map(spell, value))
    return f"{value:.4g}" if isinstance(value, float) else spelling.spell(value)


def pairs(values: Mapping[str, Any]) -> str:
    width = max(map(len, values))
    return "\n".join(f"{name:{width}}  {value}" for name, value in values.items())


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    cells = [list(columns), *([str(row.get(column, "-")) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
