"""Measures by name: each is where the long table has it."""

import pytest
import torch

from interp_utils import controls, trajectories
from interp_utils.measures import histories


@pytest.fixture(scope="module")
def table(small_run):
    return trajectories.measure(small_run, [1, 2], progress=False)


def test_every_measure_has_one_number_a_step(table, small_run):
    found = trajectories.history(table, list(histories.NAMES))
    assert list(found["step"]) == small_run.steps
    assert list(found) == ["step", *histories.NAMES]
    assert found.notna().all().all() and len(found) == len(small_run.steps)


def test_the_numbers_are_those_of_the_long_table(table):
    found = trajectories.history(table, ["restricted loss", "train loss"]).iloc[-1]
    last = table[table["step"] == table["step"].max()]
    for name, measure, split in (
        ("restricted loss", "restricted_loss", "all"),
        ("train loss", "loss", "train"),
    ):
        rows = last[(last["measure"] == measure) & (last["split"] == split)]
        rows = rows[
            rows["variant"].isna() | (rows["variant"] == "sum") & (rows["level"] == "logits")
        ]
        assert [found[name]] == list(rows["value"])


def test_a_run_is_measured_first(small_run, table):
    names = ["excluded loss", "FCR of W_E"]
    measured = trajectories.history(small_run, names, progress=False)
    keys = table.iloc[:0]
    assert keys.empty and list(measured) == ["step", *names] and measured.notna().all().all()


def test_column_k_is_frequency_k(table):
    each = trajectories.history_of_each(table, "excluded loss of one frequency")
    assert list(each) == ["step", 0, 1, 2, 3]
    nothing_removed = trajectories.history(table, ["train loss"])["train loss"]
    torch.testing.assert_close(torch.tensor(each[0]), torch.tensor(nothing_removed))
    weights = trajectories.history_of_each(table, "sum of squared weights")
    assert "embed.W_E" in weights and weights["embed.W_E"].gt(0).all()


def test_a_measure_that_means_nothing_for_the_run_is_nan(table):
    without = table[table["measure"] != "ffd"]
    found = trajectories.history(without, ["FFD of W_E", "FCR of W_E"])
    assert found["FFD of W_E"].isna().all() and found["FCR of W_E"].notna().all()


def test_other_names_are_refused(table):
    with pytest.raises(ValueError, match="no measure 'restricted'; there are: train loss"):
        trajectories.history(table, ["restricted"])
    with pytest.raises(ValueError, match="no measure 'loss' of each frequency or weight"):
        trajectories.history_of_each(table, "loss")


def test_untrained_is_the_snapshot_or_fresh_weights_and_says_which(small_run, monkeypatch):
    name, first = controls.untrained(small_run)
    assert name == "at initialisation"
    monkeypatch.setattr(type(small_run), "steps", property(lambda run: [60]))
    name, fresh = controls.untrained(small_run)
    assert name == "untrained (fresh weights)"
    assert first.logits.std() > 0 and fresh.logits.shape == first.logits.shape
    assert not fresh.logits.equal(small_run.model() and first.logits * 2)
