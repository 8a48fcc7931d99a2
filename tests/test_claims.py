"""docs/claims.md says what the shipped runs say."""

import json
from pathlib import Path

import pytest

from tools import make_claims
from tools.claims import Claim, verdict

ROOT = Path(__file__).parents[1]
CLAIMS = [claim for suite in make_claims.SUITES for claim in suite.claims]


@pytest.fixture(scope="module")
def stored():
    return json.loads(make_claims.NUMBERS.read_text())


def test_table_is_made_from_the_numbers(stored):
    assert make_claims.TABLE.read_text() == make_claims.page(stored), (
        "run: python -m tools.make_claims"
    )


@pytest.mark.parametrize("suite", make_claims.SUITES, ids=lambda suite: suite.title)
def test_numbers_are_those_of_the_shipped_runs(suite, stored):
    """Measured again; ablated losses of a model that is right to 1e-7 may move by a few per cent
    with a machine's rounding.
    """
    measured, expected = suite.measure(), stored[suite.title]
    assert measured.keys() == expected.keys(), "run: python -m tools.make_claims"
    for name, row in measured.items():
        assert row.keys() == expected[name].keys()
        for measure, value in row.items():
            before = expected[name][measure]
            share = (
                suite.title == "Sorting"
            )  # shares of 1,000 lists, where another machine's rounding may move a few
            close = (
                pytest.approx(before, rel=0.05, abs=5e-3 if share else 1e-12)
                if isinstance(value, float)
                else before
            )
            assert value == close, f"{measure} of {name}"


def test_verdicts_follow_the_rule():
    claim = Claim("x", "", "", "x", lambda row: row["x"] > 0, "", "")
    assert verdict(claim, [{"x": 1}, {"x": 2}]) == "holds"
    assert verdict(claim, [{"x": 1}, {"x": -2}]) == "holds with a qualification (1 of 2)"
    assert verdict(claim, [{"x": 1}, {"x": -1}, {"x": -2}]) == "does not hold (1 of 3)"
    with pytest.raises(ValueError, match="no run has what the claim 'x' is about"):
        verdict(claim, [])


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.text)
def test_claims_point_at_a_section_of_a_notebook(claim):
    number, _, section = claim.notebook.partition(" · ")
    (notebook,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    cells = json.loads(notebook.read_text())["cells"]
    assert any(f"## {section}" in "".join(cell["source"]).splitlines() for cell in cells)
