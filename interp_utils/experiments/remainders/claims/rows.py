"""Which rows a claim is about."""

from __future__ import annotations

from collections.abc import Callable

from interp_utils.experiments.rules import Row


def of_kind(*kinds: str) -> Callable[[Row], bool]:
    return lambda row: row.get("kind") in kinds


def has(measure: str) -> Callable[[Row], bool]:
    return lambda row: measure in row


OURS, ADDITION = of_kind("T_miiii"), of_kind("T_nanda")
