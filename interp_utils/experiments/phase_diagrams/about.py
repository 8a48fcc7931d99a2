"""The page's text on phase diagrams, and its tables of cells."""

from __future__ import annotations

from collections.abc import Mapping

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.phase_diagrams.recipes import HEADS, PATIENCE, WIDTH, P


def intro(rows: Rows) -> list[str]:
    total = sum(row["runs"] for row in rows.values())
    return [
        f"{total} trainings, a row each in docs/studies: a + b mod {P} where nothing else is said,",
        f"one layer of width {WIDTH} with {HEADS} heads, AdamW at a learning rate of 0.01, three",
        "seeds a cell, each with its own initial weights and training pairs. *Memorised* and",
        "*generalised*: train and test accuracy above 99 % for five logged steps and 100 steps at",
        "least, after which a training ends; *grokking*: generalised at least five times later",
        "than memorised, *comprehension*: sooner. A training that has done neither by its end, at",
        f"the latest after {PATIENCE} times 1 / (learning rate x weight decay) steps or at the",
        "study's longest, is *censored*: it counts as later than all others, and never as proof.",
        "Power et al. and Doshi et al. were read in copies of their texts, of Truong et al. and of",
        "Liu, Kitouni et al. no more than the abstract and a caption; Varma et al. second-hand.",
    ]


def table(rows: Rows) -> list[str]:
    lines = ["Weight decay (rows) and share of the training pairs:", ""]
    lines += _grid("weight decay", rows["decay_by_share"]["phases"])
    lines += ["", "Learning rate (rows) and weight decay:", ""]
    lines += _grid("learning rate", rows["rate_by_decay"]["phases"])
    lines += ["", "| operation | phase | generalised at |", "|---|---|---|"]
    row = rows["operations"]
    lines += [
        f"| {name} | {phase} | {_steps(row['steps'][name])} |"
        for name, phase in row["phases"].items()
    ]
    return lines


def _grid(title: str, phases: Mapping[str, Mapping[str, str]]) -> list[str]:
    columns = list(next(iter(phases.values())))
    head = [f"| {title} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    return head + [f"| {row} | {' | '.join(own.values())} |" for row, own in phases.items()]


def _steps(steps: list[int | None]) -> str:
    return ", ".join("-" if step is None else f"{step:,}" for step in steps)
