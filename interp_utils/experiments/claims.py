"""A claim, and its verdict on rows of numbers."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from interp_utils.experiments.rules import Row, Rule

Rows = dict[str, Row]  # run -> row
Undecided = Callable[[Row, bool], str | None]
HOLDS, PARTLY, FAILS, UNDECIDED = (
    "holds",
    "holds with a qualification",
    "does not hold",
    "undecided",
)


@dataclass(frozen=True)
class Claim:
    """What a source says, and the rule that decides the claim on one row.

    text:      the claim in short, by which the claim is found.
    source:    section, figure or table.
    says:      how the source says it, in one line; its own words in quotation marks.
    measure:   the number of the row that the rule is about.
    notebook:  number and section of the notebook that shows the claim, "04 · The phases".
    tolerance: how far the rule lets the number be from what the source says.
    counts:    what is counted where the measure is a list of numbers: "heads", "clusters". The rule
               is then about each number.
    about:     which rows the claim is about; None: those that the experiment's claims are about.
               Rows without the measure do not count.
    undecided: undecided(row, fulfilled) says why a row neither fulfils the claim nor refutes it, or
               None where it does; see `ended_before` and `other_settings`.
    """

    text: str
    source: str
    says: str
    measure: str
    rule: Rule
    notebook: str
    tolerance: str = "none"
    counts: str = ""
    about: Callable[[Row], bool] | None = None
    undecided: Undecided | None = None


own = partial(Claim, source="-", says="-")  # a claim that this suite found itself


def has(measure: str) -> Callable[[Row], bool]:
    """The rows that have a measure, for `about`."""
    return lambda row: measure in row


def where(column: str, *values: Any) -> Callable[[Row], bool]:
    """The rows that have one of these values in a column, for `about`."""
    return lambda row: row.get(column) in values


def ended_before(step: int) -> Undecided:
    """A run that does not fulfil the claim may still do so if it ended before this step."""

    def undecided(row: Row, fulfilled: bool) -> str | None:
        early = not fulfilled and row["steps"] < step
        return f"ended at {row['steps']:,}" if early else None

    return undecided


def ended_early(row: Row, fulfilled: bool) -> str | None:
    """A row that does not fulfil the claim may still do so, however long its training was."""
    return None if fulfilled else ended(row)


def while_it_lasted(row: Row, fulfilled: bool) -> str | None:
    """A row that fulfils the claim, that something never happens, may still break it."""
    return ended(row) if fulfilled else None


def ended(row: Row) -> str:
    """At which step the row's training ended, or by which step all of its trainings had."""
    return f"ended by {row['lengths'][-1]:,}" if "lengths" in row else f"ended at {row['steps']:,}"


def other_settings(what: str) -> Undecided:
    """Every row is undecided: the claim is about settings that no run here has."""
    return lambda row, fulfilled: what


@dataclass(frozen=True)
class Finding:
    """A rule for what notebooks look at in one run, beyond the claims of docs/claims.md.

    verdict: the verdict for the experiment's main run, about which the notebooks are written.
    """

    claim: Claim
    verdict: str = HOLDS


@dataclass(frozen=True)
class Verdict:
    """A claim on some rows: the number of each row, and how many rows fulfil and refute the claim.

    undecided: why the other rows do neither, one entry each.
    """

    claim: Claim
    values: tuple[Any, ...]
    fulfilled: int
    refuted: int
    undecided: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """ "holds" if every row that decides fulfils the rule; "with a qualification" if at least
        half of them do, or if most rows do not decide; "undecided" where no row decides.
        """
        deciding = self.fulfilled + self.refuted
        if deciding == 0:
            return UNDECIDED
        if self.refuted == 0 and deciding >= len(self.undecided):
            return HOLDS
        return PARTLY if self.fulfilled >= deciding / 2 else FAILS

    @property
    def holds(self) -> bool | None:
        """Whether the claim holds; None where it is undecided."""
        return None if self.word == UNDECIDED else self.word == HOLDS

    @property
    def measured(self) -> str:
        """The number, or median and range of several."""
        if not self.values:
            return "-"
        per_cent = "%" in self.claim.rule.words
        numbers = [float(value) for value in self.values]
        median = spell(statistics.median(numbers), per_cent)
        if len(numbers) == 1:
            return median
        return f"{median} ({spell(min(numbers), per_cent)} to {spell(max(numbers), per_cent)})"

    def __str__(self) -> str:
        deciding = self.fulfilled + self.refuted
        reasons = Counter(self.undecided)
        spelt = ", ".join(f"{n}: {why}" if len(reasons) > 1 else why for why, n in reasons.items())
        if deciding == 0:
            return f"{UNDECIDED} ({spelt})"
        what = f" {self.claim.counts}" if self.claim.counts else ""
        of = f"{self.fulfilled} of {deciding}{what}"
        counted = f"{self.word} ({of})" if deciding > 1 else self.word
        return f"{counted}; {len(self.undecided)} undecided ({spelt})" if reasons else counted


def spell(number: float, per_cent: bool = False) -> str:
    """Three digits, or all digits of a count or a step; a share in per cent if the rule is."""
    if per_cent:
        return f"{100 * number:.3g} %"
    if 1000 <= abs(number) < 1e6:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def concerned(claim: Claim, rows: Mapping[str, Row], usual: Callable[[Row], bool]) -> list[Row]:
    """The rows that a claim is about; usual: whether the experiment's claims are about a row. Rows
    without the measure, or with an empty list, are left out.
    """
    about = usual if claim.about is None else claim.about
    measured = [row for row in rows.values() if claim.measure in row]
    return [row for row in measured if len(_each(row[claim.measure])) and about(row)]


def verdict(claim: Claim, rows: Sequence[Row]) -> Verdict:
    """The verdict on the rows that the claim is about. Raises ValueError where there are none."""
    values = [(value, row) for row in rows for value in _each(row[claim.measure])]
    if not values:
        raise ValueError(f"no run has what the claim {claim.text!r} is about")
    decided, reasons = [], []
    for value, row in values:
        fulfilled = claim.rule(value, row)
        why = claim.undecided(row, fulfilled) if claim.undecided else None
        if why is None:
            decided.append(fulfilled)
        else:
            reasons.append(why)
    fulfilled, refuted = sum(decided), len(decided) - sum(decided)
    return Verdict(claim, tuple(value for value, _ in values), fulfilled, refuted, tuple(reasons))


def _each(measured: Any) -> Sequence[Any]:
    return measured if isinstance(measured, list | tuple) else [measured]
