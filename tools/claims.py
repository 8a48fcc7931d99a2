"""A published claim, the rule that decides it on one run, and the table of verdicts."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"

Row = dict[str, Any]  # measure -> number, of one run or one seed
Rows = dict[str, Row]


class Claim(NamedTuple):
    """holds: a rule on one row. Rows that lack the measure, or that the claim is not `about`, do
    not count.
    """

    text: str
    source: str
    published: str
    measure: str
    holds: Callable[[Row], bool]
    rule: str
    notebook: str
    about: Callable[[Row], bool] | None = None


class Suite(NamedTuple):
    """The claims about one task. beside: the name of a column for rows that do not decide the
    verdict.
    """

    title: str
    intro: Callable[[Rows], list[str]]
    measure: Callable[[], Rows]
    claims: list[Claim]
    table: Callable[[Rows], list[str]]
    about: Callable[[Row], bool] = lambda row: True
    beside: Callable[[Row], str | None] = lambda row: None


def concerned(suite: Suite, claim: Claim, rows: Rows) -> list[Row]:
    about = claim.about or suite.about
    return [row for row in rows.values() if claim.measure in row and about(row)]


def verdict(claim: Claim, rows: list[Row]) -> str:
    """ "holds" if every row fulfils the rule, "with a qualification" if at least half do."""
    if not rows:
        raise ValueError(f"no run has what the claim {claim.text!r} is about")
    fulfilled = sum(claim.holds(row) for row in rows)
    if fulfilled == len(rows):
        return "holds"
    word = "holds with a qualification" if fulfilled >= len(rows) / 2 else "does not hold"
    return f"{word} ({fulfilled} of {len(rows)})"


def render(suite: Suite, rows: Rows) -> list[str]:
    columns = list(dict.fromkeys(name for row in rows.values() if (name := suite.beside(row))))
    lines = [f"## {suite.title}", "", *suite.intro(rows), ""]
    titles = [
        "claim",
        "source",
        "published",
        "measured: median (range), runs",
        "rule",
        "verdict",
        *columns,
        "notebook, section",
    ]
    lines.append(f"| {' | '.join(titles)} |")
    lines.append("|---" * (7 + len(columns)) + "|")
    for claim in suite.claims:
        about = concerned(suite, claim, rows)
        main = [row for row in about if suite.beside(row) is None]
        values = [row[claim.measure] for row in main]
        measured = (
            f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g}), "
            f"{len(values)}"
        )
        others = [
            _tally(claim, [row for row in about if suite.beside(row) == name]) for name in columns
        ]
        cells = (
            claim.text,
            claim.source,
            claim.published,
            measured,
            claim.rule,
            verdict(claim, main),
            *others,
            claim.notebook,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", *suite.table(rows), ""]


def _tally(claim: Claim, rows: list[Row]) -> str:
    return ", ".join("yes" if claim.holds(row) else "no" for row in rows) or "-"
