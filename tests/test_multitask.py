"""A run on many remainders in a row: against the same numbers written out."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_utils import CachedModel, TrainConfig, ablation, answers, multitask, tasks, train
from interp_utils.analysis import periods
from tests.small import SMALL_MODEL

P = 11
MODULI = (2, 3, 5, 7)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    task = tasks.remainders(P, 0.8, seed=1)
    config = TrainConfig(
        steps=300, lr=3e-3, weight_decay=3.0, log_every=10, grokfast="ema", grokfast_lambda=2.0
    )
    return train(
        task,
        replace(SMALL_MODEL, d_mlp=64),
        config,
        out=tmp_path_factory.mktemp("multitask") / "run",
        progress=False,
    )


@pytest.fixture(scope="module")
def row(run):
    return multitask.headline(run)


def accuracies(model, task, zeroed=(), means=None):
    """By answer, on test numbers, with neurons fixed: a loop over answers on HookedTransformer's
    own forward.
    """

    def fix(post, hook):
        post[:, -1, list(zeroed)] = means[list(zeroed)]
        return post

    hooks = [("blocks.0.mlp.hook_post", fix)] if len(zeroed) else []
    with torch.no_grad():
        logits = model.run_with_hooks(task.tokens, fwd_hooks=hooks)[:, -1].double().numpy()
    start, found = 0, []
    for answer, q in enumerate(task.n_classes):
        right = logits[:, start : start + q].argmax(1) == task.labels[:, answer].numpy()
        found.append(right[task.test_mask.numpy()])
        start += q
    return np.array(found)


@pytest.mark.parametrize("digit_order", ["low_first", "high_first"])
def test_places_spell_the_number(digit_order):
    task = tasks.remainders(P, digit_order=digit_order)
    first, second = task.places
    assert tasks.numbers(task).equal(first * task.tokens[:, 0] + second * task.tokens[:, 1])


def test_clusters_are_the_neurons_of_a_period():
    waves = periods.Waves(
        torch.tensor([3, 3, 3, 3, 5, 5, 0]),
        torch.ones(7).long(),
        torch.tensor([0.9, 0.3, 0.5, 0.2, 1.0, 1.0, 0.0]),
    )
    found = multitask.clusters(waves, (2, 3, 5))
    assert {q: neurons.tolist() for q, neurons in found.items()} == {3: [0, 1, 2]}


def test_answers(run, row):
    right = accuracies(run.model(), run.task)
    by_answer = right.mean(1)
    assert row["test accuracy"] == pytest.approx(by_answer.mean()) and row[
        "lowest test accuracy"
    ] == pytest.approx(by_answer.min())
    assert row["n recovered"] == pytest.approx(right.all(0).mean())
    assert row["n recovered, if answers failed independently"] == pytest.approx(
        math.prod(by_answer)
    )
    assert (row["p"], row["steps"], row["answers"]) == (P, 300, 4) and row[
        "answers at 99 %"
    ] == len(row["steps to 99 %"])
    for q, step in row["steps to 99 %"].items():
        column = run.metrics.set_index("step")[f"test_accuracy/{q}"]
        assert (column.loc[step:] >= 0.99).all() and (
            step == 0 or column.loc[: step - 1].iloc[-1] < 0.99
        )
    assert row["steps to 99 %"], "mod 2 is learned by then"


def test_masked_answers_do_not_count(tmp_path):
    task = tasks.remainders(P, 0.8, seed=1, masked=(2, 5))
    run = train(
        task, SMALL_MODEL, TrainConfig(steps=40, log_every=10), out=tmp_path / "run", progress=False
    )
    row, right = multitask.learned(run), accuracies(run.model(), task)[[1, 3]]
    assert (
        multitask.trained(task) == [1, 3]
        and row["answers"] == 2
        and not {"2", "5"} & row["steps to 99 %"].keys()
    )
    assert row["test accuracy"] == pytest.approx(right.mean()) and row[
        "n recovered"
    ] == pytest.approx(right.all(0).mean())
    assert row["lowest test accuracy"] == pytest.approx(right.mean(1).min()) and multitask.trained(
        tasks.remainders(P)
    ) == [0, 1, 2, 3]


def test_positions_and_attention(run, row):
    W_pos = run.weights()["pos_embed.W_pos"].double().numpy()
    assert row["positions, Pearson"] == pytest.approx(
        np.corrcoef(W_pos[0], W_pos[1])[0, 1], abs=1e-5
    )
    ratio = np.linalg.norm(W_pos[0] + W_pos[1]) / np.linalg.norm(W_pos[0] - W_pos[1])
    assert row["positions, half sum over half difference"] == pytest.approx(ratio, rel=1e-4)
    _, cache = run.model().run_with_cache(run.task.tokens)
    to_digits = cache["blocks.0.attn.hook_pattern"][:, :, -1, :2].double().mean(0)
    one_sided = [max(first, second) / (first + second) for first, second in to_digits.tolist()]
    assert row["attention to one digit, most"] == pytest.approx(max(one_sided), rel=1e-4)
    assert row["attention to one digit, least"] == pytest.approx(min(one_sided), rel=1e-4)


def test_cost_of_clusters(run, row):
    model, task = run.model(), run.task
    _, cache = model.run_with_cache(task.tokens)
    post = cache["blocks.0.mlp.hook_post"][:, -1].detach()
    waves = periods.best_waves(post.view(P, P, -1), task.places, MODULI)
    found = multitask.clusters(waves, MODULI)
    full, own, others = accuracies(model, task).mean(1), [], []
    for q, neurons in found.items():
        cost = full - accuracies(model, task, neurons.tolist(), post.mean(0)).mean(1)
        for answer, other in enumerate(MODULI):
            (own if other == q else others).append(cost[answer])
    assert row["clusters"] == len(found) >= 1
    assert row["cluster's cost to its own answer"] == pytest.approx(np.mean(own), abs=0.01)
    assert row["cluster's cost to other answers"] == pytest.approx(np.mean(others), abs=0.01)


def test_a_clusters_own_answer_is_found_by_its_q_not_by_its_row(run, monkeypatch):
    """One cluster, of the third modulus: planted, so that its row is not its answer's place."""
    model, task = run.model(), run.task
    chosen = torch.arange(10)
    monkeypatch.setattr(multitask, "clusters", lambda waves, moduli: {MODULI[2]: chosen})
    found = multitask.headline(run)
    _, cache = model.run_with_cache(task.tokens)
    means = cache["blocks.0.mlp.hook_post"][:, -1].detach().mean(0)
    fixed = accuracies(model, task, chosen.tolist(), means).mean(1)
    cost = accuracies(model, task).mean(1) - fixed
    assert len(set(cost.round(4))) == len(MODULI), "no two answers lose the same"
    assert found["cluster's cost to its own answer"] == pytest.approx(cost[2], abs=1e-4)
    others = np.delete(cost, 2).mean()
    assert found["cluster's cost to other answers"] == pytest.approx(others, abs=1e-4)


def test_other_embeddings_are_those_of_the_ablation(run):
    model, W_E = CachedModel(run), run.weights()["embed.W_E"]
    others = [W_E[:P], W_E[:P].roll(2, 0), torch.zeros_like(W_E[:P])]
    found = multitask.with_embeddings(run, others, progress=False)
    for rows, accuracy in zip(others, found, strict=True):
        logits = ablation.with_digits(model, rows)
        expected = answers.accuracies(logits, run.task.labels, MODULI, mask=run.task.test_mask)
        assert accuracy.equal(expected)
    assert not found[0].equal(found[1])


def test_one_answer_per_input_has_no_list_of_answers(tmp_path):
    config = TrainConfig(steps=2)
    run = train(
        tasks.modular_addition(P, 0.6), SMALL_MODEL, config, out=tmp_path / "run", progress=False
    )
    row = multitask.headline(run)
    assert (
        "positions, Pearson" in row
        and "frequencies, effective share" in row
        and "answers" not in row
    )
    with pytest.raises(ValueError, match="of a run with one answer"):
        multitask.learned(run)


def test_what_was_learned_is_part_of_the_headline(run, row):
    learned = multitask.learned(run)
    assert (
        learned.items() <= row.items()
        and {"test accuracy", "train accuracy", "answers at 99 %", "steps to 99 %"}
        <= learned.keys()
    )
