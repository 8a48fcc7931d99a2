"""A run described in one line, and as a table in a notebook."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from interp_utils.configs import TrainConfig

if TYPE_CHECKING:
    from interp_utils.runs.run import Run

SHOWN = ("train_loss", "test_loss", "validation_loss", "test_accuracy", "validation_accuracy")


def in_a_line(run: Run) -> str:
    """Run('runs/mine': modular_addition, step 60 of 60, 9 snapshots, test_loss 0.31), say."""
    numbers = [f"{name} {value}" for name, value in _last_numbers(run).items()]
    parts = [run.manifest["task"]["name"], _progress(run), _snapshots(run), *numbers]
    return f"Run({str(run.path)!r}: {', '.join(parts)})"


def as_table(run: Run) -> str:
    """An HTML table with rows for what the run is, and for each number of its last metrics."""
    task = run.manifest["task"]
    is_imported = run.origin is not None and run.origin.imported
    rows = {
        "run": run.path,
        "task": f"{task['name']}({_spell(task['params'])})",
        "model": f"{type(run.config.model).__name__}({_spell(run.config.model.to_json())})",
        "training": "elsewhere" if is_imported else _spell(_settings(run)),
        "progress": f"{_progress(run)}, {_snapshots(run)}",
    }
    if run.origin is not None:
        rows["starts from"] = run.origin
    rows |= {name.replace("_", " "): value for name, value in _last_numbers(run).items()}
    cells = [
        f'<tr><th style="text-align: left">{html.escape(name)}</th>'
        f'<td style="text-align: left">{html.escape(str(value))}</td></tr>'
        for name, value in rows.items()
    ]
    return f"<table>{''.join(cells)}</table>"


def _settings(run: Run) -> dict[str, Any]:
    """The learning rate, weight decay, and every setting that is not the default."""
    training, default = run.config.train.to_json(), TrainConfig().to_json()
    always = ("lr", "weight_decay")
    return {
        name: value
        for name, value in training.items()
        if name in always or (value != default[name] and name != "steps")
    }


def _last_numbers(run: Run) -> dict[str, str]:
    columns = {name: run.raw_metrics[name] for name in SHOWN if name in run.raw_metrics}
    last = {name: values[-1] for name, values in columns.items() if values}
    return {name: f"{value:.3g}" for name, value in last.items() if value is not None}


def _progress(run: Run) -> str:
    return f"step {run.step} of {run.config.train.steps}"


def _snapshots(run: Run) -> str:
    return "1 snapshot" if len(run.steps) == 1 else f"{len(run.steps)} snapshots"


def _spell(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())
