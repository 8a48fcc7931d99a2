"""A claim against rows: its verdict, and the tables of docs/claims.md."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from interp_utils.experiments.base import Claim, Experiment, Row, Rows

INTRO = (
    "# Published claims, checked\n\n"
    "Made by `make claims` from the runs in `checkpoints/`; the check of every change measures "
    "them again. A claim *holds* if every run it\n"
    "is about fulfils the rule, *with a qualification* if at least half do.\n"
)
TITLES = (
    "claim",
    "source",
    "published",
    "measured: median (range), runs",
    "rule",
    "verdict",
)


def concerned(experiment: Experiment, claim: Claim, rows: Rows) -> list[Row]:
    """The rows that a claim is about."""
    about = claim.about or experiment.about
    return [row for row in rows.values() if claim.measure in row and about(row)]


def verdict(claim: Claim, rows: Sequence[Row]) -> str:
    """ "holds" if every row fulfils the rule, "with a qualification" if at least half do."""
    if not rows:
        raise ValueError(f"no run has what the claim {claim.text!r} is about")
    fulfilled = sum(claim.holds(row) for row in rows)
    if fulfilled == len(rows):
        return "holds"
    word = "holds with a qualification" if fulfilled >= len(rows) / 2 else "does not hold"
    return f"{word} ({fulfilled} of {len(rows)})"


def page(experiments: Sequence[Experiment], numbers: dict[str, Rows]) -> str:
    """docs/claims.md from the numbers of docs/claims.json, in the order of the notebooks."""
    in_order = sorted(
        experiments, key=lambda experiment: min(c.notebook for c in experiment.claims)
    )
    lines = [INTRO]
    for experiment in in_order:
        lines += section(experiment, numbers[experiment.name])
    return "\n".join(lines)


def section(experiment: Experiment, rows: Rows) -> list[str]:
    """An experiment's part of the page: what it is about, a row for each claim, its own table."""
    beside = [experiment.beside(row) for row in rows.values()]
    columns = list(dict.fromkeys(name for name in beside if name is not None))
    titles = [*TITLES, *columns, "notebook, section"]
    return [
        f"## {experiment.title}",
        "",
        *experiment.intro(rows),
        "",
        f"| {' | '.join(titles)} |",
        "|---" * len(titles) + "|",
        *(_line(experiment, claim, rows, columns) for claim in experiment.claims),
        "",
        *experiment.table(rows),
        "",
    ]


def _line(experiment: Experiment, claim: Claim, rows: Rows, columns: Sequence[str]) -> str:
    about = concerned(experiment, claim, rows)
    deciding = [row for row in about if experiment.beside(row) is None]
    others = [
        _tally(claim, [row for row in about if experiment.beside(row) == name]) for name in columns
    ]
    cells = (
        claim.text,
        claim.source,
        claim.published,
        _measured([row[claim.measure] for row in deciding]),
        claim.rule,
        verdict(claim, deciding),
        *others,
        claim.notebook,
    )
    return f"| {' | '.join(cells)} |"


def _measured(values: Sequence[float | int]) -> str:
    if not values:
        return "-"
    median, low, high = statistics.median(values), min(values), max(values)
    return f"{median:.3g} ({low:.3g} to {high:.3g}), {len(values)}"


def _tally(claim: Claim, rows: Sequence[Row]) -> str:
    return ", ".join("yes" if claim.holds(row) else "no" for row in rows) or "-"
