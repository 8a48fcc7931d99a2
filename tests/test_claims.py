"""docs/claims.md says what the shipped runs say."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("make_claims", ROOT / "tools" / "make_claims.py")
claims = importlib.util.module_from_spec(spec)
spec.loader.exec_module(claims)


@pytest.fixture(scope="module")
def stored():
    return json.loads(claims.NUMBERS.read_text())


def test_table_is_made_from_the_numbers(stored):
    assert claims.TABLE.read_text() == claims.render(stored), "run: python tools/make_claims.py"


def test_numbers_are_those_of_the_shipped_runs(stored):
    """Measured again; ablated losses of a model that is right to 1e-7 may move by a few per cent with a machine's rounding."""
    measured = claims.measure()
    assert measured.keys() == stored.keys(), "run: python tools/make_claims.py"
    for name, run in measured.items():
        assert run.keys() == stored[name].keys()
        for measure, value in run.items():
            expected = stored[name][measure]
            assert value == (expected if isinstance(value, list) else pytest.approx(expected, rel=0.05)), f"{measure} of {name}"


def test_verdicts_follow_the_rule():
    claim = claims.Claim("x", "", "", "x", lambda run: run["x"] > 0, "", "")
    assert claims.verdict(claim, [{"x": 1}, {"x": 2}]) == "holds"
    assert claims.verdict(claim, [{"x": 1}, {"x": -2}]) == "holds with a qualification (1 of 2)"
    assert claims.verdict(claim, [{"x": 1}, {"x": -1}, {"x": -2}]) == "does not hold (1 of 3)"


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.text)
def test_claims_point_at_a_section_of_a_notebook(claim):
    number, _, section = claim.notebook.partition(" · ")
    (notebook,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    cells = json.loads(notebook.read_text())["cells"]
    assert any(f"## {section}" in "".join(cell["source"]).splitlines() for cell in cells)
