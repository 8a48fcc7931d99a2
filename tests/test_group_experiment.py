"""Group composition as an experiment: rows and snapshots."""

import math

import pytest

from interp_utils import ModelConfig, TrainConfig, experiments, tasks, train
from interp_utils.experiments.groups import claims, row


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
    assert set(claims.RUNGS) <= {name.removeprefix("cost of ") for name in found}
    assert claims.generalised(found) == (found["test accuracy"] > 0.95)


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
    group = row.describe(run.task.table)
    found = row.at_first(run, group, [1])
    assert found["first step above .85"] == 0
    assert set(found) == {"first step above .85", *(f"{name}, first" for name in row.READINGS)}
    monkeypatch.setattr(row, "FIRST", 1.0)
    assert row.at_first(run, group, [1]) == {}


def test_runs_together_tell_whether_seeds_choose_the_same_irreps(tmp_path):
    one = {"group": "S4", "labels": "true", "test accuracy": 1.0, "key irreps": ["sign", "2d"]}
    other = one | {"key irreps": ["standard", "sign"]}
    not_learned = other | {"test accuracy": 0.3, "key irreps": []}
    rows = {"0": one, "1": other, "2": not_learned, "3": one | {"group": "S5"}}
    found = row.together(rows, tmp_path)
    expected = {"runs": 2, "sets of key irreps": 2, "irreps of all": ["sign"]}
    assert found == {"all runs on S4": expected}
    assert row.together({"0": one, "1": one}, tmp_path)["all runs on S4"]["sets of key irreps"] == 1
