"""Experiments are found by being there: one dropped into the package's path is trained, measured,
listed and claimed with nothing else edited.
"""

import dataclasses
import json
import sys
import textwrap

import pytest

from interp_utils import ModelConfig, Run, TrainConfig, cli, experiments, fourier, tasks, train
from interp_utils.cli import text
from interp_utils.experiments import general, shipping
from interp_utils.models.blocks import BlocksConfig

DROPPED = '''
    """Differences."""
    from functools import partial

    from interp_utils import tasks
    from interp_utils.configs import ModelConfig, TrainConfig
    from interp_utils.experiments import general
    from interp_utils.experiments.base import Experiment, Recipe
    from interp_utils.experiments.claims import Claim
    from interp_utils.experiments.rules import below

    SMALL = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
    RECIPES = {{
        f"{name}_seed{{seed}}": Recipe(
            partial(tasks.linear_combination, 5, 2, 3, frac_train=0.8),
            SMALL,
            TrainConfig(steps=4, snapshot_every=2),
            snapshots=(2,),
        ).seeded(seed)
        for seed in (0, 1)
    }}
    CLAIMS = [
        Claim("it is learned", "§1", "yes", "test loss", below(9), "99 · Nothing"),
        Claim("at once", "§2", "yes", "steps", below(2, "steps"), "99 · Nothing"),
    ]
    EXPERIMENT = Experiment(
        name="{name}",
        title="Combinations",
        is_about=lambda run: run.task.name == "linear_combination",
        recipes=RECIPES,
        row=general.row,
        history=general.history,
        claims=CLAIMS,
        share=1,
        together=lambda rows, docs: {{"all runs": {{"count": len(rows)}}}},
    )
'''


def drop(folder, name):
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(textwrap.dedent(DROPPED.format(name=name)))


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """The package with one experiment, the dropped one."""
    drop(tmp_path, "combinations")
    monkeypatch.setattr(experiments, "__path__", [str(tmp_path)])
    yield tmp_path
    for name in ("combinations", "again"):
        sys.modules.pop(f"interp_utils.experiments.{name}", None)


def test_an_experiment_is_a_folder(alone, shell, monkeypatch):
    monkeypatch.chdir(alone)
    (alone / "docs").mkdir()
    code, listed, _ = shell("ship")
    assert code == 0 and "combinations_seed1  Combinations  4" in listed
    assert shell("ship combinations_seed0 combinations_seed1 --quiet")[0] == 0
    for seed in (0, 1):
        whole = Run.load(alone / "runs" / f"combinations_seed{seed}")
        shipped = Run.load(alone / "checkpoints" / f"combinations_seed{seed}")
        assert whole.steps == [0, 1, 2, 4] and shipped.steps == [2, 4] and shipped.finished
    assert not whole.task.train_mask.equal(Run.load("runs/combinations_seed0").task.train_mask)
    assert "combinations_seed0" in shell("list checkpoints")[1]
    code, measured, _ = shell("measure checkpoints/combinations_seed0")
    assert code == 0 and "linear_combination p=5 alpha=2 beta=3" in measured
    for name, value in general.row(Run.load("checkpoints/combinations_seed0")).items():
        assert f"{name} " in measured and text.spell(value) in measured

    numbers = shipping.measure(alone / "checkpoints", alone / "docs", progress=False, workers=1)
    shipping.write(numbers, alone / "docs")
    assert numbers["combinations"].keys() == {*experiments.recipes(), "all runs"}
    page = (alone / "docs" / "claims.md").read_text()
    assert "## Combinations" in page
    assert "| it is learned | §1 | yes | test loss: " in page
    assert "| below 9 | none | 2 of 4 steps | holds (2 of 2) | 99 · Nothing |" in page
    assert "| below 2 steps | none | 2 of 4 steps | does not hold (0 of 2) |" in page
    assert shipping.stale(alone / "docs") == []


def test_numbers_that_changed_are_found(alone, shell, monkeypatch, capsys):
    monkeypatch.chdir(alone)
    (alone / "docs").mkdir()
    shell("ship combinations_seed0 combinations_seed1 --quiet")
    monkeypatch.setattr(shipping, "WORKERS", 1)
    assert shell("claims --quiet")[0] == 0
    assert shell("claims --check --quiet") == (0, "docs/claims.md says what the runs say\n", "")
    numbers = json.loads((alone / "docs" / "claims.json").read_text())
    numbers["combinations"]["combinations_seed1"]["test loss"] *= 2
    shipping.write(numbers, alone / "docs")
    before = (alone / "docs" / "claims.md").read_bytes()
    assert cli.main(["claims", "--check", "--quiet"]) == 1
    assert "combinations · combinations_seed1 · test loss: " in capsys.readouterr().err
    assert (alone / "docs" / "claims.md").read_bytes() == before, "a check writes nothing"
    (alone / "docs" / "claims.md").write_text("by hand")
    assert cli.main(["claims", "--check", "--quiet"]) == 1
    assert "docs/claims.md was not made from its numbers" in capsys.readouterr().err


def test_recipes_and_runs_are_of_one_experiment(alone):
    run = shipping.ship("combinations_seed0", alone / "runs", alone / "checkpoints", progress=False)
    assert experiments.of(run).name == "combinations"
    drop(alone, "again")
    with pytest.raises(ValueError, match="again, combinations; make their is_about"):
        experiments.of(run)
    source = alone / "again" / "__init__.py"
    source.write_text(source.read_text().replace('f"again_seed', 'f"combinations_seed'))
    del sys.modules["interp_utils.experiments.again"]
    with pytest.raises(ValueError, match="combinations_seed0, combinations_seed1"):
        experiments.recipes()
    (alone / "again" / "__init__.py").unlink()
    with pytest.raises(ValueError, match="there is no recipe 'nothing'; there are: combinations_s"):
        shipping.ship("nothing", alone / "runs", alone / "checkpoints")


def test_what_ships_is_not_replaced(alone):
    name = "combinations_seed0"
    shipping.ship(name, alone / "runs", alone / "checkpoints", progress=False)
    before = (alone / "checkpoints" / name / "run.json").stat().st_mtime_ns
    shipping.ship(name, alone / "runs", alone / "checkpoints", progress=False)
    assert (alone / "checkpoints" / name / "run.json").stat().st_mtime_ns == before


TWO_LAYERS = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32, n_layers=2)
OTHERS = {
    "two layers": (tasks.modular_addition(7, 0.6), TWO_LAYERS),
    "normalization": (
        tasks.group_composition("S3", 0.6),
        dataclasses.replace(TWO_LAYERS, n_layers=1, normalization="LN"),
    ),
    "blocks on quotients": (
        tasks.modular_quotient(7, 0.6),
        BlocksConfig(d_model=16, n_heads=2, d_mlp=32),
    ),
}


@pytest.mark.parametrize(("task", "model"), OTHERS.values(), ids=OTHERS)
def test_what_no_experiment_can_measure_still_has_its_numbers(task, model, tmp_path):
    """Losses of any model; and of sums, what the logits show."""
    run = train(task, model, TrainConfig(steps=30, lr=1e-2), out=tmp_path, progress=False)
    assert experiments.of(run) is None
    found = general.row(run)
    assert found["train loss"] == pytest.approx(run.metrics["train_loss"].iloc[-1], rel=1e-4)
    of_sums = task.operation is not None
    assert ("restricted loss" in found) == of_sums
    if of_sums:
        sums = run.cached().as_sums()
        assert found["key frequencies"] == fourier.key_frequencies(sums.logits)
