"""The bake-off: equal budgets, arms that differ in what they are named by, and what is made of
their rows.
"""

import dataclasses
from pathlib import Path

import optuna
import pandas as pd
import pytest

from interp_utils import ModelConfig, Run, TrainConfig
from interp_utils.experiments import shipping
from interp_utils.experiments.claims import verdict
from interp_utils.experiments.faster import EXPERIMENT, recipes, search, together
from interp_utils.experiments.faster.recipes import ARMS
from interp_utils.experiments.faster.study import STUDY

DOCS = Path(__file__).parents[1] / "docs"
(MUON,) = [claim for claim in EXPERIMENT.claims if claim.text == "Muon is faster than AdamW"]
CHANGES = {
    "adamw": {},
    "grokfast": {"grokfast": "ema"},
    "muon": {"optimiser": "muon"},
    "stablemax": {"loss": "stablemax", "weight_decay": 0.0},
    "perpgrad": {"perp_grad": True, "weight_decay": 0.0},
    "small_norm": {},
    "mini_batches": {"batch_size": 512},
    "small_model": {"d_model": 64, "d_head": 16, "d_mlp": 256},
}


@pytest.mark.parametrize("name", ARMS)
def test_arms_differ_in_what_they_are_named_by(name):
    arm = ARMS[name]
    for trial in (arm.best, {setting: low for setting, (low, _) in arm.space.items()}):
        recipe = recipes.recipe(seed=7, steps=50, **arm.fixed, **trial)
        changed = {
            field.name: getattr(config, field.name)
            for config, usual in (
                (recipe.model, ModelConfig(seed=7)),
                (recipe.train, TrainConfig(steps=50, log_every=20, snapshot_every=None)),
            )
            for field in dataclasses.fields(config)
            if getattr(config, field.name) != getattr(usual, field.name)
        }
        usual = dataclasses.asdict(ModelConfig()) | dataclasses.asdict(TrainConfig())
        expected = {n: v for n, v in (CHANGES[name] | trial).items() if v != usual[n]}
        assert changed == expected and changed.keys() >= CHANGES[name].keys()
        assert recipe.task.p == 113 and recipe.task.params["seed"] == 7


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_has_as_many_trials_in_its_space(name):
    arm, study = ARMS[name], search.searches(DOCS)[name]
    trials = study.trials
    assert {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED"}
    assert len(trials) == recipes.TRIALS
    for trial in trials:
        assert trial.params.keys() == arm.space.keys()
        assert all(
            low <= trial.params[setting] <= high for setting, (low, high) in arm.space.items()
        )
    assert arm.best == search.best(study)
    assert recipes.SEARCH_SEED not in recipes.SEEDS, "other seeds decide"


def test_a_trial_is_of_its_arm():
    arm = ARMS["small_norm"]
    trial = optuna.trial.FixedTrial({"lr": 0.004, "weight_decay": 1.5, "init_scale": 0.25})
    task, model, training = search.make(arm, trial)
    assert task.p == recipes.P
    assert model == ModelConfig(seed=recipes.SEARCH_SEED, init_scale=0.25)
    assert (training.lr, training.weight_decay) == (0.004, 1.5)
    assert training.steps == recipes.SEARCH_STEPS


class Logged(Run):
    """A run that is nothing but its log."""

    metrics = raw_metrics = step = path = None

    def __init__(self, test_accuracies):
        steps = [20 * i for i in range(len(test_accuracies))]
        columns = {"step": steps, "train_accuracy": 1.0, "test_accuracy": test_accuracies}
        table = pd.DataFrame(columns)
        log = {"metrics": table, "raw_metrics": table.to_dict("list"), "step": steps[-1]}
        vars(self).update(log, path=Path())


def test_the_search_wants_what_generalises_first_and_else_what_errs_least():
    early, late = Logged([0, 0.5, *[1.0] * 8]), Logged([0, 0.5, 0.9, *[1.0] * 7])
    nearly, guessing = Logged([*[0.5] * 9, 0.98]), Logged([0.01] * 10)
    assert search.soonest(early) == 40 and search.soonest(late) == 60
    assert search.soonest(nearly) == pytest.approx(180 * 1.02)
    assert search.soonest(guessing) == pytest.approx(180 * 1.99)


def test_censored_steps_are_later_than_all():
    assert together.median([100, None, 300]) == 300
    assert together.median([100, None, None]) is None
    assert together.median([100, 200]) == 150


def test_frequencies_that_are_chosen_alike():
    once = [[1], [1]]  # two models, one of three frequencies each: the same one by chance, 1 / 3
    assert together.uniform(once, 3) == pytest.approx(1 / 3, abs=0.02)
    assert together.uniform([[1], [2]], 3) == pytest.approx(1), "no choices are more even"
    favourite = [[5, k] for k in (1, 2, 3, 4, 6, 7, 8, 9)]
    assert together.uniform(favourite, 20) < 1e-3
    spread = [[k, k + 10] for k in range(1, 11)]
    assert together.uniform(spread, 20) == pytest.approx(1)


def test_an_arm_as_one_row():
    row = {
        "lr": 1e-2,
        "weight_decay": 2.0,
        "state": "generalised",
        "steps": 500,
        "memorised": 100,
        "generalised": 250,
        "number of key frequencies": 3,
        "logit variance explained": 0.95,
        "neurons clustered": 0.9,
        "excluded loss": 9.0,
        "restricted loss": 1e-3,
        "full loss": 2e-3,
    }
    censored = row | {"state": "not yet", "generalised": None}
    found = together.of_arm("x", [row, censored, censored | {"state": "diverged"}])
    assert found["generalises"] == [True, False, False] and found["runs"] == 3
    assert found["median step"] is None and found["generalised at"] == [250]
    assert found["generalised over memorised"] == [2.5] and found["diverged"] == 1
    assert found["restricted over full loss"] == [0.5] and found["lr x weight decay"] == 0.02


def test_arms_over_each_other_and_what_censored_ones_can_say():
    def row(median, product=0.02):
        return {"median step": median, "lengths": [800], "runs": 3, "lr x weight decay": product}

    arms = {together.TITLES[name]: row(400.0) for name in (*ARMS, together.FAST)}
    arms |= {together.PUBLISHED: row(10_000.0, 1e-3), "AdamW, tuned": row(200.0)}
    arms |= {"Grokfast": row(None), "Muon": row(100.0)}
    found = together._compare(arms)
    assert found[together.over(together.PUBLISHED, "Grokfast")] == 12.5, "of its 800 steps"
    assert found[together.over("AdamW, tuned", "Grokfast")] == 0.25
    assert found["censored"] == ["Grokfast"] and found[together.MOST] == 2.0
    assert found[together.IN_T] == pytest.approx(10 / 8) and found["runs"] == 30
    verdicts = {
        claim.text: str(verdict(claim, [found]))
        for claim in EXPERIMENT.all_claims
        if claim.measure in found
    }
    assert verdicts["Grokfast is 50 times faster"] == "does not hold", "at most 12.5 times"
    assert verdicts["Muon is faster than AdamW"] == "holds"
    assert verdicts["the advantage of Muon disappears with other settings"] == "does not hold"
    once = together._compare(arms | {"Grokfast": row(None) | {"runs": 1}})
    grokfast = EXPERIMENT.claims[0]
    assert verdict(grokfast, [found]).word == "does not hold"
    assert verdict(grokfast, [once]).word == "undecided", "one training alone decides nothing"
    found = together._compare(arms | {"Muon": row(None)})
    assert verdict(MUON, [found]).word == "does not hold", "a quarter as fast at most"
    found = together._compare(arms | {"Muon": row(None), "AdamW, tuned": row(2000.0)})
    assert verdict(MUON, [found]).word == "undecided", "it is 2.5 times as fast at most"


def test_the_page_has_what_the_table_says():
    """`make claims` would change nothing, as long as the shipped runs are the same."""
    assert STUDY.rows(DOCS).keys() == STUDY.trainings.keys()
    stored = shipping.stored(DOCS)["faster"]
    measured = {name: stored[name] for name in EXPERIMENT.measured}
    now = measured | together.together(measured, DOCS)
    assert shipping.differences({"faster": stored}, {"faster": now}) == []
    for row in measured.values():
        assert row["state"] == "generalised" and row["lr"] == 1e-3 and row["weight_decay"] == 1.0
