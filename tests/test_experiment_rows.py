"""The numbers that claims are decided by, on cases whose answers are known."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from interp_utils import CachedModel, TrainConfig, tasks, train
from interp_utils.analysis.fourier import key_frequencies
from interp_utils.analysis.progress import excluded_loss
from interp_utils.experiments.addition import phases, weights
from interp_utils.experiments.powers import bijections
from interp_utils.experiments.powers import row as powers
from interp_utils.experiments.remainders import grokfast
from interp_utils.experiments.remainders import row as remainders
from interp_utils.experiments.remainders import together as of_remainders
from interp_utils.experiments.sorting import together as of_sorting
from interp_utils.experiments.sorting.row import REACHED, TOKENS, WHOLE
from interp_utils.tasks import modular_addition
from tests.small import SMALL_MODEL

P = 11


def waves(k: int, values: torch.Tensor) -> torch.Tensor:
    return torch.cos(2 * math.pi * k * values / P)


def grid() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    n = torch.arange(P, dtype=torch.float64)
    return n[:, None, None], n[None, :, None], n[None, None, :]


def test_logits_of_key_frequencies_are_blocks():
    a, b, c = grid()
    clock = sum(waves(k, a + b - c) for k in (2, 3))
    found = weights.blocks(clock, [2, 3])
    assert found["logits, share in the blocks"] == pytest.approx(1)
    assert found["logits, large components"] == 8, "cos and sin of a, times cos and sin of b, twice"
    assert found["logits, large components outside the blocks"] == 0
    mixed = clock + waves(1, a) * waves(4, b) + 0 * c
    # cos cos of two frequencies has p³ / 4 of power, cos w(a + b - c) p³ / 2
    found = weights.blocks(mixed, [2, 3])
    assert found["logits, share in the blocks"] == pytest.approx(1 / 1.25)
    assert found["logits, large components outside the blocks"] == 1
    fewer = weights.blocks(clock, [2])
    assert fewer["logits, share in the blocks"] == pytest.approx(0.5)
    assert fewer["logits, large components outside the blocks"] == 4


def test_a_heads_line_is_numpys(small_run):
    model = CachedModel(small_run.model(), small_run.task)
    scores, pattern = model.activation("attn_scores", 0), model.activation("pattern", 0)
    for head, share in enumerate(weights.line_fits(model)):
        x, y = (each[..., head, :].flatten(0, 1).double().numpy() for each in (scores, pattern))
        correlation = np.corrcoef(x[:, 0] - x[:, 1], y[:, 0])[0, 1]
        assert share == pytest.approx(correlation**2, abs=1e-4) and share < 1


def test_how_fast_weights_fall_by_phase():
    squares = [100.0, 100.0, 95.0, 90.0, 60.0, 60.0]
    metrics = pd.DataFrame({"step": range(0, 600, 100), "sum_squared_weights": squares})
    found = phases.squared_weights(metrics, (100, 300, 400))
    assert found == {"squared weights, fall in cleanup over formation": pytest.approx(30 / 5)}


def test_a_run_that_did_not_grok_has_no_phases_to_compare(small_run):
    assert phases.row(small_run) == {}


def test_sorters_are_compared_seed_by_seed():
    def row(kind, seed, step, score, whole=1.0, steps=20_000):
        found = {"kind": kind, "seed": seed, "steps": steps, REACHED: step, TOKENS: 1.0}
        return found | {"copying score": score, WHOLE: whole, "attention to equal tokens": 0.0}

    rows = {
        "a": row("one head", 0, 8000, 0.9),
        "b": row("one head", 1, 20_001, 0.8, whole=0.1),
        "c": row("one head, positions", 0, 5000, 0.9),
        "d": row("one head, positions", 1, 20_001, 0.9),
        "e": row("two heads", 0, 1000, 0.5),
    }
    found = of_sorting.together(rows, docs=Path())
    speed = "90 % of lists, step with positions minus without"
    two = {"runs": 2, "lengths": [20_000, 20_000]}
    assert found[speed] == two | {speed: [-3000]}, "of seed 1 neither came so far by its end"
    rows["d"] |= {REACHED: 9000, "steps": 30_000}
    four = {"runs": 4, "lengths": [20_000, 30_000]}
    again = of_sorting.together(rows, docs=Path())[speed]
    assert again == four | {speed: [-3000, 9000 - 20_001]}
    score = "score, two heads minus one"
    three = {"runs": 3, "lengths": [20_000, 20_000]}
    assert found[score] == three | {score: pytest.approx([-0.4, -0.3])}, "seed 0 stands in"
    assert "score, with an MLP minus without" not in found, "there is none with an MLP"
    gap = "copying score, sorters minus others"
    assert found["one head, all"] == two | {gap: pytest.approx(0.1)}


def test_kinds_of_one_seed_each_are_compared_once():
    """A third kind with more seeds adds no comparison between the two."""

    def row(kind, seed, tokens):
        return {"kind": kind, "seed": seed, "steps": 9, TOKENS: tokens, "copying score": 1.0}

    rows = {"a": row("one head, repeats", 0, 0.75), "b": row("one head, positions, repeats", 0, 1)}
    rows |= {f"c{seed}": row("two heads", seed, 0.0) for seed in range(3)}
    name = "tokens, repeats with positions minus without"
    assert of_sorting._compare(rows, name) == {"runs": 2, "lengths": [9, 9], name: [0.25]}


def test_conditions_are_compared_among_bijections(tmp_path):
    def row(a, b, generalised, last=2000):
        return {"a": a, "b": b, "generalised": generalised, "last step": last}

    rows = [row(1, 1, 1), row(3, 3, 400), row(5, 5, 600), row(3, 9, 900)]
    assert bijections.compare(rows) == {}, "none of neither to compare with"
    neither = [row(3, 5, 1000), row(9, 5, 1000)]
    found = bijections.compare([*rows, *neither])
    assert found == {"a = b over neither": 0.5, "a = k b over neither": 0.9}
    late = bijections.compare([row(3, 3, 500), row(5, 9, None, 1999)])
    assert late == {"a = b over neither": 0.25}, "not by its end: later than that"


def test_grokfast_is_compared_at_equal_length_only():
    row = {"p": 53, "steps": 100, "share for training": 0.8, "answers at 99 %": 5, "kind": "λ = 0"}
    ours = row | {"kind": "T_miiii", "answers at 99 %": 13}
    rows = {"a": row, "b": ours, "c": ours | {"answers at 99 %": 15}, "d": ours | {"steps": 200}}
    name = "answers at 99 %, λ = 2 minus λ = 0"
    assert of_remainders._against_grokfast(row, rows) == {name: 14 - 5}
    assert of_remainders._against_grokfast(row, {"a": row, "d": rows["d"]}) == {}


def test_what_a_run_on_remainders_is_called(tmp_path):
    def made(name, **changes):
        of_task = {key: changes.pop(key) for key in ("labels", "masked") if key in changes}
        settings = {"steps": 1, "dropout": 0.1, "grokfast": "ema", **changes}
        task, config = tasks.remainders(P, 0.8, **of_task), TrainConfig(**settings)
        return train(task, SMALL_MODEL, config, out=tmp_path / name, progress=False)

    expected = {
        "T_miiii": made("all"),
        "T_basis": made("basis", labels="permuted"),
        "T_masked": made("masked", masked=(2, 3)),
        "λ = 0": made("unfiltered", grokfast="none"),
        "no dropout": made("dropout", dropout=0.0),
        "as published": made("published", lr=3e-4),
    }
    assert {name: remainders.kind(run) for name, run in expected.items()} == {
        name: name for name in expected
    }
    found = remainders._two_and_three(expected["T_masked"])
    last = expected["T_masked"].metrics.iloc[-1]
    assert found == {
        "test accuracy of the others, most": max(last["test_accuracy/5"], last["test_accuracy/7"])
    }, "2 and 3 are not trained"


def test_a_control_has_no_tasks_row(tmp_path):
    task = tasks.random_labels(modular_addition(P, 0.6))
    run = train(task, SMALL_MODEL, TrainConfig(steps=3), out=tmp_path / "run", progress=False)
    found = powers.row(run)
    weights_over_time = run.metrics["sum_squared_weights"]
    keys = key_frequencies(CachedModel(run.model(), task).W_L, "W_L")
    assert found == {
        "task": "random labels",
        "p": P,
        "steps": 3,
        "excluded loss": pytest.approx(
            excluded_loss(
                CachedModel(run.model(), task).logits,
                task.labels,
                keys,
                mask=task.train_mask,
                any_labels=True,
            )
        ),
        "sum of squared weights, last over largest": pytest.approx(
            weights_over_time.iloc[-1] / weights_over_time.max()
        ),
    }
    assert not powers.of_run(found) and not powers.generalised(found)


def test_the_speed_up_is_a_ratio_of_steps_to_the_level():
    def row(filter: str, step: int | None, last: int = 4000) -> dict:
        return {"filter": filter, "step to 95 %": step, "last step": last}

    rows = [row("none", 8000), row("ema", 100), row("ema", 200), row("ema", None)]
    rows.append(row("decay", 4000))
    assert grokfast.ratios(rows) == {}, "no training with a moving average"
    found = grokfast.ratios([*rows, row("ma", 500)])
    of = {"decay": 2.0, "ema": 40.0, "ma": 16.0}
    assert found == {f"x y mod 97: {name}": ratio for name, ratio in of.items()}
    censored = grokfast.ratios([row("none", None, 3999), *rows[1:], row("ma", 500)])
    assert censored["x y mod 97: ma"] == 8.0
