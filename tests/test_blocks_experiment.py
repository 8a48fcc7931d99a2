"""Where a simplified block multiplies, how "=" comes to see the operands, and the study's rows."""

import dataclasses
import math

import pytest
import torch

from interp_utils import CachedModel, ModelConfig, TrainConfig, models, tasks, train
from interp_utils.experiments import studies
from interp_utils.experiments.blocks import mixing, products, recipes, row, together
from interp_utils.models.blocks import BlocksConfig
from tests.test_blocks import SMALL, TASK, TRAINING, planted_sum, random_weights

A, B = torch.meshgrid(torch.arange(7.0), torch.arange(7.0), indexing="ij")
WAVES = [torch.cos(2 * math.pi * k * x / 7) for x in (A, B) for k in (1, 2)]


def test_what_is_a_sum_has_no_products_and_what_is_a_product_has_nothing_else():
    summed, product = WAVES[0] + 2 * WAVES[3] + 5, WAVES[0] * WAVES[2]
    assert products.share_of_products(summed) < 1e-9
    assert products.share_of_products(product) == pytest.approx(1)
    assert products.share_of_products(torch.ones(7, 7, 3)) == 0
    # orthogonal waves of variance 1/2 and 1/4, in two columns
    both = torch.stack([WAVES[0] + product, WAVES[1]], -1)
    assert products.share_of_products(both) == pytest.approx(0.25 / 1.25, rel=1e-5)
    assert products.additive(both)[..., 0].allclose(WAVES[0], atol=1e-6)


def test_a_planted_block_multiplies_in_its_neurons_alone():
    task, config, weights = planted_sum()
    found = products.products(CachedModel(models.build(config, weights, device="cpu"), task))
    assert found["products in heads"] < 1e-9 < 0.01 < found["products in neurons"]
    assert found["accuracy without products in heads"] == 1
    assert found["accuracy without products in neurons"] < 0.5


def test_a_parallel_block_has_products_in_its_heads_alone():
    config = dataclasses.replace(SMALL, form="parallel").for_task(TASK)
    weights = {name: weight.float() for name, weight in random_weights(config).items()}
    model = CachedModel(models.build(config, weights, device="cpu"), TASK)
    found = products.products(model)
    assert found["products in neurons"] == 0 < found["products in heads"]
    summed = products.without_products(model, "z")
    assert products.share_of_products(summed.logits) < 1e-9
    assert products.without_products(model, "post").logits.allclose(model.logits, atol=1e-5)


def test_without_attention_s_neurons_there_is_none_to_ask():
    plain = ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=None).for_task(TASK)
    found = products.products(CachedModel(models.build(plain, device="cpu"), TASK))
    assert found["products in neurons"] is None and found["products in heads"] > 0


@pytest.mark.parametrize("form", ["shaped", "skip_init"])
def test_the_parts_of_the_mixing_are_the_mixing(form):
    config = dataclasses.replace(SMALL, mixing=form).for_task(TASK)
    weights = {name: weight.float() for name, weight in random_weights(config).items()}
    model = CachedModel(models.build(config, weights, device="cpu"), TASK)
    parts = mixing.parts(model)
    assert sum(parts).allclose(model.activation("pattern", 0), atol=1e-6)
    assert parts.own[..., :-1].count_nonzero() == 0
    assert parts.by_position.flatten(0, 1).std(0).max() < 1e-6
    assert parts.by_content.mean((0, 1)).abs().max() < 1e-6 < parts.by_content.abs().max()
    for part in (parts.by_position, parts.by_content):  # they move weight, and add none
        assert part.sum(-1).abs().max() < 1e-5
    alpha, beta, gamma = (
        weights.get(f"blocks.0.attn.{name}", torch.zeros(3)) for name in mixing.GAINS
    )
    assert parts.alike.sum(-1).allclose((beta - gamma).expand(7, 7, 3), atol=1e-6)
    assert parts.own.sum(-1).allclose(alpha.expand(7, 7, 3))
    seen = mixing.seen(model)
    rest = model.with_hooks(("blocks.0.attn.hook_pattern", lambda x, hook: only_last(x, parts)))
    expected = torch.nn.functional.cross_entropy(
        rest.logits.flatten(0, 1)[TASK.train_mask], TASK.labels[TASK.train_mask]
    )
    assert seen["train loss, nothing by content"] == pytest.approx(expected.item(), rel=1e-5)
    assert seen["train loss"] != pytest.approx(expected.item(), rel=1e-3)


def only_last(pattern, parts):
    edited = pattern.clone()
    edited[:, :, -1] = (parts.own + parts.alike + parts.by_position).flatten(0, 1)
    return edited


def test_at_first_nothing_is_seen_and_a_run_s_course_begins_there(tmp_path):
    run = train(TASK, SMALL, TRAINING, out=tmp_path, progress=False)
    course = mixing.course(run)
    assert course["steps"] == run.steps
    assert all(course[f"sees {part}"][0] < 1e-7 for part in together.PARTS)
    assert course["train loss"][0] == course["train loss, nothing by content"][0]
    assert course["sees by content"][-1] > 0 and course["alpha"][0] == 1
    last = mixing.seen(CachedModel(run.model(device="cpu"), run.task))
    assert course["beta"][-1] == pytest.approx(last["beta"], rel=1e-3)
    logged = run.metrics.train_loss.iloc[-1]
    assert course["train loss"][-1] == pytest.approx(logged, rel=1e-3)


def test_rows_of_both_tasks(tmp_path):
    run = train(TASK, SMALL, TRAINING, out=tmp_path / "sum", progress=False)
    found = row.row(run)
    assert found["parameters"] == sum(weight.numel() for weight in run.weights().values())
    assert {"gains", "neurons clustered", "products in heads"} <= found.keys()
    assert found.keys() == {*row.look(run), "steps", *studies.outcome(studies.records(run))} - {
        "course"
    }
    training = TrainConfig(steps=3, lr=1e-3)
    rows = train(tasks.prime_rows(width=3), SMALL, training, out=tmp_path / "rows", progress=False)
    assert 0 <= row.row(rows)["test AUC"] <= 1
    deep = dataclasses.replace(SMALL, n_layers=2, form="parallel")
    two = row.row(train(TASK, deep, training, out=tmp_path / "deep", progress=False))
    assert "course" not in two and "neurons clustered" not in two


def test_frozen_biases_are_no_parameters(tmp_path):
    plain = ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=16)
    run = train(TASK, plain, TrainConfig(steps=1), out=tmp_path, progress=False)
    d, vocab, ctx, out = 8, 8, 3, 7
    assert row.parameters(run) == vocab * d + ctx * d + 4 * d * d + 2 * d * 16 + d * out


def test_arms_have_one_width_and_their_names_say_what_they_are():
    for arm, config in recipes.ARMS.items():
        assert config.d_model == recipes.WIDTH and config.n_heads == recipes.HEADS
        is_simplified = isinstance(config, BlocksConfig)
        assert is_simplified == (arm not in (recipes.PLAIN, recipes.ALONE))
        if is_simplified:
            assert (config.form == "parallel") == arm.startswith("SAS-P")
            assert (config.normalization is not None) == arm.endswith("normalized")
            assert config.first_value != arm.endswith("no values")
            assert config.decay_gains == arm.endswith("gains decayed")


def study_row(**changes):
    row = {"state": "generalised", "generalised": 200, "memorised": 50, "last step": 300}
    row |= {"parameters": 90, "full loss": 1e-3, "restricted loss": 5e-4, "test accuracy": 1.0}
    row |= {"key frequencies": [3]}
    return row | changes


def test_an_arm_is_compared_by_medians_and_a_censored_one_by_its_end():
    plain = [study_row(parameters=100, generalised=at) for at in (90, 100, 400)]
    arm = [
        study_row(generalised=None, state="not yet", **{"last step": 800}),
        study_row(generalised=150),
        study_row(generalised=None, state="not yet", **{"last step": 700}),
    ]
    found = together.of_arm("SAS", arm, plain)
    assert found["generalises, steps over the plain block's"] == 7
    assert found["memorises, steps over the plain block's"] == 1
    assert found["fewer parameters"] == pytest.approx(0.1)
    assert found["generalises"] == [False, True, False] and found["generalised at"] == [150]
    assert found["lengths"] == [300, 800]
    never = [study_row(generalised=None, state="not yet") for _ in range(3)]
    assert together.of_arm("SAS", arm, never)["generalises, steps over the plain block's"] is None


def test_what_is_seen_first_is_read_where_a_course_begins_to_learn():
    guess = math.log(recipes.P)
    course = {
        "steps": [0, 8, 16],
        "train loss": [guess, 0.995 * guess, 0.9 * guess],
        "train loss, nothing by position": [guess, guess, guess],
        "train loss, nothing by content": [guess, guess, 0.8 * guess],
        "train loss, nothing alike": [guess, guess, 0.9 * guess + 0.1],
        **{n: [1, 1, 2] for n in ("alpha", "beta", "gamma", "gain of attn", "gain of mlp")},
    }
    rows = [study_row(course=course)]
    found = together.of_arm("SAS", rows, rows)
    assert found["sees an operand at"] == [16]
    assert found["sees by position first"] == [True]
    assert found["costs at first, nothing by position"] == [pytest.approx(0.1 * guess)]
    assert found["costs at first, nothing by content"] == [pytest.approx(-0.1 * guess)]
    assert found["costs at the end, nothing alike"] == [pytest.approx(0.1)]
    assert found["beta at the end"] == [2]
