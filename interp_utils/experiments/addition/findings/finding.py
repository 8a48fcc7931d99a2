"""A finding whose rule depends on one number alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp_utils.experiments.claims import HOLDS, Claim, Finding
from interp_utils.experiments.rules import Row, Rule


def finding(
    notebook: str,
    text: str,
    measure: str,
    rule: str,
    holds: Callable[[Any], bool],
    *,
    source: str = "this suite",
    published: str = "-",
    verdict: str = HOLDS,
    about: Callable[[Row], bool] | None = None,
) -> Finding:
    """A finding. rule: what `holds` requires of the measure, in words."""
    asked = Rule(rule, lambda value, row: holds(value))
    return Finding(Claim(text, source, published, measure, asked, notebook, about=about), verdict)
