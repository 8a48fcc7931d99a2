import math

import pandas as pd
import pytest
import torch

from interp_utils import (
    CachedModel,
    ModelConfig,
    TrainConfig,
    algorithm,
    answers,
    fourier,
    milestones,
    models,
    progress,
    sparsity,
    tasks,
    train,
    trajectories,
)
from interp_utils.measures.applies import DoesNotApply
from tests.small import of_hooked_transformer


@pytest.mark.parametrize(
    ("holds", "expected"),
    [([0, 1, 1], 10), ([1, 1, 1], 0), ([1, 0, 1], 20), ([1, 1, 0], None), ([0, 0, 0], None)],
)
def test_first_sustained(holds, expected):
    assert milestones.first_sustained(pd.Series(holds, index=[0, 10, 20], dtype=bool)) == expected


@pytest.mark.parametrize(
    ("test", "until", "expected"),
    [
        ([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], None, (10, 60, True)),
        ([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], None, (10, 40, False)),  # not five times later
        ([0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1], None, (10, 70, True)),  # it dipped
        (
            [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
            None,
            (10, None, False),
        ),  # for too short a time to be called sustained
        ([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], 90, (10, None, False)),
        ([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], 100, (10, 60, True)),
        ([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0], 100, (10, 60, True)),
        (
            [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            30,
            (None, None, False),
        ),  # four steps are too few for either
    ],
)
def test_generalisation(test, until, expected):
    train = [0.99, *[1.0] * 11]  # 99 % is not above 99 %
    metrics = pd.DataFrame(
        {"step": range(0, 120, 10), "train_accuracy": train, "test_accuracy": test}
    )
    assert milestones.generalisation(metrics, until) == expected
    of_lists = metrics.rename(columns={"test_accuracy": "validation_accuracy"})
    assert milestones.generalisation(of_lists, until) == expected
    with pytest.raises(ValueError, match="no test_accuracy or validation_accuracy: which inputs"):
        milestones.generalisation(metrics.drop(columns="test_accuracy"))


def history(test_loss):
    return pd.DataFrame({"step": range(0, 10 * len(test_loss), 10), "test_loss": test_loss})


def test_phases_of_a_planted_history():
    metrics = history([4.0, 20.0, 30.0, 28.0, 16.0, 14.0, 1.0, 1e-2, 1e-4, 1e-6])
    assert milestones.phases(metrics) == {
        "memorisation": (0, 20),
        "circuit formation": (20, 50),
        "cleanup": (50, 80),
    }


def test_a_spike_after_grokking_moves_the_end_of_cleanup():
    metrics = history([4.0, 30.0, 10.0, 1e-4, 1e-2, 1e-5])
    assert milestones.phases(metrics)["cleanup"] == (20, 50)


def test_phases_that_were_not_completed_are_left_out():
    assert milestones.phases(history([4.0, 20.0, 30.0])) == {"memorisation": (0, 20)}
    assert set(milestones.phases(history([4.0, 30.0, 10.0]))) == {
        "memorisation",
        "circuit formation",
    }


@pytest.fixture(scope="module")
def measured(small_run):
    return trajectories.measure(small_run, keys=[1, 3], progress=False)


def value(table, step, measure, **where):
    for column, wanted in {"step": step, "measure": measure, **where}.items():
        table = table[table[column] == wanted]
    assert len(table) == 1
    return table["value"].item()


def test_measures_are_those_of_the_functions(small_run, measured):
    assert measured["step"].unique().tolist() == small_run.steps
    assert list(measured.columns) == trajectories.COLUMNS and measured["value"].notna().all()
    keys, step = [1, 3], 40
    model = CachedModel(small_run.model(step), small_run.task)
    logits, labels, train = model.logits, model.task.labels, model.task.train_mask
    W_U = model.model.W_U
    metrics = small_run.metrics.set_index("step").loc[step]
    for split in ("train", "test"):
        assert value(measured, step, "loss", split=split) == pytest.approx(
            metrics[f"{split}_loss"], rel=1e-4
        )
        assert value(measured, step, "accuracy", split=split) == pytest.approx(
            metrics[f"{split}_accuracy"]
        )
    for variant in ("sum", "block2x2", "block3x3"):
        expected = progress.restricted_loss(logits, labels, keys, variant=variant)
        assert value(
            measured, step, "restricted_loss", level="logits", variant=variant, split="all"
        ) == pytest.approx(expected, rel=1e-5)
        expected = progress.excluded_loss(logits, labels, keys, mask=train, variant=variant)
        assert value(
            measured, step, "excluded_loss", level="logits", variant=variant, split="train"
        ) == pytest.approx(expected, rel=1e-5)
    post, W_L = model.activation("post"), model.model.W_out[0] @ W_U
    excluded = progress.remove(post, keys) @ W_L + model.activation("resid_mid") @ W_U
    expected = progress.mean_loss(excluded, labels, mask=train)
    assert value(measured, step, "excluded_loss", level="neurons", split="train") == pytest.approx(
        expected, rel=1e-4
    )
    linear = progress.restrict(post, keys) @ W_L
    restricted = linear - linear.mean((0, 1)) + logits.mean((0, 1))
    expected = progress.mean_loss(restricted, labels)
    assert value(measured, step, "restricted_loss", level="neurons", split="all") == pytest.approx(
        expected, rel=1e-4
    )
    single = progress.single_excluded_losses(logits, labels, mask=train)
    assert value(
        measured, step, "single_excluded_loss", variant="sum", frequency=2
    ) == pytest.approx(single[2].item(), rel=1e-5)
    fit = algorithm.cosine_fit(logits, keys)
    assert value(measured, step, "cosine_coefficient", frequency=3) == pytest.approx(
        fit.coefficients[3].item(), rel=1e-4
    )
    assert value(measured, step, "share_on_keys", level="post") == pytest.approx(
        progress.share_on(post, keys), rel=1e-4
    )
    squares = measured[(measured["step"] == step) & (measured["measure"] == "sum_squared_weights")][
        "value"
    ].sum()
    assert squares == pytest.approx(metrics["sum_squared_weights"], rel=1e-4)
    gini = sparsity.gini(fourier.power(model.model.W_E[:7])[1:].sum(1).sqrt())
    assert value(measured, step, "gini", level="W_E", variant="frequencies") == pytest.approx(
        gini, rel=1e-4
    )


def test_key_frequencies_default_to_the_final_models(small_run, measured):
    keys = fourier.key_frequencies(CachedModel(small_run.model(), small_run.task).logits)
    table = trajectories.measure(small_run, steps=[0], progress=False)
    explicit = trajectories.measure(small_run, keys=keys, steps=[0], progress=False)
    assert table.equals(explicit)


def test_gradient_symmetricity_of_a_symmetric_and_an_opposed_model(small_task):
    """Logits linear in E_a + E_b have equal gradients; positions that turn the sign of what b says
    make them opposite.
    """
    config = ModelConfig(d_model=8, n_heads=1, d_head=8, d_mlp=4).for_task(small_task)
    weights = {name: torch.zeros(shape) for name, shape in models.weight_shapes(config).items()}
    weights["embed.W_E"] = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    weights["blocks.0.attn.W_V"] = weights["blocks.0.attn.W_O"] = torch.eye(8)[None]
    weights["unembed.W_U"] = torch.randn(8, 7, generator=torch.Generator().manual_seed(1))
    model = CachedModel(models.build(config, weights), small_task)
    assert trajectories.gradient_symmetricity(model) == pytest.approx(1)

    def turn_b(v, hook):
        return v * torch.tensor([1.0, -1.0, 1.0])[:, None, None]

    assert trajectories.gradient_symmetricity(model.with_hooks(("v", turn_b))) == pytest.approx(-1)


def test_headline_of_a_run(small_run):
    row = trajectories.headline(small_run)
    assert row["p"] == 7 and row["number of key frequencies"] == len(row["key frequencies"])
    assert row["test accuracy"] == pytest.approx(small_run.metrics["test_accuracy"].iloc[-1])
    model = CachedModel(small_run.model(), small_run.task)
    logits, labels, keys = model.logits, model.task.labels, row["key frequencies"]
    assert keys == fourier.key_frequencies(logits)
    assert row["full loss"] == pytest.approx(progress.mean_loss(logits, labels))
    assert row["restricted loss"] == pytest.approx(progress.restricted_loss(logits, labels, keys))
    assert row["excluded loss"] == pytest.approx(
        progress.excluded_loss(logits, labels, keys, mask=model.task.train_mask)
    )
    assert row["logit variance explained"] == pytest.approx(
        algorithm.cosine_fit(logits, keys).variance_explained
    )
    share = fourier.neuron_variance_by_frequency(model.activation("post")).nan_to_num(0).amax(0)
    assert row["neurons clustered"] == (share >= 0.85).double().mean().item()


def test_without_a_test_loss_no_phase_is_told():
    assert milestones.phases(pd.DataFrame({"step": [0, 1], "test_loss": [math.nan] * 2})) == {}
    assert milestones.phases(pd.DataFrame({"step": [0, 1], "all_loss": [1.0, 0.1]})) == {}


RUNS = {
    "two layers": (tasks.modular_addition(7, 0.6), {"n_layers": 2}, {}),
    "attention only": (tasks.modular_addition(7, 0.6), {"d_mlp": None}, {}),
    "LayerNorm": (tasks.modular_addition(7, 0.6), {"normalization": "LN"}, {}),
    "no test pairs": (tasks.modular_addition(7, 1.0), {}, {}),
    "powers, no bijections": (tasks.exponentiated_addition(7, 2, 2, 0.6), {}, {}),
    "products": (tasks.modular_product(7, 0.6), {}, {}),
    "remainders": (tasks.remainders(7, 0.6), {}, {}),
    "group": (tasks.group_composition("S3", 0.6), {}, {}),
    "sorting": (tasks.sorting(16, (2, 5), n_validation=20, n_test=20), {}, {"batch_size": 16}),
}
WITHOUT = {
    "two layers": {"excluded on neurons", "restricted on neurons", "share of neurons on keys"},
    "attention only": {"excluded on neurons", "restricted on neurons", "share of neurons on keys"},
    "LayerNorm": {"restricted on neurons"},
    "no test pairs": set(),
    "products": set(),
}


@pytest.mark.parametrize("name", RUNS)
def test_every_run_is_measured_by_what_means_something(name, tmp_path):
    """The others are refused by name, saying why; all are in the table where they apply."""
    task, model, training = RUNS[name]
    config = ModelConfig(**{"d_model": 16, "n_heads": 2, "d_head": 8, "d_mlp": 32} | model)
    run = train(task, config, TrainConfig(steps=3, **training), out=tmp_path, progress=False)
    table = trajectories.measure(run, progress=False)
    assert set(table["step"]) == set(run.steps) and {"loss", "accuracy"} <= set(table["measure"])
    assert table["value"].notna().all()
    always = {"losses", "sum of squared weights"}
    without = WITHOUT.get(name, set(trajectories.MEASURES) - always)
    for measure in trajectories.MEASURES:
        if measure in without:
            with pytest.raises(DoesNotApply, match=f"^{measure} means nothing here: "):
                trajectories.measure(run, measures=[measure], progress=False)
        else:
            assert len(trajectories.measure(run, measures=[measure], progress=False))
    with pytest.raises(ValueError, match="there is no measure 'nothing'; there are: losses, "):
        trajectories.measure(run, [1], measures=["nothing"], progress=False)


def test_losses_of_several_answers_and_of_sequences_are_those_of_their_functions(tmp_path):
    task, _, _ = RUNS["remainders"]
    config = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
    run = train(task, config, TrainConfig(steps=3), out=tmp_path, progress=False)
    model = CachedModel(run.model(), task)
    table = trajectories.measure(run, steps=[run.steps[-1]], progress=False)
    means = answers.mean_losses(model.logits, task.labels, task.n_classes, mask=task.test_mask)
    for q, expected in zip(task.n_classes, means.tolist(), strict=True):
        found = value(table, run.steps[-1], "loss", split="test", level=f"answer {q}")
        assert found == pytest.approx(expected)
    task, _, training = RUNS["sorting"]
    out = tmp_path / "sorting"
    run = train(task, config, TrainConfig(steps=3, **training), out=out, progress=False)
    table = trajectories.measure(run, steps=[run.steps[-1]], progress=False)
    logits = CachedModel(run.model(), task.test).logits
    whole, token = answers.sequence_accuracy(logits, task.test.labels)
    assert value(table, run.steps[-1], "accuracy", split="test") == whole
    assert value(table, run.steps[-1], "token_accuracy", split="test") == token
    asked = task.test.asked
    expected = answers.mean_loss(logits[asked], task.test.labels[asked])
    assert value(table, run.steps[-1], "loss", split="test") == pytest.approx(expected)


def test_through_layer_norm_the_edited_model_is_run():
    """16.50 by W_L, which LayerNorm makes wrong; 5.43 by the model with neurons replaced."""
    config = ModelConfig(
        d_model=16, n_heads=2, d_head=8, d_mlp=32, normalization="LN", biases="all"
    ).for_task(tasks.modular_addition(7))
    model = CachedModel(models.build(config), tasks.modular_addition(7))
    with torch.no_grad():
        for weight in model.model.parameters():
            if weight.ndim >= 2:
                weight.mul_(5)
    rows = trajectories.measure_model(model, [1], ["excluded on neurons"])
    (found,) = [r["value"] for r in rows if (r["measure"], r["split"]) == ("excluded_loss", "all")]
    post = model.activation("post")
    edited = model.with_values({"post": progress.remove(post, [1])}).logits
    assert found == pytest.approx(progress.mean_loss(edited, model.task.labels))
    W_L = model.model.W_out[0] @ model.model.W_U
    by_W_L = model.logits - progress.project(post, [1]) @ W_L
    assert found != pytest.approx(progress.mean_loss(by_W_L, model.task.labels), rel=0.1)
    with pytest.raises(DoesNotApply, match="W_L = W_out W_U is not how this model reads"):
        trajectories.measure_model(model, [1], ["restricted on neurons"])


@of_hooked_transformer
def test_through_a_soft_cap_the_edited_model_is_run():
    """No setting that is known by its name makes W_L wrong here: the model is tried."""
    task = tasks.modular_addition(7)
    model = CachedModel(models.build(ModelConfig(d_model=16, d_mlp=32).for_task(task)), task)
    assert model.W_L.equal(model.model.W_out[0] @ model.model.W_U)
    model.model.cfg.output_logits_soft_cap = 0.5
    rows = trajectories.measure_model(model, [1], ["excluded on neurons"])
    (found,) = [r["value"] for r in rows if (r["measure"], r["split"]) == ("excluded_loss", "all")]
    edited = model.with_values({"post": progress.remove(model["post"], [1])}).logits
    assert found == pytest.approx(progress.mean_loss(edited, model.task.labels))
    with pytest.raises(ValueError, match="logits do not move by W_L when its neurons are moved"):
        _ = model.W_L
    with pytest.raises(DoesNotApply, match="do not move by W_L"):
        trajectories.measure_model(model, [1], ["restricted on neurons"])


def test_history_takes_rows_of_the_long_table_by_what_tells_them_apart(measured):
    names = ["restricted_loss[logits, sum, all]", "single_excluded_loss[sum, 2]", "train loss"]
    table = trajectories.history(measured, names)
    assert list(table.columns) == ["step", *names]
    assert table["restricted_loss[logits, sum, all]"].equals(
        trajectories.history(measured, ["restricted loss"])["restricted loss"].rename(names[0])
    )
    at_40 = table.set_index("step").loc[40]
    assert at_40["single_excluded_loss[sum, 2]"] == value(
        measured, 40, "single_excluded_loss", variant="sum", frequency=2
    )
    with pytest.raises(ValueError, match=r"several measures: say which, of level logits, neurons"):
        trajectories.history(measured, ["restricted_loss[sum, all]"])
    with pytest.raises(ValueError, match=r"'al' is none of level logits, neurons; variant sum, "):
        trajectories.history(measured, ["restricted_loss[al]"])
    with pytest.raises(ValueError, match="there is no measure 'nothing'; there are: train loss; "):
        trajectories.history(measured, ["nothing"])


def test_spikes_are_found_where_they_were_planted():
    steps = list(range(0, 1000, 10))
    falling = [math.exp(-step / 100) for step in steps]
    highest = list(falling)
    highest[40] *= 30  # between two logged steps: the logged loss does not show it
    metrics = pd.DataFrame({"step": steps, "train_loss": falling, "highest_train_loss": highest})
    assert milestones.spikes(metrics) == [400]
    assert milestones.spikes(metrics, factor=50.0) == []
    with pytest.raises(ValueError, match="logged without highest_train_loss"):
        milestones.spikes(metrics.drop(columns="highest_train_loss"))


def test_steps_by_answer():
    metrics = pd.DataFrame(
        {
            "step": [0, 10, 20, 30],
            "test_accuracy": [0.0, 0.0, 0.0, 0.0],
            "test_accuracy/2": [0.5, 0.99, 1.0, 1.0],
            "test_accuracy/3": [0.3, 1.0, 0.5, 0.995],  # not sustained at 10
            "test_accuracy/11": [0.1, 0.2, 0.3, 0.98],
            "train_accuracy/2": [1.0, 1.0, 1.0, 1.0],
        }
    )
    steps = milestones.steps_by_answer(metrics)
    assert steps.index.tolist() == [2, 3, 11] and steps.index.name == "q"
    assert steps[2] == 10 and steps[3] == 30 and steps[11] is pd.NA
    assert milestones.steps_by_answer(metrics, level=0.5).tolist() == [0, 10, 30]
    assert milestones.steps_by_answer(metrics, "train_accuracy").tolist() == [0]
    with pytest.raises(ValueError, match="no columns validation_accuracy/"):
        milestones.steps_by_answer(metrics, "validation_accuracy")


def test_follow_applies_a_function_to_every_snapshot(small_run):
    norms = trajectories.follow(
        small_run, lambda model: model.model.W_E.norm().item(), progress=False
    )
    assert list(norms) == small_run.steps
    assert norms == {step: small_run.model(step).W_E.norm().item() for step in small_run.steps}
    assert len(set(norms.values())) > 5, "weights change between snapshots"
    logits = trajectories.follow(small_run, lambda model: model.logits, steps=[20], progress=False)
    assert logits[20].equal(CachedModel(small_run.model(20), small_run.task).logits)
