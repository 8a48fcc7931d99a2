"""Where claims on phase diagrams are shown, what they count, and when they are undecided."""

from __future__ import annotations

from interp_utils.experiments.claims import Undecided, ended, other_settings
from interp_utils.experiments.phase_diagrams.branches import LAST, SETTLED
from interp_utils.experiments.phase_diagrams.plateau import compared_with
from interp_utils.experiments.rules import Row

DIAGRAM = "14 · Weight decay and the share of pairs"
LAW = "14 · How long it waits"
OPERATIONS = "14 · Which operations"
BACK = "14 · Back again: hysteresis"

NOT_NANDAS = other_settings("p = 53, width 64, learning rate 0.01")
FIFTH, OF_FIVE = "a fifth of the exponent", "grokking means five times later than memorising"
CENSORED = "a training that had not generalised counts with its last step"
PLATEAU = "14 · What ends the plateau"
SHAPES = "14 · Other models"
TRAININGS, DECAYS, SHARES = "trainings", "weight decays", "shares"


def division_censored(row: Row, fulfilled: bool) -> str | None:
    return f"a / b {ended(row)}" if row["a / b was censored"] else None


def still_falling(row: Row, fulfilled: bool) -> str | None:
    lost = row["test accuracy, lost in the last steps"]
    return f"still falling, by {lost:.1%} in {LAST} steps" if lost > SETTLED else None


def still_waiting(way: str) -> Undecided:
    """A median that is censored is a bound, of this way or of what it is compared with."""
    two = {way, compared_with(way)}
    return lambda row, fulfilled: ended(row) if two & set(row["censored"]) else None
