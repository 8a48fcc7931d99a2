"""Studies: a row for each training, whatever kills it, and never one of another recipe."""

import dataclasses
import json
import math
import signal
from pathlib import Path

import pytest

from interp_utils import ModelConfig, Run, TrainConfig, cli, experiments, tasks, train
from interp_utils.experiments import studies
from interp_utils.experiments.base import Recipe
from interp_utils.experiments.studies import CENSORED, DIVERGED, GENERALISED, Study
from interp_utils.measures import milestones
from interp_utils.training.trainer import Trainer
from tests import workers
from tests.processes import process

DOCS = Path(__file__).parents[1] / "docs"
SMALL = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
SHIPPED = experiments.every_study()


def recipe(seed: int, lr: float = 2e-2, steps: int = 400, frac: float = 0.9) -> Recipe:
    training = TrainConfig(steps=steps, lr=lr, log_every=10, snapshot_every=None)
    return Recipe(lambda seed: tasks.modular_addition(7, frac, seed), SMALL, training).seeded(seed)


def look(run: Run) -> dict[str, float]:
    return {"weights": sum(w.square().sum().item() for w in run.weights().values()), "no": math.nan}


TRAININGS = {
    "grokking": {"seed": 1},
    "short": {"seed": 2, "lr": 1e-4, "steps": 40},
    "wild": {"seed": 3, "lr": 1e30, "steps": 40},
}
SMALL_STUDY = Study("small", TRAININGS, recipe, look, settle=60)


def without_seconds(row: dict) -> dict:
    return {name: value for name, value in row.items() if "seconds" not in name}


@pytest.fixture
def work(tmp_path):
    def work(study: Study = SMALL_STUDY, **options) -> dict:
        study.work(tmp_path / "docs", tmp_path / "runs", progress=False, **options)
        return study.stored(tmp_path / "docs")

    return work


@pytest.fixture
def trained(monkeypatch) -> list[int]:
    """The steps of every update that was made."""
    done, update = [], Trainer.update
    monkeypatch.setattr(Trainer, "update", lambda self: (done.append(self.step), update(self)))
    return done


def test_a_row_for_each_training(work, tmp_path):
    rows = work()
    assert list(rows) == list(TRAININGS)
    assert [row["state"] for row in rows.values()] == [GENERALISED, CENSORED, DIVERGED]
    for name, row in rows.items():
        assert TRAININGS[name].items() <= row.items()
    assert rows["short"]["last step"] == 40 and rows["short"]["generalised"] is None
    assert rows["short"]["test accuracy"] < 0.99, "censored, with what it had"
    assert rows["wild"]["last step"] < 40 and "weights" not in rows["wild"]
    assert not list((tmp_path / "runs").rglob("run.json")), "runs do not stay"
    path = tmp_path / "docs" / "studies" / "small" / "trainings.json"
    assert list(rows.values()) == json.loads(path.read_text())
    assert len(path.read_text().splitlines()) == len(TRAININGS) + 2, "a row a line"
    table = SMALL_STUDY.table(tmp_path / "docs")
    assert list(table["training"]) == list(TRAININGS) and len(table.columns) > 12


def test_a_row_says_what_its_run_says(work, tmp_path):
    """Beside the run of the same recipe, trained to the step at which the row's ended."""
    row = work(only=["grokking"])["grokking"]
    assert row["last step"] == row["generalised"] + 60 < 400
    task, model, training = recipe(1)
    whole = train(task, model, training, out=tmp_path / "whole", progress=False)
    until = whole.metrics[whole.metrics["step"] <= row["last step"]]
    when = milestones.generalisation(until)
    assert (row["memorised"], row["generalised"]) == (when.memorised, when.generalised)
    last = until.iloc[-1]
    for name in ("train loss", "test loss", "train accuracy", "test accuracy"):
        assert row[name] == last[name.replace(" ", "_")]
    ended = dataclasses.replace(training, steps=row["last step"])
    same = train(task, model, ended, out=tmp_path / "same", progress=False)
    assert row["weights"] == look(same)["weights"] and row["no"] is None


def test_a_row_has_seconds_too():
    log = [
        {
            "step": 10 * i,
            "train_loss": 1.0,
            "test_loss": None,
            "train_accuracy": float(i > 1),
            "test_accuracy": float(i > 3),
            "seconds": 2.0 * i,
        }
        for i in range(9)
    ]
    row = studies.outcome(log)
    assert (row["memorised"], row["generalised"], row["last step"]) == (20, 40, 80)
    seconds = ("seconds memorised", "seconds generalised", "last seconds")
    assert [row[name] for name in seconds] == [4, 8, 16] and row["test loss"] is None
    assert studies.outcome(log[:-1])["state"] == CENSORED, "four rows are no rule"


def test_what_has_a_row_is_not_trained_again(work, trained):
    before = work(only=["s*"])
    assert list(before) == ["short"] and max(trained) == 39
    trained.clear()
    assert work(only=["short"]) == before and not trained
    rows = work(only=["wild", "grok*"])
    assert list(rows) == list(TRAININGS) and rows["short"] == before["short"], "in any order"
    with pytest.raises(ValueError, match="no training of small is 'shrot'"):
        work(only=["short", "shrot"])


def test_a_row_of_another_recipe_is_stale(work, trained, tmp_path):
    work(only=["short", "wild"])
    longer = TRAININGS | {"short": TRAININGS["short"] | {"steps": 50}}
    changed = dataclasses.replace(SMALL_STUDY, trainings=longer)
    assert SMALL_STUDY.stale(tmp_path / "docs") == []
    assert changed.stale(tmp_path / "docs") == ["short"]
    with pytest.raises(ValueError, match="other recipes than today's: short; train these again"):
        changed.rows(tmp_path / "docs")
    trained.clear()
    with pytest.warns(UserWarning, match="the recipes have changed of short"):
        rows = work(changed, only=["short", "wild"])
    assert rows["short"]["last step"] == 50 and len(trained) == 50, "that alone is trained again"
    assert changed.rows(tmp_path / "docs") == rows
    sooner = dataclasses.replace(changed, settle=10)
    assert sooner.stale(tmp_path / "docs") == ["short", "wild"], "the rule by which it ends changed"
    fewer = dataclasses.replace(changed, trainings={"wild": TRAININGS["wild"]})
    assert fewer.stale(tmp_path / "docs") == ["short"], "and one that has no recipe"


def test_settings_and_measures_have_names_of_their_own(work):
    both = dataclasses.replace(SMALL_STUDY, look=lambda run: {"seed": 5.0})
    with pytest.raises(ValueError, match="settings of short have the names of measures: .'seed'"):
        work(both, only=["short"])


@pytest.mark.parametrize("when", ["training", "stopped", "measured", "row written"])
def test_killed_at_any_moment_it_goes_on(when, work, tmp_path):
    """The table is that of a worker that nobody killed."""
    whole = work()["grokking"]
    out = tmp_path / "killed"
    with process(workers.killed_at_a_study, out, when) as (child, _):
        child.join()
        assert child.exitcode == -signal.SIGKILL
    left = SMALL_STUDY.stored(out / "docs")
    assert ("grokking" in left) == (when == "row written")
    SMALL_STUDY.work(out / "docs", out / "runs", only=["grokking"], progress=False)
    (row,) = SMALL_STUDY.rows(out / "docs").values()
    assert without_seconds(row) == without_seconds(whole)
    assert not list((out / "runs").rglob("run.json"))
    assert not list((out / "docs").rglob("*.tmp"))


def test_no_training_begins_after_the_minutes(work):
    assert work(minutes=0.0) == {}


def test_of_what_another_worker_trains_nothing_is_done(work, trained, tmp_path):
    folder = tmp_path / "runs" / "studies" / "small"
    folder.mkdir(parents=True)
    with studies.disk.exclusive(folder, f"{SMALL_STUDY.digests['short']}.lock"):
        assert list(work(only=["short", "wild"])) == ["wild"]


def test_settled_is_to_the_last_step():
    def log(*accuracies):
        return [{"step": 10 * i, "test_accuracy": value} for i, value in enumerate(accuracies)]

    high = [0.2, 0.995, 1.0, 1.0, 1.0, 1.0]
    assert studies._settled(log(*high), 40) and not studies._settled(log(*high), 41)
    assert not studies._settled(log(*high[:-1]), 10), "five rows at least"
    assert not studies._settled(log(*high, 0.9), 0) and not studies._settled(log(*high, None), 0)


def test_a_shell_trains_what_has_no_row(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiments, "every_study", lambda: {"small": SMALL_STUDY})
    assert cli.main(["study", "small", "--only", "sh*", "wi*", "--quiet"]) == 0
    assert list(SMALL_STUDY.rows(tmp_path / "docs")) == ["short", "wild"]
    capsys.readouterr()
    assert cli.main(["study"]) == 0
    assert capsys.readouterr().out.split() == ["study", "trainings", "rows", "small", "3", "2"]
    assert cli.main(["study", "large"]) == 2


@pytest.mark.parametrize("name", SHIPPED)
def test_a_table_that_ships_is_of_its_recipes(name):
    """`interp-utils study NAME` would train none of its rows again."""
    for training, row in SHIPPED[name].rows(DOCS).items():
        assert row["recipe"] == SHIPPED[name].digests[training]
        assert SHIPPED[name].trainings[training].items() <= row.items()


def test_every_table_has_its_study():
    assert {path.parent.name for path in DOCS.rglob(studies.TABLE)} <= SHIPPED.keys()


def test_names_of_studies_are_told_apart(monkeypatch):
    twice = dataclasses.replace(experiments.every()["addition"], studies=[SMALL_STUDY] * 2)
    monkeypatch.setattr(experiments, "every", lambda: {"addition": twice})
    with pytest.raises(ValueError, match="a study's name is its folder"):
        experiments.every_study()
