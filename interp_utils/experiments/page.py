"""docs/claims.md: every claim with its verdict, made from the numbers of docs/claims.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interp_utils.experiments.base import Experiment
from interp_utils.experiments.claims import UNDECIDED, Claim, Rows, Verdict, concerned, verdict
from interp_utils.experiments.rules import Row, line

INTRO = """# Published claims, checked

Made by `make claims` from the runs in `checkpoints/`, which the check of every change measures
again.

Each row says how the source puts the claim (in its own words where they stand in quotation marks),
which number was measured, the rule that the number must fulfil, and how far from what the source
says the rule lets it be. A claim *holds* if every run that decides it fulfils the rule, *with a
qualification* if at least half do, or if most runs decide nothing. A run that ended before the
claim could show, or whose settings are not the claim's, decides nothing: *undecided*. A number of
several runs is their median, with the smallest and the largest.
"""
OWN = "What this suite found that was not published, by the same rules:"


def page(experiments: Sequence[Experiment], numbers: Mapping[str, Rows]) -> str:
    """The whole page, experiments in the order of their notebooks."""
    in_order = sorted(experiments, key=first_notebook)
    lines = [INTRO]
    for experiment in in_order:
        lines += section(experiment, numbers[experiment.name])
    return "\n".join(lines)


def first_notebook(experiment: Experiment) -> str:
    return min(claim.notebook for claim in experiment.claims)


def section(experiment: Experiment, rows: Rows) -> list[str]:
    """An experiment's part of the page: introduction, claims, findings, and its own table."""
    beside = [experiment.beside(row) for row in rows.values()]
    columns = list(dict.fromkeys(name for name in beside if name is not None))
    lines = [f"## {experiment.title}", "", *experiment.intro(rows), ""]
    lines += _claims(experiment, experiment.claims, rows, columns, published=True)
    if experiment.own:
        lines += ["", OWN, ""]
        lines += _claims(experiment, experiment.own, rows, columns, published=False)
    return [*lines, "", *experiment.table(rows), ""]


def _claims(
    experiment: Experiment,
    claims: Sequence[Claim],
    rows: Rows,
    columns: Sequence[str],
    *,
    published: bool,
) -> list[str]:
    first = ["claim", "source", "the source says"] if published else ["finding"]
    titles = [*first, "measured", "rule", "tolerance", "runs", "verdict", *columns, "notebook"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for claim in claims:
        about = concerned(claim, rows, experiment.about)
        deciding = [row for row in about if experiment.beside(row) is None]
        found = verdict(claim, deciding) if deciding else Verdict(claim, (), 0, 0, ("no run yet",))
        others = [
            _tally(claim, [row for row in about if experiment.beside(row) == name])
            for name in columns
        ]
        said = [claim.text, claim.source, claim.says] if published else [claim.text]
        cells = [
            *said,
            f"{claim.measure}: {found.measured}",
            claim.rule.words,
            claim.tolerance,
            runs(deciding) if deciding else "none",
            str(found),
            *others,
            claim.notebook,
        ]
        lines.append(line(cells))
    return lines


def runs(rows: Sequence[Row]) -> str:
    """The number of runs and their steps: "8 of 15,000 to 25,000 steps". A row of several runs has
    their number ("runs", 0 where counting decides), and the shortest and longest "lengths".
    """
    number = sum(row.get("runs", 1) for row in rows)
    own = [row.get("lengths", [row["steps"]] if "steps" in row else []) for row in rows]
    steps = sorted({length for lengths in own for length in lengths})
    if not steps:
        return str(number) if number else "none"
    lengths = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}"
    return f"{number} of {lengths} steps"


def _tally(claim: Claim, rows: Sequence[Row]) -> str:
    """Yes, no or undecided for each row."""
    words = {True: "yes", False: "no", None: UNDECIDED}
    return ", ".join(words[verdict(claim, [row]).holds] for row in rows) or "-"
