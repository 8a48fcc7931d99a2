"""An experiment's rules on numbers that a notebook computes itself about one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from interp_utils import experiments
from interp_utils.experiments import shipping
from interp_utils.experiments.base import Claim, Experiment, Row
from interp_utils.experiments.verdicts import verdict
from interp_utils.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

NOT_ABOUT = "not about this run"


class Checked(NamedTuple):
    """A claim, the number that a notebook found, and what the claim's rule says of it."""

    claim: Claim
    value: float
    verdict: str


class Checks:
    """The verdicts of an experiment's claims and findings on one run, as a notebook goes along.

    checks({"neurons clustered": share}) is a table: every claim that is about one of these numbers,
    with what was published, its rule and its verdict. `checks.summary()` has all verdicts so far.

    For a run that ships the verdict must be the one that docs/claims.json records, and for the run
    that the notebooks are written about every finding must be as its text says: else AssertionError
    names the claim. For another run a verdict is only shown.

    experiment: its name. required: True where every claim must hold.
    """

    def __init__(self, run: Run, experiment: str, *, required: bool = False) -> None:
        self.experiment = experiments.every()[experiment]
        self.required = required
        self.row = _known(run)
        self.recorded = _recorded(run, self.experiment)
        self.is_main = run.path.name == self.experiment.main and bool(self.recorded)
        self.checked: dict[str, Checked] = {}

    def __call__(self, numbers: Row) -> Styler:
        """The claims about these numbers as a table. Raises ValueError if there is none."""
        self.row |= numbers
        found = [self._check(claim) for claim in self._claims if claim.measure in numbers]
        if not found:
            raise ValueError(
                f"no claim of {self.experiment.name} is about {', '.join(map(repr, numbers))}"
            )
        self.checked |= {checked.claim.text: checked for checked in found}
        return _table(found)

    def summary(self) -> Styler:
        """All verdicts so far."""
        return _table(list(self.checked.values()))

    def count(self, word: str = "holds") -> int:
        """How many of the verdicts so far are this one."""
        return sum(checked.verdict == word for checked in self.checked.values())

    @property
    def _claims(self) -> list[Claim]:
        return [*self.experiment.claims, *(finding.claim for finding in self.experiment.findings)]

    def _check(self, claim: Claim) -> Checked:
        found = Checked(claim, self.row[claim.measure], self._verdict(claim, self.row))
        expected = self._expected(claim)
        if expected is not None and found.verdict != expected:
            raise AssertionError(
                f"{claim.text!r} should be {expected!r} for this run and is {found.verdict!r}: "
                f"{claim.measure} = {found.value}, rule: {claim.rule}"
            )
        return found

    def _expected(self, claim: Claim) -> str | None:
        if self.required:
            return "holds"
        if claim.measure in self.recorded:
            return self._verdict(claim, self.recorded)
        stated = {finding.claim.text: finding.verdict for finding in self.experiment.findings}
        return stated.get(claim.text) if self.is_main else None

    def _verdict(self, claim: Claim, row: Row) -> str:
        about = claim.about or self.experiment.about
        if not about(row):
            return NOT_ABOUT
        return verdict(claim, [row]).partition(" (")[0]


def _known(run: Run) -> Row:
    """What rules ask of any run, beside the numbers that a notebook computes."""
    known: Row = {"steps": run.step}
    if run.task.operands:
        known["p"] = run.task.grid[0]
    if len(run.metrics) and "test_accuracy" in run.metrics:
        known["test accuracy"] = float(run.metrics["test_accuracy"].iloc[-1])
    return known


def _recorded(run: Run, experiment: Experiment) -> Row:
    """The run's row in docs/claims.json, for a run that ships; else nothing."""
    docs = run.path.resolve().parents[1] / "docs"
    if run.path.resolve().parent.name != "checkpoints" or not (docs / shipping.NUMBERS).exists():
        return {}
    return shipping.stored(docs)[experiment.name].get(run.path.name, {})


def _table(found: list[Checked]) -> Styler:
    import pandas as pd

    rows: list[Mapping[str, str]] = [
        {
            "claim": checked.claim.text,
            "source": checked.claim.source,
            "published": checked.claim.published,
            "this run": _written(checked),
            "rule": checked.claim.rule,
            "verdict": checked.verdict,
        }
        for checked in found
    ]
    table: pd.DataFrame = pd.DataFrame(rows)
    return table.style.hide(axis="index").set_properties(**{"text-align": "left"})


def _written(checked: Checked) -> str:
    """The number as its rule is written: a percentage, a step, or three digits."""
    in_per_cent = "%" in checked.claim.rule or "%" in checked.claim.published
    if in_per_cent:
        return f"{checked.value:.1%}"
    is_step = isinstance(checked.value, int)
    return f"{checked.value:,}" if is_step else f"{checked.value:.3g}"
