"""An experiment's rules on numbers that a notebook computes itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interp_utils import experiments
from interp_utils.experiments import shipping
from interp_utils.experiments.claims import FAILS, HOLDS, Claim, Rows, Verdict, concerned, verdict
from interp_utils.experiments.rules import Row, Rule
from interp_utils.runs.run import Run

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

NOT_ABOUT = "not about this run"


class Checks:
    """The verdicts of an experiment's claims and findings, as a notebook goes along.

    In a notebook's first cell, and then where each claim is shown:

        run = Run.load(presets.run_path("../checkpoints/modular_addition"))
        checks = Checks(run, "addition")

        checks({"neurons clustered": share})
        checks({"restricted loss": restricted, "full loss": full})
        checks.summary()                                      # at its end

        runs = {path.name: Run.load(path) for path in paths}  # of several runs
        checks = Checks(runs, "powers")
        rows = {name: powers.row(run) for name, run in runs.items()}
        checks(rows)                                          # every claim, or
        checks(rows, "excluded loss")                         # those about one measure
        checks({"all runs": {"order of Table 1": order}})
        checks = Checks(runs, "powers", main=runs["mine"])    # one of them is looked into
        checks.says("the largest is the first", largest == 0) # in the text, of this run

        checks = Checks(Path("../docs"), "phase_diagrams")    # of what ships as tables, no runs
        checks(experiments.every()["phase_diagrams"].together({}, docs))

    Each call is a table: every claim that is about one of the numbers, with what its source says,
    its rule and its verdict. The rule stands with the claim and nowhere else; a line in a figure is
    at checks.rule("the model has few key frequencies").high.

    For runs that ship the verdict must be the one that docs/claims.json records, and for the run
    that the notebooks are written about every finding must be as its text says: else AssertionError
    names the claim. For other runs a verdict is only shown.

    experiment: its name. required: True where every claim must hold. main: of several runs the one
    that the text speaks of, where it speaks of one.
    """

    def __init__(
        self,
        runs: Run | Mapping[str, Run] | Path,
        experiment: str,
        *,
        required: bool = False,
        main: Run | None = None,
    ) -> None:
        self.experiment = experiments.every()[experiment]
        self.required = required
        self.row: Row = known(runs) | self.experiment.facts(runs) if isinstance(runs, Run) else {}
        self.name = runs.path.name if isinstance(runs, Run) else None
        if isinstance(runs, Path):
            self.recorded = shipping.stored(runs)[experiment]
        else:
            every = [runs] if isinstance(runs, Run) else list(runs.values())
            self.recorded = recorded(every, experiment)
        self.checked: dict[str, Verdict | None] = {}
        spoken_of = runs if isinstance(runs, Run) else main
        ours = spoken_of is not None and bool(recorded([spoken_of], experiment))
        self.is_main = ours and spoken_of.path.name == self.experiment.main
        self.said: dict[str, bool] = {}

    def __call__(self, numbers: Mapping[str, Any], *only: str) -> Styler:
        """The claims about these numbers as a table: {measure: number} of the run, or {name: row}.

        only: the measures whose claims are asked for; by default all that are given.

        Raises ValueError if no claim is about any of them, or if a rule needs a number that was not
        given.
        """
        rows = {name: dict(row) for name, row in numbers.items() if isinstance(row, Mapping)}
        measures = {measure for row in rows.values() for measure in row}
        if not rows:
            self.row |= numbers
            rows, measures = {self.name: self.row}, set(numbers)
        if only:
            measures &= set(only)
        claims = [claim for claim in self.experiment.all_claims if claim.measure in measures]
        if not claims:
            asked = ", ".join(map(repr, only or numbers))
            raise ValueError(f"no claim of {self.experiment.name} is about {asked}")
        found = {claim.text: self._check(claim, rows) for claim in claims}
        self.checked |= found
        return self._table(found)

    def says(self, text: str, holds: bool) -> None:
        """What the notebook's text says of the run that it is written about, for which it must
        hold: else AssertionError. For another run it is a line of the summary.
        """
        if self.is_main and not holds:
            raise AssertionError(f"the text says {text!r}, which does not hold")
        self.said[text] = bool(holds)

    def summary(self) -> Styler:
        """All verdicts so far; where the text is about another run, also what it says of that."""
        return self._table(self.checked, {} if self.is_main else self.said)

    def count(self, word: str = HOLDS) -> int:
        """How many of the verdicts so far are this one."""
        return sum(_word(found) == word for found in self.checked.values())

    def rule(self, text: str) -> Rule:
        """A claim's rule, with its bounds."""
        return self._claims[text].rule

    @property
    def _claims(self) -> dict[str, Claim]:
        return {claim.text: claim for claim in self.experiment.all_claims}

    def _check(self, claim: Claim, rows: Rows) -> Verdict | None:
        found, expected = self._verdict(claim, rows), self._expected(claim, rows)
        if expected is not None and _word(found) != expected:
            value = NOT_ABOUT if found is None else found.measured
            raise AssertionError(
                f"{claim.text!r} should be {expected!r} for this run and is {_word(found)!r}: "
                f"{claim.measure} = {value}, rule: {claim.rule.words}"
            )
        return found

    def _expected(self, claim: Claim, rows: Rows) -> str | None:
        if self.required:
            return HOLDS
        having = [name for name, row in rows.items() if claim.measure in row]
        before = {name: self.recorded.get(name, {}) for name in having}
        if before and all(claim.measure in row for row in before.values()):
            return _word(self._verdict(claim, before))
        stated = {finding.claim.text: finding.verdict for finding in self.experiment.findings}
        is_main = self.name is not None and self.is_main
        return stated.get(claim.text) if is_main else None

    def _verdict(self, claim: Claim, rows: Rows) -> Verdict | None:
        try:
            about = concerned(claim, rows, self.experiment.about)
            return verdict(claim, about) if about else None
        except KeyError as missing:
            raise ValueError(
                f"the claim {claim.text!r} is decided by {claim.measure!r} and {missing} together; "
                "check both at once, or the other one first"
            ) from None

    def _table(
        self, found: Mapping[str, Verdict | None], said: Mapping[str, bool] | None = None
    ) -> Styler:
        import pandas as pd

        rows: list[dict[str, str]] = [
            {
                "claim": text,
                "source": self._claims[text].source,
                "the source says": self._claims[text].says,
                "measured": "-" if one is None else one.measured,
                "rule": self._claims[text].rule.words,
                "verdict": NOT_ABOUT if one is None else str(one),
            }
            for text, one in found.items()
        ]
        words = {True: HOLDS, False: FAILS}
        rows += [{"claim": text, "verdict": words[holds]} for text, holds in (said or {}).items()]
        table = pd.DataFrame(rows).fillna("-").style.hide(axis="index")
        return table.set_properties(**{"text-align": "left"})


def known(run: Run) -> Row:
    """What rules ask of any run, beside the numbers that a notebook computes.

    Where nobody knows which pairs were for training, accuracy on all of them is what tells whether
    a claim on models that generalise is about the run.
    """
    row: Row = {"steps": run.step}
    if getattr(run.task, "operands", ()):
        row["p"] = run.task.grid[0]
    for name in ("all_accuracy", "test_accuracy"):
        if len(run.metrics) and name in run.metrics:
            row["test accuracy"] = float(run.metrics[name].iloc[-1])
    return row


def recorded(runs: list[Run], experiment: str) -> Rows:
    """The experiment's rows in docs/claims.json, if all these runs ship; else nothing."""
    folders = {run.path.resolve().parent for run in runs}
    folder = folders.pop()
    docs = folder.parent / "docs"
    if folders or folder.name != "checkpoints" or not (docs / shipping.NUMBERS).exists():
        return {}
    return shipping.stored(docs).get(experiment, {})


def _word(found: Verdict | None) -> str:
    return NOT_ABOUT if found is None else found.word
