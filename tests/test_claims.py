"""docs/claims.md says what its numbers say; `make claims` says whether they are still the runs'."""

import json
from pathlib import Path

import pytest

from interp_utils import Run, experiments
from interp_utils.experiments import shipping

ROOT = Path(__file__).parents[1]
DOCS, CHECKPOINTS = ROOT / "docs", ROOT / "checkpoints"
CLAIMS = [claim for experiment in experiments.every().values() for claim in experiment.all_claims]


def test_page_is_made_from_the_numbers():
    assert shipping.stale(DOCS) == [], "run: make claims"


@pytest.mark.parametrize("experiment", experiments.every().values(), ids=lambda e: e.name)
def test_numbers_are_of_the_runs_that_are_to_be_measured(experiment):
    rows = shipping.stored(DOCS)[experiment.name]
    assert set(rows) >= set(experiment.measured)
    of_other_runs = [name for name in rows if (CHECKPOINTS / name).exists()]
    assert set(of_other_runs) == set(experiment.measured)


@pytest.mark.parametrize(
    "experiment",
    [experiment for experiment in experiments.every().values() if experiment.shipped],
    ids=lambda e: e.name,
)
def test_numbers_are_those_of_a_shipped_run(experiment):
    """One run of each experiment, the smallest; `make claims` measures all."""
    name = min(experiment.measured, key=lambda name: shipping.size(CHECKPOINTS / name))
    row = experiment.row(Run.load(CHECKPOINTS / name))
    stored = shipping.stored(DOCS)[experiment.name][name]
    before = {measure: stored[measure] for measure in row}
    assert (
        shipping.differences({experiment.name: {name: before}}, {experiment.name: {name: row}})
        == []
    )


@pytest.mark.parametrize(
    "experiment",
    [experiment for experiment in experiments.every().values() if experiment.studies],
    ids=lambda e: e.name,
)
def test_numbers_are_those_of_its_studies(experiment):
    """Of an experiment without runs, all of them."""
    if not experiment.measured:
        stored, now = shipping.stored(DOCS)[experiment.name], experiment.together({}, DOCS)
        assert shipping.differences({experiment.name: stored}, {experiment.name: now}) == []


def test_differences_are_what_rounding_does_not_explain():
    before = {"x": {"run": {"loss": 1e-7, "share": 0.5, "keys": [1, 2], "step": 100}}}
    rounded = {"x": {"run": {"loss": 1.02e-7, "share": 0.504, "keys": (1, 2), "step": 100}}}
    assert shipping.differences(before, rounded) == []
    few_lists = {"sorting": {"run": {"whole": 0.002}}}, {"sorting": {"run": {"whole": 0.005}}}
    assert shipping.differences(*few_lists) == []
    assert (
        len(shipping.differences({"x": few_lists[0]["sorting"]}, {"x": few_lists[1]["sorting"]}))
        == 1
    )
    now = {"x": {"run": {"loss": 1.2e-7, "share": 0.6, "keys": [1, 3], "new": 1.0}}, "y": {}}
    assert shipping.differences(before, now) == [
        "x · run · loss: 1e-07 before, 1.2e-07 now",
        "x · run · share: 0.5 before, 0.6 now",
        "x · run · keys · 1: 2 before, 3 now",
        "x · run · step: 100 before, None now",
        "x · run · new: None before, 1.0 now",
        "y: None before, {} now",
    ]


@pytest.mark.parametrize("experiment", experiments.every().values(), ids=lambda e: e.name)
def test_claims_are_told_apart_and_say_what_they_ask(experiment):
    claims = experiment.all_claims
    assert len({claim.text for claim in claims}) == len(claims)
    assert all(claim.rule.words and claim.tolerance and claim.notebook for claim in claims)
    assert all(claim.says not in ("", "-") for claim in experiment.claims)
    assert not [claim.text for claim in claims if "|" in "".join((claim.text, claim.says))]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.text)
def test_claims_point_at_a_section_of_a_notebook(claim):
    number, _, section = claim.notebook.partition(" · ")
    (notebook,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    cells = json.loads(notebook.read_text())["cells"]
    assert any(f"## {section}" in "".join(cell["source"]).splitlines() for cell in cells)
