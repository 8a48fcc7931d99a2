"""A report's verdicts on models whose answer is known: a grokked one, a memoriser, an untrained
one, and models that some of its questions do not apply to.
"""

import dataclasses
import importlib.util
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from interp_utils import (
    CachedModel,
    ModelConfig,
    Run,
    TrainConfig,
    ablation,
    models,
    progress,
    report,
    tasks,
    train,
    trajectories,
)
from interp_utils.measures import verdicts
from tests import planted

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
SMALL = ModelConfig(d_model=24, n_heads=2, d_head=12, d_mlp=48)


@pytest.fixture(scope="module")
def grokked():
    return report(Run.load(CHECKPOINTS / "p59_seed0"))


@pytest.fixture(scope="module")
def memoriser(tmp_path_factory):
    task = tasks.random_labels(tasks.modular_addition(11, frac_train=0.5))
    schedule = TrainConfig(steps=400, lr=1e-2, weight_decay=0.0)
    return train(task, SMALL, schedule, out=tmp_path_factory.mktemp("memoriser"), progress=False)


def verdict_of(found):
    return found.table["verdict"].to_dict()


def test_a_grokked_model_is_a_clock(grokked):
    said = verdict_of(grokked)
    assert said == {
        "does it know its training pairs?": "yes",
        "does it generalise?": "yes",
        "does it know all pairs?": "yes",
        "which frequencies are key?": "2, 14, 20, 24, 27",
        "are its logits cosines of the keys?": "yes",
        "circuit or memoriser?": "circuit",
        "are the keys enough?": "yes",
        "are the keys needed?": "yes",
        "clock or pizza, by the logits?": "clock",
        "clock or pizza, by the gradients?": "clock",
        "has each neuron one frequency?": "yes",
        "without attention to its own position": "harmless",
        "without attention heads": "breaks it",
        "without attention's skip": "harmless",
        "without the MLP's skip": "harmless",
        "without products in neurons": "hurts",
    }
    assert set(grokked.figures) == {
        "pairs", "ablations", "embedding", "logits", "circles", "neurons"
    }  # fmt: skip


def test_each_verdict_has_its_number_and_its_rule(grokked):
    run = Run.load(CHECKPOINTS / "p59_seed0")
    model = CachedModel(run.model(), run.task)
    table, labels = grokked.table, model.task.labels
    assert table["rule"].str.len().min() > 10
    assert (table["note"] == "").all()
    assert table["number"].notna().all()
    right = progress.accuracy(model.logits, labels, mask=model.task.test_mask)
    assert table["number"]["does it generalise?"] == right
    keys = [2, 14, 20, 24, 27]
    restricted = progress.restricted_loss(model.logits, labels, keys)
    assert table["number"]["are the keys enough?"] == pytest.approx(restricted, rel=1e-6)
    excluded = progress.excluded_loss(model.logits, labels, keys, mask=model.task.train_mask)
    assert table["number"]["are the keys needed?"] == pytest.approx(excluded, rel=1e-6)


def test_a_memoriser_is_one(memoriser):
    found = report(memoriser)
    said = verdict_of(found)
    assert said["does it know its training pairs?"] == "yes"
    assert said["does it generalise?"] == "no"
    assert said["are its logits cosines of the keys?"] in ("no", "not measured")
    assert said["circuit or memoriser?"] == "memoriser"
    assert said["clock or pizza, by the logits?"] == "not measured"
    assert "asked only of a circuit" in found.table["note"]["clock or pizza, by the logits?"]


def test_an_untrained_model_is_neither():
    task = tasks.modular_addition(11, frac_train=0.5)
    found = report(models.build(SMALL.for_task(task)), task)
    said = verdict_of(found)
    assert said["does it know its training pairs?"] == "no"
    assert said["circuit or memoriser?"] == "neither yet"
    assert said["has each neuron one frequency?"] == "no"
    for question in ("are the keys enough?", "are the keys needed?"):
        assert said[question] == "not measured", "it has no answer that could be kept or lost"
        assert "already above that of guessing" in found.table["note"][question]


def test_a_model_that_is_told_wrongly_is_said_to_be():
    """Shapes fit, and the numbers are other tokens than was said."""
    run = Run.load(CHECKPOINTS / "p59_seed0")
    layout = tasks.Layout(tokens=[*range(1, 59), 0])
    found = report(run.model(), tasks.modular_addition(59, layout=layout))
    assert found.table["verdict"]["does it know all pairs?"] == "no"
    assert "another form" in found.table["note"]["does it know all pairs?"]


def test_pairs_are_drawn_by_split_where_it_is_known(grokked):
    run = Run.load(CHECKPOINTS / "p59_seed0")
    drawn = [torch.as_tensor(trace.z).isfinite() for trace in grokked.figures["pairs"].data]
    assert drawn[0].flatten().equal(run.task.train_mask)
    assert drawn[1].flatten().equal(run.task.test_mask)
    unknown = report(run.model(), tasks.modular_addition(59, train="unknown"))
    (everything,) = unknown.figures["pairs"].data
    assert torch.as_tensor(everything.z).isfinite().all()


def test_unknown_training_pairs_are_said(grokked):
    run = Run.load(CHECKPOINTS / "p59_seed0")
    nobody_knows = {"split_known": False, "train_mask": torch.zeros(59 * 59, dtype=torch.bool)}
    task = dataclasses.replace(tasks.modular_addition(59), **nobody_knows)
    found = report(run.model(), task)
    said = verdict_of(found)
    assert said["does it know its training pairs?"] == "not measured"
    assert said["does it generalise?"] == "not measured"
    assert "not known" in found.table["note"]["does it generalise?"]
    assert said["circuit or memoriser?"] == "circuit", "it knows all pairs, and by cosines"
    assert "all pairs" in found.table["note"]["are the keys needed?"]


def test_without_an_operation_there_are_no_keys():
    task = dataclasses.replace(tasks.modular_addition(7, frac_train=0.5), operation=None)
    found = report(models.build(SMALL.for_task(task)), task)
    for question in (
        "which frequencies are key?",
        "are its logits cosines of the keys?",
        "are the keys enough?",
        "has each neuron one frequency?",
    ):
        assert found.table["verdict"][question] == "not measured"
        assert "states no operation" in found.table["note"][question]
    assert set(found.figures) <= {"pairs", "ablations"}


def test_layers_and_layernorm_say_what_does_not_apply():
    task = tasks.modular_addition(7, frac_train=0.5)
    config = ModelConfig(
        d_model=8, n_heads=2, d_head=4, d_mlp=16, n_layers=2, normalization="LN"
    ).for_task(task)
    found = report(models.build(config), task)
    note = found.table["note"]["without attention heads, layer 1"]
    assert note == "its loss is already above that of guessing"
    assert "has each neuron one frequency, layer 1?" in found.table.index
    alone = ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=None).for_task(task)
    found = report(models.build(alone), task)
    assert found.table["note"]["has each neuron one frequency?"] == "the model has no MLP"
    assert "neurons" not in found.figures


def test_each_layer_is_taken_away_for_itself(tmp_path):
    task = tasks.modular_addition(5, frac_train=1.0)
    config = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32, n_layers=2)
    training = TrainConfig(steps=60, lr=1e-2, log_every=60, snapshot_every=None)
    model = train(task, config, training, out=tmp_path, progress=False).cached()
    found = report(model)
    for layer in range(2):
        for name, logits in {
            "without attention heads": ablation.without_heads(model, layer=layer),
            "without the MLP's skip": ablation.without_mlp_skip(model, "mean", layer=layer),
        }.items():
            loss = progress.mean_loss(logits, model.task.labels)
            assert found.table["number"][f"{name}, layer {layer}"] == loss


def test_other_operations_are_read_in_their_coordinates():
    """The grokked weights, told of another way: b stands for -b, so that a + b becomes a - b."""
    run = Run.load(CHECKPOINTS / "p59_seed0")
    tokens = (list(range(59)), [-n % 59 for n in range(59)])
    layout = tasks.Layout(tokens=tokens)
    found = report(run.model(), tasks.modular_subtraction(59, layout=layout))
    assert found.table["verdict"]["which frequencies are key?"] == "2, 14, 20, 24, 27"
    assert found.table["verdict"]["circuit or memoriser?"] == "circuit"


@pytest.mark.usefixtures("as_a_user")
def test_a_pizza_is_told_from_a_clock(monkeypatch):
    circuit = SimpleNamespace(verdict="circuit")
    asked = {}
    for name, symmetricity in (("clock", 0.33), ("pizza", 0.99)):
        monkeypatch.setattr(trajectories, "gradient_symmetricity", lambda m, s=symmetricity: s)
        logits = getattr(planted, name)(13, {2: 1.0, 5: 0.7})
        if name == "clock":  # planted exactly, its right logits are all the same
            logits = logits + 0.01 * planted.random(13, 1, 13)
        found = verdicts._algorithm(SimpleNamespace(logits=logits), circuit)
        asked[name] = [one.verdict for one in found]
    assert asked == {"clock": ["clock", "clock"], "pizza": ["pizza", "pizza"]}


@pytest.mark.usefixtures("as_a_user")
def test_what_is_not_on_pairs_is_refused():
    sequences = tasks.sorting(16, 5)
    with pytest.raises(TypeError, match="draws its inputs|model of pairs"):
        report(models.build(SMALL.for_task(sequences)), sequences)
    several = planted.remainder_task(5)
    with pytest.raises(TypeError, match="one answer, and planted_remainders has 2"):
        report(models.build(SMALL.for_task(several)), several)


def test_the_page_opens_offline(memoriser, tmp_path):
    found = report(memoriser)
    path = found.save(tmp_path / "report.html")
    assert path.stat().st_size < 5_000_000
    assert "srcdoc=" in found._repr_html_()
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("the extra `dev` is not installed")
    from tests.browser import CHROMIUM, PHONE, Visit, chromium

    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with chromium() as browser:
        visit = Visit(browser, path, PHONE)
        visit.page.wait_for_selector("body[data-ready]", timeout=30_000)
        assert visit.look() == []
        assert "circuit or memoriser?" in visit.page.inner_text("table")
        assert len(visit.page.query_selector_all(".plotly-figure .main-svg")) >= len(found.figures)
        visit.close()


def test_in_a_notebook_figures_are_the_notebooks_own(memoriser, monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    found = report(memoriser)
    found._ipython_display_()
    assert shown[1:] == list(found.figures.values())
    assert "circuit or memoriser?" in shown[0].data
    assert math.isnan(found.table["number"]["clock or pizza, by the logits?"])
    assert "nan" not in shown[0].data
