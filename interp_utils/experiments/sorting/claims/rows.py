"""Which rows a claim is about, and what the claims share."""

from __future__ import annotations

from functools import partial

from interp_utils.experiments.claims import ended_before, where
from interp_utils.experiments.rules import Row

PUBLISHED_STEPS = 50_000  # for both tasks
REPORT, NOTES = "§3.4", "notes in the notebooks"
NEARLY = "1 % of lists"
VARIABLE = "one head, variable length"
by_then = ended_before(PUBLISHED_STEPS)
of_kind = partial(where, "kind")


def is_compared(row: Row) -> bool:
    return "kind" not in row
