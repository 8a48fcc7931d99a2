"""What ships is what it says: digests, the published log's ranges, and the logged losses from the
weights.
"""

from pathlib import Path

import pytest
import torch

from interp_utils import CachedModel, Run, experiments, fourier, losses
from interp_utils.cli.verification import verify
from interp_utils.experiments import shipping
from interp_utils.models import logits_fn

ROOT = Path(__file__).parents[1] / "checkpoints"
MAIN = ROOT / "modular_addition"
RECIPES = {name: recipe for name, recipe in experiments.recipes().items() if recipe.ships}


@pytest.fixture(scope="module")
def run() -> Run:
    return Run.load(MAIN)


@pytest.mark.parametrize("path", sorted(ROOT.iterdir()), ids=lambda path: path.name)
def test_every_shipped_run_is_whole(path):
    run = Run.load(path)
    assert run.finished and not list(path.glob("state-*"))
    assert verify(path).problem is None, "its weights have the numbers of its log"
    on_disk = {
        str(file.relative_to(path))
        for file in path.rglob("*")
        if file.is_file() and file.name != ".lock"
    }
    assert on_disk == {"run.json", *run.manifest["files"]}, "nothing else ships with it"


@pytest.mark.parametrize("experiment", experiments.every().values(), ids=lambda e: e.name)
def test_shipped_runs_keep_to_their_experiments_share(experiment):
    size = sum(shipping.size(ROOT / name) for name in experiment.shipped)
    assert size <= 1e6 * experiment.share


def test_shares_leave_room():
    assert sum(experiment.share for experiment in experiments.every().values()) <= 120


@pytest.mark.parametrize("name", RECIPES)
def test_every_shipped_run_is_made_as_it_says(name):
    """`interp-utils ship NAME` would train this very run again."""
    recipe, run = RECIPES[name], Run.load(ROOT / name)
    task, model, training = recipe
    assert run.config.model == model.for_task(task) and run.config.train == training
    assert run.steps == [*recipe.snapshots, training.steps]
    assert all(tensor.equal(run.task.tensors()[kind]) for kind, tensor in task.tensors().items())
    assert name in experiments.of(run).recipes


def test_no_recipe_without_its_run_and_no_run_without_its_recipe():
    assert {path.name for path in ROOT.iterdir()} == {*RECIPES}


def test_main_run_is_followed(run):
    assert 40 <= len(run.steps) <= 60 and run.steps[0] == 0 and run.steps[-1] == 25_000


def test_half_precision_snapshots_have_the_losses_logged_in_full_precision(run):
    logits, labels = logits_fn(run.config.model, run.task.tokens), run.task.labels
    metrics = run.metrics.set_index("step")
    compared = [step for step in run.steps if step in metrics.index][::4]
    assert len(compared) > 8
    for step in compared:
        with torch.no_grad():
            loss = losses.cross_entropy(logits(run.weights(step)), labels).double()
        for split, mask in (("train", run.task.train_mask), ("test", run.task.test_mask)):
            assert loss[mask].mean().item() == pytest.approx(
                metrics[f"{split}_loss"][step], rel=5e-3
            ), f"{split} at step {step}"


def test_key_frequencies_of_the_main_run(run):
    keys = fourier.key_frequencies(CachedModel(run.model(), run.task).logits)
    assert keys == [8, 36, 38, 41]
