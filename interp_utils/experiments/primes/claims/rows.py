"""Which rows the claims are about, and why a row may decide nothing."""

from __future__ import annotations

from collections.abc import Callable

from interp_utils.experiments.primes.recipes import BASES
from interp_utils.experiments.rules import Row
from interp_utils.measures.milestones import KNOWN

TOKENS = "15 · Tokens of their own"
LADDER, SPIKES = "15 · Digits, rows and fresh numbers", "15 · Is it float64?"
DOUBLE = ("float64 log-softmax", "float64")


def arm(name: str, *bases: int) -> Callable[[Row], bool]:
    return lambda row: row.get("arm") == name and row["base"] in (bases or BASES)


def tokens(row: Row) -> bool:
    return "learned in untrained rows" in row


def computed(what: str, *arms: str) -> Callable[[Row], bool]:
    """Trainings on a task of the study of precisions, computed in these ways."""
    return lambda row: row.get("trained on") == what and row["computed"] in arms


def not_memorised(row: Row, fulfilled: bool) -> str | None:
    """A model that is still learning its training numbers has not come to where grokking begins."""
    return None if row["train accuracy"] > KNOWN else "had not memorised by its end"


def not_there_yet(row: Row, fulfilled: bool) -> str | None:
    """The report's spikes come at losses of 1e-7 to 1e-5: whoever has been there has had them."""
    return None if fulfilled or row["last loss"] < 2e-7 else "ended at larger losses"


def may_still(row: Row, fulfilled: bool) -> str | None:
    """A training that has not generalised by its end."""
    return f"ended at {row['steps']:,}" if fulfilled else None
