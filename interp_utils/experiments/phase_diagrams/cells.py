"""Trainings of one cell of a diagram: their learning phases, and when they generalised."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from interp_utils.experiments.rules import Number, Row
from interp_utils.measures.learning_phases import LEARNING_PHASES, LearningPhase, learning_phase

Cells = dict[tuple[Any, ...], list[Row]]


def cells(rows: Iterable[Row], *names: str) -> Cells:
    """Trainings by their values of these settings, in the order of the rows."""
    found: Cells = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return found


def phase(row: Row) -> LearningPhase:
    """The learning phase of a training, from the step at which it first memorised. The step from
    which train accuracy stays would not do: large steps make it fall again for a moment, now and
    then, and it stays only after the last such moment.
    """
    return learning_phase(row["memorised first"], row["generalised"])


def usual_phase(rows: Sequence[Row]) -> LearningPhase:
    """The phase of most trainings; where several have as many, the first in `LEARNING_PHASES`."""
    counts = Counter(phase(row) for row in rows)
    return max(LEARNING_PHASES, key=lambda name: (counts[name], -LEARNING_PHASES.index(name)))


def spelt(rows: Sequence[Row]) -> str:
    """The phases of all trainings in words: "grokking", or "2 grokking, 1 memorisation"."""
    counts = Counter(phase(row) for row in rows)
    named = [(counts[name], name) for name in reversed(LEARNING_PHASES) if counts[name]]
    return named[0][1] if len(named) == 1 else ", ".join(f"{n} {name}" for n, name in named)


def step(row: Row) -> Number:
    """When it generalised; infinite where it was censored, so that a median of censored ones is."""
    return math.inf if row["generalised"] is None else row["generalised"]


def delay(row: Row) -> Number:
    """Steps from memorising to generalising; infinite where censored, 0 without memorising."""
    return math.inf if row["generalised"] is None else waited_since(row)


def waited(row: Row) -> Number:
    """The step at which it generalised, or its last: at least so long it takes."""
    return row["last step"] if row["generalised"] is None else row["generalised"]


def waited_since(row: Row) -> Number:
    """The delay, or what it is at least."""
    return max(waited(row) - (row["memorised first"] or waited(row)), 0)


def median_step(rows: Sequence[Row]) -> Number:
    return statistics.median(map(step, rows))


def median_delay(rows: Sequence[Row]) -> Number:
    return statistics.median(map(delay, rows))
