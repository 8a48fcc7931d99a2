"""Rules on numbers that a notebook computes: shown for any run, held for the runs that ship."""

import json
from pathlib import Path

import pandas as pd
import pytest

from interp_utils import Checks, Run, experiments, presets, tasks

ROOT = Path(__file__).parents[1]
MAIN = ROOT / "checkpoints" / "modular_addition"
FINDINGS = [
    finding for experiment in experiments.every().values() for finding in experiment.findings
]


@pytest.fixture(scope="module")
def main():
    return Run.load(MAIN)


def shown(table) -> pd.DataFrame:
    return table.data


def test_a_number_gets_the_rows_of_the_claims_about_it(main):
    checks = Checks(main, "addition")
    row = shown(checks({"neurons clustered": 0.86})).iloc[0]
    assert row["verdict"] == "holds" and row["measured"] == "86 %"
    assert row["rule"] == "above 50 %" and "84.6 %" in row["the source says"]
    checks({"number of key frequencies": 4})
    assert list(shown(checks.summary())["measured"]) == ["86 %", "4"] and checks.count() == 2
    assert checks.rule("the model has few key frequencies").high == 6, "a line in a figure"


def test_a_run_that_ships_must_have_the_verdict_that_is_recorded(main):
    with pytest.raises(AssertionError, match="'most neurons have one frequency' should be 'holds'"):
        Checks(main, "addition")({"neurons clustered": 0.3})
    refuted = shown(Checks(main, "addition")({"residual of W_L": 0.1}))
    assert list(refuted["verdict"]) == ["does not hold"]
    with pytest.raises(AssertionError, match="should be 'does not hold'"):
        Checks(main, "addition")({"residual of W_L": 0.001})


def test_what_ships_as_tables_must_have_the_verdict_that_is_recorded():
    docs = ROOT / "docs"
    rows = experiments.every()["phase_diagrams"].together({}, docs)
    checks = Checks(docs, "phase_diagrams")
    measure = "phases that occur"
    assert len(shown(checks(rows, measure))) == checks.count() + checks.count("does not hold") == 1
    other = {
        name: row | {measure: 7 - row[measure]} for name, row in rows.items() if measure in row
    }
    with pytest.raises(AssertionError, match="'all four learning phases occur' should be"):
        checks(other, measure)


def test_a_finding_must_be_as_the_notebooks_say_for_the_main_run_alone(main):
    false = {"power of W_E on keys": 0.2}
    with pytest.raises(AssertionError, match="the embedding is sparse"):
        Checks(main, "addition")(false)
    other = Run.load(ROOT / "checkpoints" / "p64_seed0")
    assert list(shown(Checks(other, "addition")(false))["verdict"]) == ["does not hold"]


def test_of_a_run_of_ones_own_verdicts_are_only_shown(small_run):
    numbers = {"neurons clustered": 0.1, "power of W_E on keys": 0.99}
    checks = Checks(small_run, "addition")
    assert set(shown(checks(numbers))["verdict"]) <= {
        "holds",
        "does not hold",
        "not about this run",
    }
    with pytest.raises(AssertionError, match="should be 'holds'"):
        Checks(small_run, "addition", required=True)({"number of key frequencies": 20})


def test_claims_about_grokked_models_are_not_about_a_memoriser():
    memoriser = Run.load(ROOT / "checkpoints" / "memoriser")
    table = shown(Checks(memoriser, "addition")({"neurons clustered": 0.9}))
    assert list(table["verdict"]) == ["not about this run"]


@pytest.mark.parametrize(("steps", "expected"), [(60, "not about this run"), (10**4, "holds")])
def test_where_nobody_knows_the_training_pairs_accuracy_on_all_decides(steps, expected, tmp_path):
    grokked = Run.load(ROOT / "checkpoints" / "p59_seed0").weights()
    weights = grokked if steps > 60 else {name: 0 * weight for name, weight in grokked.items()}
    task = tasks.modular_addition(59, train="unknown")
    run = Run.from_checkpoints({steps: weights}, task, out=tmp_path / "run", progress=False)
    table = shown(Checks(run, "addition")({"neurons clustered": 0.9}))
    assert list(table["verdict"]) == [expected]


def test_a_rule_may_ask_numbers_that_were_checked_before(main):
    checks = Checks(main, "addition")
    checks({"memorisation ends": 1400})
    table = shown(checks({"circuit formation ends": 11500}))
    assert list(table["measured"]) == ["11,500"] and list(table["verdict"]) == ["holds"]
    with pytest.raises(
        ValueError, match="'circuit formation ends' and 'memorisation ends' together"
    ):
        Checks(main, "addition")({"circuit formation ends": 11500})


def test_numbers_of_heads_count_one_by_one(main):
    recorded = Checks(main, "addition").recorded["modular_addition"]["attention fit"]
    table = shown(Checks(main, "addition")({"attention fit": recorded}))
    assert table["verdict"][0].endswith("of 4 heads)")


def test_rows_of_several_runs_are_judged_together(main):
    runs = {name: Run.load(ROOT / "checkpoints" / name) for name in ("p113_seed1", "p113_seed5")}
    checks = Checks(runs, "addition")
    rows = {name: {"test accuracy": checks.recorded[name]["test accuracy"]} for name in runs}
    rows = {name: row | {"steps": runs[name].step} for name, row in rows.items()}
    table = shown(checks(rows)).set_index("claim")
    assert table.loc["the model generalises", "verdict"].startswith("holds")
    for row in rows.values():
        row["test accuracy"] = 0.5
    with pytest.raises(AssertionError, match="'the model generalises' should be 'holds'"):
        checks(rows)
    assert Checks({"main": main, **runs}, "addition").recorded
    own = Checks(runs | {"mine": Run(Path("elsewhere/mine"), main.manifest, {})}, "addition")
    assert own.recorded == {}, "one that does not ship: verdicts are shown"


def test_rows_without_a_measure_leave_its_verdict_to_those_that_have_it(main):
    names = ("modular_addition", "p113_seed1")
    checks = Checks({name: Run.load(ROOT / "checkpoints" / name) for name in names}, "addition")
    rows = {name: dict(checks.recorded[name]) for name in names}
    table = shown(checks(rows, "test accuracy"))
    assert set(table["claim"]) == {"the model generalises"}, "the claims that were asked for alone"
    for other in (checks.recorded, rows):
        del other["p113_seed1"]["test accuracy"]
    assert len(shown(checks(rows, "test accuracy"))) == 1
    rows["modular_addition"]["test accuracy"] = 0.5
    with pytest.raises(AssertionError, match="'the model generalises' should be 'holds'"):
        checks(rows, "test accuracy")
    with pytest.raises(ValueError, match="no claim of addition is about 'steps'"):
        checks(rows, "steps")


def test_a_number_that_no_claim_is_about_is_a_mistake(main):
    with pytest.raises(ValueError, match="no claim of addition is about 'neurons clusterd'"):
        Checks(main, "addition")({"neurons clusterd": 0.9})


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.claim.text)
def test_findings_point_at_a_section_that_checks_them(finding):
    number, _, section = finding.claim.notebook.partition(" · ")
    (notebook,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    cells = ["".join(cell["source"]) for cell in json.loads(notebook.read_text())["cells"]]
    assert any(f"## {section}" in cell.splitlines() for cell in cells)
    assert any(finding.claim.measure in cell and "checks(" in cell for cell in cells)


def test_findings_have_names_of_their_own():
    texts = [finding.claim.text for finding in FINDINGS]
    assert len(set(texts)) == len(texts)


def test_the_variable_names_another_run(monkeypatch):
    monkeypatch.delenv("INTERP_RUN", raising=False)
    assert str(presets.run_path("../checkpoints/x")) == "../checkpoints/x"
    monkeypatch.setenv("INTERP_RUN", "../runs/mine")
    assert str(presets.run_path("../checkpoints/x")) == "../runs/mine"


def test_what_the_text_says_must_hold_of_the_run_it_is_written_about_alone(main):
    with pytest.raises(AssertionError, match="the text says 'keys are even'"):
        Checks(main, "addition").says("keys are even", False)
    checks = Checks(main, "addition")
    checks({"neurons clustered": 0.86})
    checks.says("keys are odd", True)
    assert list(shown(checks.summary())["claim"]) == ["most neurons have one frequency"]
    runs = {name: Run.load(ROOT / "checkpoints" / name) for name in ("p64_seed0", "p59_seed0")}
    checks = Checks(runs | {"main": main}, "addition", main=runs["p64_seed0"])
    checks.says("keys are even", False)
    checks.says("keys are odd", True)
    said = shown(checks.summary()).set_index("claim")["verdict"]
    assert dict(said) == {"keys are even": "does not hold", "keys are odd": "holds"}
    with pytest.raises(AssertionError, match="keys are even"):
        Checks(runs | {"main": main}, "addition", main=main).says("keys are even", False)
