"""Group composition as an experiment: rows and snapshots."""

import math
from pathlib import Path

import pytest
import torch

from interp_utils import ModelConfig, Run, TrainConfig, experiments, progress, tasks, train
from interp_utils.experiments.claims import FAILS, HOLDS, UNDECIDED, verdict
from interp_utils.experiments.groups import about, claims, findings, row, together
from interp_utils.group_tables import inverses
from interp_utils.measures import group_circuits, group_readings

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    task = tasks.group_composition("S3", frac_train=0.7)
    config = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
    training = TrainConfig(steps=20, snapshot_every=10)
    return train(task, config, training, out=tmp_path_factory.mktemp("group"), progress=False)


def test_a_run_on_a_group_is_one_of_the_experiment(run):
    assert experiments.of(run).name == "groups"


def test_a_row_is_of_numbers_without_nan(run):
    found = row.row(run)
    assert found["group"] == "S3" and found["labels"] == "true" and found["steps"] == 20
    assert found["guess"] == pytest.approx(math.log(6))
    assert not any(isinstance(value, float) and math.isnan(value) for value in found.values())
    assert set(findings.RUNGS) <= {name.removeprefix("cost of ") for name in found}
    assert row.generalised(found) == (found["test accuracy"] > 0.95)


def test_random_labels_are_named_in_the_row():
    recipe = experiments.recipes()["groups_S4_random_labels_seed0"]
    assert not recipe.task.labels.equal(recipe.task.table.flatten())
    assert recipe.task.table.shape == (24, 24)


def test_snapshots_are_a_table_by_step(run):
    table = row.history(run, progress=False)
    assert table["step"].tolist() == run.steps
    assert table["irrep share"].between(0, 1).all() and "cost of rank one" in table


def test_readings_of_the_first_snapshot_that_generalises(run, monkeypatch):
    monkeypatch.setattr(row, "FIRST", -1.0)
    group = row.group_of(run)
    found = row.at_first(run, group, [1])
    assert found["first step above .85"] == 0
    assert {f"{name}, first" for name in row.READINGS} < set(found)
    model = row.load(run, 0)
    kept = group_circuits.climb(model, group)["rank one"]["test accuracy"]
    whole = progress.accuracy(model.logits, model.labels, mask=~model.train)
    assert found["lost to rank one, first"] == pytest.approx(whole - kept)
    monkeypatch.setattr(row, "FIRST", 1.0)
    assert row.at_first(run, group, [1]) == {}


S4 = {
    "group": "S4", "labels": "true", "test accuracy": 1.0, "key irreps": ["sign", "2d"],
    "dimensions": {"trivial": 1, "sign": 1, "2d": 2, "standard": 3, "standard_sign": 3},
}  # fmt: skip
S5 = S4 | {
    "group": "S5",
    "dimensions": {
        "trivial": 1, "sign": 1, "standard": 4, "standard_sign": 4, "5b": 5, "5a": 5, "6d": 6,
    },
}  # fmt: skip


def test_runs_together_tell_whether_seeds_choose_the_same_irreps(tmp_path):
    other = S4 | {"key irreps": ["standard", "sign"]}
    not_learned = other | {"test accuracy": 0.3, "key irreps": []}
    rows = {"0": S4, "1": other, "2": not_learned, "3": S5}
    found = together.together(rows, tmp_path)
    expected = {
        "group": "S4",
        "runs": 2,
        "sets of key irreps": 2,
        "irreps of all": ["sign"],
        "chosen": {"2d": 1, "standard": 1, "standard_sign": 0},
    }
    assert found == {"all runs on S4": expected}
    alike = together.together({"0": S4, "1": S4}, tmp_path)
    assert alike["all runs on S4"]["sets of key irreps"] == 1


def choosing(*keys):
    """The row of runs on S5 with these key irreps, all together."""
    return together.choice([S5 | {"key irreps": list(own)} for own in keys])


def test_the_choice_of_irreps_on_s5_is_told_from_chance():
    signs = choosing(*[["sign", "standard_sign"]] * 8)
    assert (signs["runs with standard"], signs["runs with standard_sign"]) == (0, 8)
    assert signs["no 6d by chance"] == pytest.approx(0.8**8)
    assert signs["low dimensions"] == 0.5 and signs["high dimensions"] == 0
    assert signs["low dimensions: p"] < 1e-3 and signs["standard against MLPs: p"] < 1e-7
    as_mlps = choosing(*[["sign", "standard"]] * 8)
    assert as_mlps["standard against MLPs: p"] == 1
    evenly = choosing(["standard"], ["standard_sign"], ["5a"], ["5b"], ["6d"])
    assert evenly["low dimensions: p"] > 0.99 and evenly["runs with 6d"] == 1


def test_fishers_exact_test_is_that_of_the_lady_tasting_tea():
    assert together.fisher(3, 4, 1, 4) == pytest.approx(34 / 70)
    assert together.fisher(4, 4, 0, 4) == pytest.approx(2 / 70)
    assert together.fisher(2, 4, 2, 4) == pytest.approx(1)
    assert together.fisher(0, 3, 0, 5) == 1


def test_claims_are_decided_by_runs_on_s5_beside_those_of_other_groups():
    assert about.beside(S5) is None and about.beside(S4) == "S4"
    claim = next(c for c in claims.CLAIMS if c.measure == "runs with 6d")
    few, many = choosing(["standard"]), choosing(*[["standard"]] * 20)
    assert verdict(claim, [few]).word == UNDECIDED and verdict(claim, [many]).word == HOLDS
    assert verdict(claim, [choosing(["6d"])]).word == FAILS


def test_the_pages_table_has_a_line_for_every_run_and_none_for_all_together(run):
    lines = about.table({"one": row.row(run), "all runs on S3": {"group": "S3", "runs": 1}})
    assert len(lines) == 3 and lines[2].startswith("| one | - | - |")


@pytest.fixture(scope="module")
def s5():
    run = Run.load(CHECKPOINTS / "groups_S5_seed0")
    return row.load(run), row.group_of(run)


def renamed(model, group, names):
    """The model with x, y and z under other names of the group's elements."""
    on_pairs = ("pre", "post", "logits", "attention")
    pairs = {name: getattr(model, name)[names][:, names] for name in on_pairs}
    pairs["logits"] = pairs["logits"][:, :, names]
    labels = names.argsort()[group.table[names][:, names]].flatten()
    train = model.train.view(120, 120)[names][:, names].flatten()
    moved = model._replace(labels=labels, train=train, **pairs)
    return moved._replace(W_L=model.W_L[:, names], W_E=model.W_E[names])


@pytest.mark.parametrize("g", [33, 101])
def test_an_automorphism_changes_no_number_of_a_trained_model(s5, g):
    """Those of S5 are all x -> g x g^-1."""
    model, group = s5
    names = group.table[group.table[g], inverses(group.table)[g]]
    moved = renamed(model, group, names)
    assert moved.labels.equal(model.labels), "the table is the same"
    before, after = (group_readings.measure(m, group) for m in (model, moved))
    numbers = [name for name, value in before.items() if isinstance(value, float)]
    assert len(numbers) > 30 and before["key irreps"] == after["key irreps"]
    for name in numbers:
        assert after[name] == pytest.approx(before[name], rel=1e-8, abs=1e-9, nan_ok=True), name


def test_a_trained_model_of_shuffled_names_has_no_group_structure(s5):
    model, group = s5
    order = torch.randperm(120, generator=torch.Generator().manual_seed(1))
    moved = model._replace(**{k: getattr(model, k)[:, order] for k in ("logits", "pre", "post")})
    row = group_readings.measure(moved, group)
    assert row["character FVE"] < 0.01 and row["isotypic FVE"] < 0.01
    assert row["F_coset y"] < 0.1 < row["F_coset x"], "the names of x are as they were"
