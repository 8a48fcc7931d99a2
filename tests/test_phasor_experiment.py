"""The rows of phasor networks that claims are decided by."""

from pathlib import Path

import pytest
import torch

from interp_utils import (
    Run,
    ablation,
    experiments,
    models,
    report,
    tasks,
    train,
    trajectories,
)
from interp_utils.analysis import phasors
from interp_utils.experiments.phasors import claims, recipes, row, together
from interp_utils.measures.applies import DoesNotApply
from interp_utils.models.phasor import PhasorConfig, exact

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
CPU = torch.device("cpu")


def trained(arm, seed, accuracy, p=31):
    return {
        "training": recipes.named(arm, p, seed),
        "recipe": "-",
        "state": "not yet",
        "arm": arm,
        "p": p,
        "seed": seed,
        "last step": 600,
        "test accuracy": accuracy,
        "agreement by cycle, mean": [0.5],
    }


def test_arms_have_a_number_for_each_training_and_gains_are_of_one_seed():
    rows = [trained("paper", 0, 0.2), trained("paper", 1, 0.4), trained("paper", 0, 0.1, p=13)]
    rows += [trained("constant", 1, 0.7), trained("constant", 0, 0.6)]
    found = together.arms(rows)
    assert set(found) == {
        "paper's code, p = 31",
        "paper's code, p = 13",
        "paper's code, constant phasor, p = 31",
    }
    paper, constant = found["paper's code, p = 31"], found["paper's code, constant phasor, p = 31"]
    assert paper["test accuracy"] == [0.2, 0.4] and paper["runs"] == 2
    assert paper["lengths"] == [600] and "agreement by cycle, mean" not in paper
    assert constant[together.GAIN] == pytest.approx([0.3, 0.4])
    assert together.GAIN not in paper


def test_every_training_has_a_configuration_of_its_own():
    study = experiments.every()["phasors"].studies[0]
    assert len(set(study.digests.values())) == len(study.trainings)
    for recipe in study.recipes.values():
        config = recipe.model.for_task(recipe.task)
        assert models.weight_shapes(config)["blocks.0.W"][1] in (
            recipes.HIDDEN,
            recipe.task.p // 2,
            1,
        )


def test_a_shuffled_task_has_the_same_pairs_and_other_labels():
    plain, other = (recipes.recipe(arm=arm, p=13, seed=1).task for arm in ("numbers", "shuffled"))
    assert plain.train_mask.equal(other.train_mask) and plain.tokens.equal(other.tokens)
    assert (plain.labels == other.labels).float().mean() < 0.3


@pytest.mark.parametrize(("frequencies", "planted"), [((1, 2, 3), 1.0), ((2,), 1.0)])
def test_the_exact_network_has_its_own_frequencies(frequencies, planted):
    task = tasks.modular_addition(7)
    config, weights = exact(task, frequencies)
    found = row.frequencies(config, weights, task, CPU)
    assert found[row.OWN_WAVE] == 1 and found[row.OUTPUTS] == pytest.approx(1, abs=1e-4)
    assert found[row.PLANTED] == planted
    # a control: the same weights on the frequencies of others
    if len(frequencies) > 1:
        moved = weights | {"blocks.0.W": weights["blocks.0.W"].roll(1, 1)}
        found = row.frequencies(config, moved, task, CPU)
        assert found[row.OWN_WAVE] == found[row.PLANTED] == 0
        assert found[row.OUTPUTS] == pytest.approx(1, abs=1e-4)


def test_a_reading_of_one_operand_is_no_sum():
    task = tasks.modular_addition(7)
    config, weights = exact(task, (1, 2, 3))
    only_a = weights["blocks.0.W"].clone()
    only_a[3:] = 0
    found = row.frequencies(config, weights | {"blocks.0.W": only_a}, task, CPU)
    assert found[row.OUTPUTS] == pytest.approx(0, abs=1e-4) and found[row.OWN_WAVE] == 0


def test_hidden_phasors_that_pass_one_operand_on():
    task = tasks.modular_addition(7)
    config = PhasorConfig(hidden=(2,), inputs=(1,), outputs=(1,), harmonic=2).for_task(task)
    weights = models.initial_weights(config)
    weights |= {"blocks.0.W": torch.eye(2), "blocks.1.W": torch.ones(2, 1)}
    found = row.frequencies(config, weights, task, CPU)
    assert found[row.STRONGEST] == pytest.approx(1, abs=1e-4)
    assert found["hidden phasors whose strongest wave is of one operand"] == 1
    assert found[row.HIDDEN] == pytest.approx(0, abs=1e-4)
    assert found[row.OUTPUTS] == pytest.approx(1, abs=1e-4)


def test_networks_made_by_hand(monkeypatch):
    monkeypatch.setattr(together, "LARGEST", 13)
    monkeypatch.setattr(together, "P", 13)
    found = together.by_hand()
    assert found["accuracy of one phasor"] == [1.0] * 6
    assert found["right on half of the pairs without doubling"] == [True] * 6
    one, every = (
        found[f"{n}, agreement in the tenth cycle"] for n in ("one phasor", "all phasors")
    )
    assert one < every


def test_a_run_says_which_arm_it_is_of(tmp_path, monkeypatch):
    monkeypatch.setattr(row, "SAMPLE", 20)
    recipe = recipes.recipe(arm="one_number", p=31, seed=1)
    run = train(*recipe, out=tmp_path / "own", progress=False)
    assert row.settings(run) == {"arm": "one_number", "p": 31, "seed": 1}
    assert experiments.of(run).name == "phasors"
    found = row.row(Run.load(tmp_path / "own"), "cpu")
    assert found["test accuracy"] == 1 and found["parameters"] == 2
    assert found[row.OUTPUTS] > 0.95 > found[f"{row.OUTPUTS}, untrained"]
    assert len(found["agreement by cycle, mean"]) == row.CYCLES
    assert found["agreement after ten cycles"] == found["agreement by cycle, mean"][-1]


def test_a_memorisers_share_of_sums_is_the_square_of_what_it_has_by_heart():
    """What the claims' bound says, on phases that are right on 70 % of the pairs alone."""
    task, k = tasks.modular_addition(59, frac_train=recipes.SHARE), 5
    by_heart = 2 * k * task.labels / 59
    random = 2 * torch.rand(len(task), generator=torch.Generator().manual_seed(0)) - 1
    phases = torch.where(task.train_mask, by_heart, random).view(59, 59, 1)
    share = phasors.share_of_sums(phases).item()
    assert share == pytest.approx(claims.BY_HEART, abs=0.02)


@pytest.mark.parametrize("name", ["phasors_direct_p31_seed0", "phasors_numbers_p31_seed0"])
def test_tables_leave_out_what_means_nothing_for_phasors(name):
    """They have no embedding in vectors, no heads and no residual stream."""
    run = Run.load(CHECKPOINTS / name)
    found = report(run)
    assert found.table["verdict"]["does it generalise?"] in ("yes", "partly")
    notes = found.table["note"]
    assert (
        "no activation 'pattern'" in notes[notes.index.str.startswith("without attention")].iloc[0]
    )
    assert {"pairs", "logits"} <= set(found.figures) and "circles" not in found.figures
    measured = set(trajectories.measure(run, progress=False).measure)
    assert {"loss", "restricted_loss", "cosine_coefficient"} <= measured
    assert not {"gini", "gradient_symmetricity"} & measured
    with pytest.raises(DoesNotApply, match="gradient symmetricity means nothing here: .*W_E"):
        trajectories.measure(run, measures=["gradient symmetricity"], progress=False)
    assert "logits" in " ".join(ablation.table(run.cached(), [1, 2]).index)
