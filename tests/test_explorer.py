"""The explorer: one file, offline, that draws every snapshot as it was measured."""

import base64
import dataclasses
import gzip
import importlib.util
import json
import re

import numpy as np
import pytest

from interp_utils import (
    CachedModel,
    ModelConfig,
    TrainConfig,
    explorer,
    fourier,
    progress,
    tasks,
    train,
)
from interp_utils.exploring.history import history
from interp_utils.exploring.packing import LEVELS, pack

P = 11


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(
        tasks.modular_addition(P, frac_train=0.8),
        ModelConfig(d_model=24, n_heads=2, d_head=12, d_mlp=48),
        TrainConfig(steps=300, lr=1e-2, log_every=50, snapshot_every=100),
        out=tmp_path_factory.mktemp("explored"),
        progress=False,
    )


@pytest.fixture(scope="module")
def page(run):
    return explorer(run, progress=False)


@pytest.fixture(scope="module")
def browser():
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("the extra `dev` is not installed")
    from tests.browser import CHROMIUM, chromium

    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with chromium() as opened:
        yield opened


@pytest.fixture
def visit(page, browser, tmp_path):
    from tests.browser import DESKTOP, Visit

    opened = Visit(browser, page.save(tmp_path / "page.html"), DESKTOP)
    opened.page.wait_for_selector("body[data-ready]", timeout=30_000)
    yield opened
    opened.close()


def test_what_is_shown_is_what_the_measures_say(run, page):
    shown = page.history
    assert shown.steps == run.steps
    for index in (0, len(run.steps) - 1):
        model = CachedModel(run.model(run.steps[index]), run.task)
        labels, logits = model.task.labels, model.logits
        restricted = progress.restricted_loss(logits, labels, shown.keys)
        assert shown.arrays["restricted"][index] == pytest.approx(restricted, rel=1e-5)
        excluded = progress.excluded_loss(logits, labels, shown.keys, mask=run.task.train_mask)
        assert shown.arrays["excluded"][index] == pytest.approx(excluded, rel=1e-5)
        centred = logits - logits.mean((0, 1))
        for k in range(1, P // 2 + 1):
            on = progress.project(logits, [k]).square().sum() / centred.square().sum()
            assert shown.arrays["logits"][index, k] == pytest.approx(on.item(), abs=1e-5)
        post = model.activation("post", 0)[..., shown.neurons]
        assert np.allclose(shown.grids["neurons"][index], post.permute(2, 0, 1), atol=1e-6)
    W_E = model.W_E[0]
    plane = fourier.frequency_plane(W_E, shown.keys[0])
    assert np.allclose(shown.circles[-1, 0], plane, atol=1e-5)
    assert np.allclose(shown.arrays["embedding"].sum(1), 1, atol=1e-5)


def test_packing_keeps_colours_within_half_a_level():
    generator = np.random.default_rng(0)
    grids = generator.normal(size=(3, 2, 5, 5)).astype(np.float32)
    grids[1, 1] = 7.0  # nothing varies
    lines = generator.normal(size=(3, 4)).astype(np.float32)
    places, text = pack({"lines": lines}, {"grids": grids})
    blob = gzip.decompress(base64.b64decode(text))
    found = np.frombuffer(blob, "<f4", lines.size, places["lines"]["at"])
    assert np.array_equal(found.reshape(lines.shape), lines)
    about = places["grids"]
    scale = np.frombuffer(blob, "<f4", 12, about["scale"]).reshape(3, 2, 2)
    levels = np.frombuffer(blob, np.uint8, grids.size, about["at"]).reshape(grids.shape)
    levels = np.cumsum(levels, axis=0, dtype=np.uint8)
    assert levels.max() == LEVELS - 1
    back = scale[..., :1, None] + scale[..., 1:, None] * levels
    assert np.abs(back - grids).max() <= scale[..., 1].max() * 0.51
    assert np.array_equal(back[1, 1], grids[1, 1])


def test_the_page_is_one_small_offline_file(page, tmp_path):
    path = page.save(tmp_path / "page.html")
    assert path.stat().st_size < 5_000_000
    text = path.read_text()
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
    beside = page.html("plotly.min.js")
    assert '<script src="plotly.min.js">' in beside
    assert len(beside) < 200_000
    assert "srcdoc=" in page._repr_html_()


def test_a_page_that_would_be_too_large_leaves_snapshots_out(page, monkeypatch):
    whole = len(page.html("p.js"))
    monkeypatch.setattr("interp_utils.exploring.page.LIMIT", whole - 1)
    text = page.html("p.js")
    assert len(text) < whole
    about = re.search(r'id="about">(.*?)</script>', text, re.S)[1]
    steps = json.loads(about)["steps"]
    assert 2 <= len(steps) < len(page.history.steps)
    assert steps[0] == page.history.steps[0]
    assert steps[-1] == page.history.steps[-1]
    monkeypatch.setattr("interp_utils.exploring.page.LIMIT", 1000)
    with pytest.raises(ValueError, match="choose fewer neurons and heads"):
        page.html("p.js")


def test_the_slider_changes_what_is_drawn(visit, page):
    """Every figure that is of one step shows that step's numbers."""
    drawn = """() => Object.fromEntries(
      ["logits", "embedding", "circles", "grid", "spectrum", "attention"].map((id) => {
        const trace = document.getElementById(id).data[0];
        return [id, [...(trace.z ? trace.z.map((row) => [...row]).flat() : trace.y)]];
      }))"""
    last = visit.page.evaluate(drawn)
    assert np.allclose(last["logits"], page.history.arrays["logits"][-1], atol=1e-6)
    visit.page.evaluate(
        "const s = document.getElementById('slider'); s.value = 0;"
        "s.dispatchEvent(new Event('input'))"
    )
    visit.page.wait_for_selector(f"body[data-step='{page.history.steps[0]}']")
    first = visit.page.evaluate(drawn)
    assert all(first[name] != last[name] for name in last)
    assert np.allclose(first["embedding"], page.history.arrays["embedding"][0], atol=1e-6)
    grid = page.history.grids["neurons"][0, 0]
    spread = grid.max() - grid.min()
    assert np.allclose(first["grid"], grid.flatten(), atol=0.51 * spread / (LEVELS - 1) + 1e-6)
    cursor = "document.getElementById('losses').layout.shapes[0].x0"
    assert visit.page.evaluate(cursor) == page.history.steps[0]
    assert visit.problems == []


def test_keys_of_the_keyboard_and_play(visit, page):
    steps = page.history.steps

    def at(step):
        visit.page.wait_for_selector(f"body[data-step='{step}']", timeout=10_000)

    visit.page.keyboard.press("Home")
    at(steps[0])
    visit.page.keyboard.press("ArrowRight")
    at(steps[1])
    visit.page.keyboard.press("ArrowLeft")
    at(steps[0])
    visit.page.keyboard.press("Space")
    at(steps[-1])
    assert "play" in visit.page.inner_text("#play")
    before = visit.page.input_value("#neuron")
    visit.page.keyboard.press("n")
    assert visit.page.input_value("#neuron") != before
    visit.page.keyboard.press("h")
    assert visit.page.input_value("#head") == "1"
    assert visit.problems == []


def test_the_page_fits_a_phone_and_a_notebook_cell(page, browser, tmp_path):
    from tests.browser import PHONE, Visit

    cell = tmp_path / "cell.html"
    cell.write_text(f"<!DOCTYPE html><title>cell</title>{page._repr_html_()}")
    for file in (page.save(tmp_path / "page.html"), cell):
        visit = Visit(browser, file, PHONE, dark=True)
        frame = visit.page.frames[-1]
        frame.wait_for_selector("body[data-ready]", timeout=30_000)
        assert visit.look() == []
        visit.close()


def test_other_runs_on_pairs(tmp_path, run):
    """No MLP, two layers, an even modulus, and a run that has no key frequencies."""
    task = tasks.random_labels(tasks.modular_subtraction(6, frac_train=0.7))
    config = ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=None, n_layers=2)
    made = train(task, config, TrainConfig(steps=2), out=tmp_path / "run", progress=False)
    page = explorer(made, layer=1, progress=False)
    assert page.history.neurons == []
    assert "neurons" not in page.history.grids
    assert page.history.p == 6
    assert np.isfinite(page.history.circles).all()
    page.html("p.js")
    with pytest.raises(ValueError, match="layers 0 .. 1, got 2"):
        explorer(made, layer=2, progress=False)
    with pytest.raises(ValueError, match="the model has 48 neurons, got"):
        explorer(run, neurons=[48], progress=False)
    with pytest.raises(ValueError, match="heads must be different"):
        explorer(run, heads=[0, 0], progress=False)


def test_a_run_without_an_operation_says_so(tmp_path):
    task = dataclasses.replace(tasks.modular_addition(5), operation=None)
    config = ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=8)
    made = train(task, config, TrainConfig(steps=1), out=tmp_path / "run", progress=False)
    with pytest.raises(ValueError, match="states no operation"):
        explorer(made, progress=False)


def test_a_model_without_keys_shows_its_largest_frequencies(run, monkeypatch):
    def refuses(logits):
        raise ValueError("no frequency")

    monkeypatch.setattr(fourier, "key_frequencies", refuses)
    shown = history(run, progress=False)
    assert not shown.found
    assert len(shown.keys) == 4
    assert (shown.arrays["logits"][:, 0] == 0).all(), "the constant"
    largest = np.argsort(shown.arrays["logits"][-1])[-4:]
    assert shown.keys == sorted(largest.tolist())
