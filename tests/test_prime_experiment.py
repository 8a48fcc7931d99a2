"""What is measured of primes: rows of W_E that training never saw, what can be read and what is
left without it, spikes, and trainings in one precision or the other.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from interp_utils import ModelConfig, TrainConfig, tasks, train
from interp_utils.analysis import sieves
from interp_utils.experiments import shipping
from interp_utils.experiments.claims import verdict
from interp_utils.experiments.primes import (
    EXPERIMENT,
    casts,
    precision,
    probing,
    recipes,
    untrained,
)
from interp_utils.experiments.primes.row import row
from interp_utils.experiments.primes.spikes import ABOVE, APART, BEFORE, over_usual, spikes

DOCS = Path(__file__).parents[1] / "docs"
MODEL = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32, biases="all")
SHORT = TrainConfig(steps=150, lr=1e-2, weight_decay=1e-4, warmup_steps=0, snapshot_every=None)


@pytest.fixture(scope="module")
def atomic(tmp_path_factory):
    task = tasks.primality(200, split="in_order")
    return train(task, MODEL, SHORT, out=tmp_path_factory.mktemp("atomic"), progress=False)


def test_untrained_rows_are_all_that_test_answers_depend_on(atomic):
    task = atomic.task
    assert untrained.untrained_tokens(task).equal(task.tokens[task.test_mask, 0])
    found = untrained.permuted(atomic)
    assert found.follows == 1 and found.distribution < 1e-5
    assert atomic.metrics["train_accuracy"].iloc[-1] == 1
    assert found.trained < 0.8, "the control: of rows that were trained the order matters"
    values = untrained.row(atomic)
    assert values["learned in untrained rows"] < 1e-5
    assert 0 <= values["AUC's place among random orders"] <= 1


def test_the_order_of_rows_is_the_one_asked_for(atomic):
    """By a literal exchange of two of them."""
    task, weights = atomic.task, atomic.weights()
    model = atomic.model()
    with torch.no_grad():
        before = model(torch.tensor([[190], [195]]))[:, -1]
        model.embed.W_E[torch.tensor([190, 195])] = weights["embed.W_E"][torch.tensor([195, 190])]
        after = model(task.tokens)[:, -1]
    tokens = torch.arange(141, 201)
    order = torch.arange(60)
    order[[49, 54]] = order[[54, 49]]
    torch.testing.assert_close(untrained.with_rows_permuted(atomic, tokens, order), after)
    torch.testing.assert_close(after[[189, 194]], before.flip(0))


def test_what_has_trained_tokens_is_refused(tmp_path):
    run = train(tasks.primality(100, 10), MODEL, replace(SHORT, steps=1), out=tmp_path)
    with pytest.raises(ValueError, match="must be one token that no training input has"):
        untrained.permuted(run)


@pytest.mark.parametrize("make", [tasks.prime_rows, lambda: tasks.primality(300, 6)])
def test_streams_are_read_as_the_model_reads_them(make, tmp_path):
    run = train(make(), MODEL, replace(SHORT, steps=5), out=tmp_path, progress=False)
    found = probing.stream(run)
    with torch.no_grad():
        logits = run.model()(run.task.tokens)[:, -1].unflatten(1, (-1, 2))
    torch.testing.assert_close(
        found.margins(found.streams), logits[..., 1] - logits[..., 0], rtol=1e-4, atol=1e-5
    )
    assert found.prime.equal(tasks.sieve(10_000)[run.task.numbers].reshape(len(run.task), -1))
    values = row(run)
    whole = probing.auc(found, found.streams)
    assert whole == pytest.approx(values["test AUC"])
    less = [values[f"AUC without multiples of {q}"] for q in probing.PROBED]
    assert len(set(less)) > 3
    coprime = torch.gcd(found.numbers, torch.tensor(run.task.base)) == 1
    among = found if run.task.endings else found.only(coprime)
    assert values["AUC with multiples of 7"] == probing.auc(among, among.streams)
    assert values["AUC with multiples of 2"] == whole
    numbers = run.task.numbers.flatten()
    mask = run.task.train_mask.repeat_interleave(found.prime.shape[1])
    best = max(sieves.ladder(numbers, found.prime.flatten(), fit=mask), key=lambda each: each.auc)
    assert values["AUC of the best sieve"] >= best.auc


def test_reading_by_the_answers_alone_is_counted():
    classes = torch.tensor([0, 1, 2, 0, 1, 1, 0, 2])
    prime = torch.tensor([0, 1, 1, 0, 1, 1, 0, 0]).bool()[:, None]
    mask = torch.arange(8) < 5
    # In the mask other numbers have 0, 0 and primes 1, 2, 1.
    expected = (torch.tensor([1, 0, 0]) == classes[5:]).double().mean().item()
    assert probing.by_answers(classes, prime, mask) == expected == pytest.approx(2 / 3)


def test_numbers_called_prime_are_counted_by_their_least_divisor():
    numbers = torch.arange(1, 2001)
    prime = tasks.sieve(2001)[1:]
    says = (numbers % 2 != 0) & (numbers % 3 != 0)  # a planted sieve
    own = probing.Stream(
        streams=says.float()[:, None],
        numbers=numbers,
        prime=prime[:, None],
        W_U=torch.tensor([[0.0, 20.0]]),
        b_U=torch.tensor([0.0, -10.0]),
        mask=torch.arange(2000) % 7 < 3,
    )
    found = probing.called_prime(own, own.streams)
    assert list(found) == ["primes", *(f"{q} divides" for q in probing.PROBED), "others"]
    assert found["2 divides"] == found["3 divides"] == 0
    assert all(found[f"{q} divides"] == 1 for q in (5, 7, 11, 13)) and found["primes"] > 0.99
    none = probing.called_prime(own, torch.zeros_like(own.streams))
    assert set(none.values()) == {0.0}


def test_planted_spikes_are_found_where_they_begin():
    losses = torch.logspace(0, -6, 600, dtype=torch.float64)
    assert spikes(losses) == []
    for step in (200, 230, 400):
        losses[step : step + 10] *= 5 * ABOVE
    assert spikes(losses) == [200, 400], "230 belongs to the spike at 200"
    losses[200 + 2 * APART] *= 2 * ABOVE
    assert spikes(losses) == [200, 200 + 2 * APART, 400]
    assert spikes(losses[:BEFORE]) == []
    losses = torch.full((300,), 1e-7, dtype=torch.float64)
    losses[100:250] = 0  # below what float32 has
    losses[200] = 2e-7
    assert spikes(losses) == []
    losses[200] = 2e-6
    assert spikes(losses) == [200]


def test_over_usual_is_a_ratio_of_a_largest_and_a_median():
    values = torch.arange(1, 301).double()
    expected = (100 + APART) / (100 - BEFORE + 1 + 100) * 2
    assert over_usual(values, 100) == pytest.approx(expected, rel=0.02)


SMALL = replace(precision.recipe(task="sums", arm="relative", seed=1), model=MODEL)


def test_watching_changes_nothing(tmp_path):
    """The same losses as of the run that `train` makes."""
    recipe = replace(SMALL, train=replace(SMALL.train, steps=60, log_every=1))
    run = train(*recipe, out=tmp_path, device="cpu", progress=False)
    seen = precision.watched(recipe, progress=False)
    logged = run.metrics["train_loss"].iloc[:-1].tolist()
    assert seen.losses.tolist() == pytest.approx(logged, rel=1e-5)
    initial, last = (run.weights(step) for step in (0, 60))
    assert seen.last_layer[-1].item() == pytest.approx(
        last["unembed.W_U"].double().norm().item(), rel=1e-12
    )
    one = train(*replace(recipe, train=replace(recipe.train, steps=1)), out=tmp_path / "one")
    moved = [(one.weights()[n].double() - w.double()).square().sum() for n, w in initial.items()]
    assert seen.updates[0].item() == pytest.approx(torch.stack(moved).sum().sqrt().item(), rel=1e-6)


def test_arms_differ_in_precision_alone():
    losses = {}
    for arm, (loss, double) in precision.ARMS.items():
        recipe = precision.recipe(task="sums", arm=arm, seed=1)
        assert recipe.double == double and recipe.train.loss == loss
        assert replace(recipe.train, loss="relative") == SMALL.train
        losses[arm] = precision.watched(recipe, 40, progress=False).losses
    of_float64 = losses.pop("float64")
    for arm, own in losses.items():
        torch.testing.assert_close(own, of_float64, rtol=1e-3, atol=0)
        assert not own.equal(of_float64), arm
    assert of_float64.float().double().ne(of_float64).any(), "these have digits beyond float32's"


def test_digests_tell_precisions_apart():
    digests = precision.STUDY.digests
    assert len(set(digests.values())) == len(digests)


def test_a_study_of_watched_trainings_has_rows_and_leaves_no_run(tmp_path):
    def recipe(seed):
        return replace(SMALL, train=replace(SMALL.train, steps=60 + seed))

    settings = {f"seed{seed}": {"seed": seed} for seed in (1, 2)}
    study = replace(precision.STUDY, trainings=settings, recipe=recipe)
    study.work(tmp_path / "docs", tmp_path / "runs", progress=False)
    rows = study.rows(tmp_path / "docs")
    assert {name: row["last step"] for name, row in rows.items()} == {"seed1": 61, "seed2": 62}
    assert rows["seed1"] == {
        "training": "seed1",
        "recipe": study.digests["seed1"],
        "seed": 1,
    } | precision.row(precision.watched(recipe(1), progress=False))
    assert not list((tmp_path / "runs").rglob("run.json"))


def test_a_row_of_a_watched_training():
    steps = precision.Steps(
        losses=torch.full((300,), 1e-6).double(),
        updates=torch.ones(300).double(),
        last_layer=torch.arange(300).double(),
        accuracies=torch.tensor([0, 0.1, 0.2, 0.3, 0.8, 0.9]).double(),
    )
    assert precision.row(steps)["spikes"] == []
    steps.losses[120] = 1e-3
    steps.updates[121] = 7
    found = precision.row(steps)
    assert found["spikes"] == [120] and found["loss before"] == [pytest.approx(1e-6)]
    assert found["update over usual"] == [7] and found["highest loss"] == [pytest.approx(1e-3)]
    assert found["last layer's change over usual"] == [1]
    assert found["test accuracy before"] == [pytest.approx(0.2)]
    assert found["test accuracy after"] == [pytest.approx(0.9)]
    assert found["around from"] == 20 and len(found["losses around"]) == 200


def test_tokens_cast_to_float64_and_back_are_the_same_training():
    found = casts.row(10)
    assert found["largest difference by a cast of the tokens"] == 0
    assert found["an embedding takes tokens in float64"] is False


def test_what_ships_is_what_the_studies_say():
    stored, now = shipping.stored(DOCS)["primes"], EXPERIMENT.together({}, DOCS)
    before = {name: stored[name] for name in now}
    assert shipping.differences({"primes": before}, {"primes": now}) == []
    assert set(stored) == {*now, *EXPERIMENT.measured}


def test_one_that_has_not_memorised_decides_nothing():
    (claim,) = (each for each in EXPERIMENT.claims if each.text.endswith("numbers in digits"))
    row = {"arm": "digits", "base": 10, "AUC beyond the best sieve": -0.1}
    rows = [row | {"train accuracy": share} for share in (1.0, 1.0, 0.9)]
    assert verdict(claim, rows).word == "holds"
    assert verdict(claim, rows[2:]).word == "undecided"
    beyond = row | {"AUC beyond the best sieve": 0.1, "train accuracy": 1.0}
    assert verdict(claim, [beyond]).word == "does not hold"


def test_recipes_of_the_study():
    assert len(recipes.trainings()) == 5 * (4 + 1 + 1 + 2) + 3
    for name, settings in recipes.trainings().items():
        recipe = recipes.recipe(**settings)
        assert recipe.model.seed == settings["seed"] > 0, name
        assert recipe.make.keywords["seed"] == settings["seed"]
    assert recipes.decayed(10).train.weight_decay == 1
    assert recipes.atomic().train.loss == "float64_log_softmax"
