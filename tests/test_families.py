"""A second family of models, defined here and nowhere else, trains, saves, resumes and loads."""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn

from interp_utils import ModelConfig, Run, TrainConfig, models, tasks, train, train_many
from interp_utils.configs import FamilyConfig
from interp_utils.models.transformer import Transformer
from interp_utils.runs import DamagedFile, storage
from tests.small import SMALL_MODEL

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
TASK = tasks.modular_addition(7, frac_train=0.8)
TRAINING = TrainConfig(steps=40, log_every=10, snapshot_every=20, lr=3e-2, weight_decay=0.1)


@dataclass(frozen=True)
class BilinearConfig(FamilyConfig):
    family: ClassVar[str] = "bilinear"

    rank: int = 16
    seed: int = 0
    d_vocab: int | None = None
    d_vocab_out: int | None = None

    def for_task(self, task):
        return dataclasses.replace(self, d_vocab=task.d_vocab, d_vocab_out=sum(task.n_classes))


class BilinearModel(nn.Module):
    def __init__(self, weights, device):
        super().__init__()
        self.weights = nn.ParameterDict(
            {name: weight.clone().to(device) for name, weight in weights.items()}
        )

    def forward(self, tokens):
        return logits(self.weights, tokens)


def logits(weights, tokens):
    """sum_d L[a, d] R[b, d] out[d, c] + shift[c]."""
    left, right = weights["L"][tokens[:, 0]], weights["R"][tokens[:, 1]]
    return (left * right) @ weights["out"] + weights["shift"]


class Bilinear(models.Family):
    config = BilinearConfig

    def weight_shapes(self, config):
        embedding = (config.d_vocab, config.rank)
        out = {"out": (config.rank, config.d_vocab_out), "shift": (config.d_vocab_out,)}
        return {"L": embedding, "R": embedding, **out}

    def trainable(self, config):
        return ["L", "R", "out"]

    def initial_weights(self, config):
        generator = torch.Generator().manual_seed(config.seed)
        shapes = self.weight_shapes(config)
        drawn = {name: torch.randn(shapes[name], generator=generator) for name in ("L", "R", "out")}
        return drawn | {"shift": torch.full(shapes["shift"], 0.25)}

    def build(self, config, weights=None, device=None):
        return BilinearModel(self.initial_weights(config) if weights is None else weights, device)

    def logits_fn(self, config, tokens, kind="auto", answer_pos=-1):
        return lambda weights: logits(weights, tokens)


def test_it_trains_saves_and_loads(tmp_path):
    run = train(TASK, BilinearConfig(), TRAINING, out=tmp_path, progress=False)
    assert run.config.model == BilinearConfig(d_vocab=8, d_vocab_out=7)
    assert json.loads((tmp_path / "run.json").read_text())["model"]["family"] == "bilinear"
    assert run.metrics.train_loss.iloc[-1] < 0.5 * run.metrics.train_loss.iloc[0]
    again = Run.load(tmp_path)
    assert again.steps == [0, 1, 2, 4, 8, 16, 20, 40]
    for name, initial in models.initial_weights(run.config.model).items():
        assert again.weights(0)[name].equal(initial)
        assert again.weights()[name].equal(initial) == (name == "shift")
    losses = torch.nn.functional.cross_entropy(
        again.model(device="cpu")(TASK.tokens), TASK.labels, reduction="none"
    )
    expected = losses[TASK.test_mask].mean().item()
    assert again.metrics.test_loss.iloc[-1] == pytest.approx(expected, rel=1e-5)


def test_it_resumes_bit_for_bit(tmp_path, monkeypatch):
    whole = train(TASK, BilinearConfig(), TRAINING, out=tmp_path / "whole", progress=False)
    own, calls = Bilinear.logits_fn, []

    def stopping(self, config, tokens, kind="auto", answer_pos=-1):
        of_weights = own(self, config, tokens, kind, answer_pos)

        def counted(weights):
            calls.append(None)
            if len(calls) > 35:
                raise RuntimeError("the power is cut")
            return of_weights(weights)

        return counted

    with monkeypatch.context() as patch:
        patch.setattr(Bilinear, "logits_fn", stopping)
        with pytest.raises(RuntimeError, match="the power is cut"):
            train(TASK, BilinearConfig(), TRAINING, out=tmp_path / "cut", progress=False)
    assert 0 < Run.load(tmp_path / "cut").step < 40
    resumed = train(TASK, BilinearConfig(), TRAINING, out=tmp_path / "cut", progress=False)
    for name, weight in whole.weights().items():
        assert resumed.weights()[name].equal(weight)
    with pytest.raises(ValueError, match=r"whose model differs \(rank = 16 there, 8 here\)"):
        train(TASK, BilinearConfig(rank=8), TRAINING, out=tmp_path / "cut", progress=False)
    with pytest.raises(ValueError, match=r"whose model differs \(family = 'bilinear' there, 'tran"):
        train(TASK, SMALL_MODEL, TRAINING, out=tmp_path / "cut", progress=False)


def test_weights_that_do_not_fit_are_damage(tmp_path):
    run = train(TASK, BilinearConfig(), TRAINING, out=tmp_path, progress=False)
    manifest = {**run.manifest, "model": {**run.manifest["model"], "rank": 17}}
    manifest = {key: value for key, value in manifest.items() if key != "sha256"}
    (tmp_path / "run.json").write_bytes(storage.manifest_to_bytes(manifest))
    with pytest.raises(DamagedFile, match=r"L must have shape \(8, 17\), got \(8, 16\)"):
        Run.load(tmp_path).weights()


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"dropout": 0.1}, "the family 'bilinear' has no dropout: leave TrainConfig.dropout 0"),
        ({"forward": "table"}, 'has one forward: leave TrainConfig.forward "auto", got "table"'),
    ],
)
def test_what_it_has_not_is_refused_before_there_is_a_folder(tmp_path, training, message):
    training = dataclasses.replace(TRAINING, **training)
    with pytest.raises(ValueError, match=message):
        train(TASK, BilinearConfig(), training, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_what_it_cannot_do_says_so(tmp_path):
    with pytest.raises(ValueError, match="no forward of many models for the family 'bilinear'"):
        train_many(TASK, BilinearConfig(), TRAINING, out=tmp_path / "out", progress=False)
    sorting, batches = (
        tasks.sorting(8, length=3, n_validation=5, n_test=5),
        TrainConfig(steps=2, batch_size=4),
    )
    with pytest.raises(ValueError, match="'bilinear' has no forward for sequences"):
        train(sorting, BilinearConfig(), batches, out=tmp_path / "out", progress=False)


def test_a_run_of_an_unknown_family_says_what_to_do_and_is_not_damaged(tmp_path, monkeypatch):
    train(TASK, BilinearConfig(), TRAINING, out=tmp_path, progress=False)
    for name in set(models.FAMILIES) - {"transformer"}:  # other tests import more of them
        monkeypatch.delitem(models.FAMILIES, name)
    message = r"the model is of the family 'bilinear', and \['transformer'\] are known: import"
    with pytest.raises(models.UnknownFamily, match=message):
        Run.load(tmp_path)


@pytest.mark.parametrize("name", ["cached", "no.such", "", 3, None])
def test_names_that_are_no_family(name):
    with pytest.raises(models.UnknownFamily, match="are known: "):
        models.config_from_json({"family": name})


def test_a_name_has_one_family():
    with pytest.raises(ValueError, match="'bilinear' belongs to tests.test_families.Bilinear"):

        class Other(models.Family):
            config = BilinearConfig


def test_a_family_of_the_package_is_found_by_its_name(monkeypatch):
    monkeypatch.delitem(models.FAMILIES, "transformer")
    monkeypatch.delitem(__import__("sys").modules, "interp_utils.models.transformer")
    assert models.family_of(ModelConfig()).config is ModelConfig


def test_runs_from_before_there_were_families_load_and_go_on(tmp_path):
    half = dataclasses.replace(TRAINING, steps=20)
    train(TASK, SMALL_MODEL, half, out=tmp_path / "old", progress=False)
    manifest = json.loads((tmp_path / "old/run.json").read_text())
    assert manifest["model"].pop("family") == "transformer"
    del manifest["sha256"]
    manifest["train"]["steps"] = 40  # as if it had been stopped there
    (tmp_path / "old/run.json").write_bytes(storage.manifest_to_bytes(manifest))
    old = Run.load(tmp_path / "old")
    assert isinstance(old.config.model, ModelConfig) and old.step == 20
    resumed = train(TASK, SMALL_MODEL, TRAINING, out=tmp_path / "old", progress=False)
    whole = train(TASK, SMALL_MODEL, TRAINING, out=tmp_path / "whole", progress=False)
    for name, weight in whole.weights().items():
        assert resumed.weights()[name].equal(weight)


def test_shipped_runs_name_no_family_and_are_transformers(tmp_path):
    shipped = CHECKPOINTS / "modular_addition"
    before = (shipped / "run.json").read_bytes()
    assert "family" not in json.loads(before)["model"]
    assert Run.load(shipped).config.model.family == "transformer"
    copy = shutil.copytree(shipped, tmp_path / "copy")
    run = Run.load(copy)
    train(run.task, run.config.model, run.config.train, out=copy, progress=False)
    assert (copy / "run.json").read_bytes() == before


def test_many_are_not_trained_where_decay_spares_a_weight(tmp_path, monkeypatch):
    """Members' weights all decay: nothing may be trained otherwise than `train` trains it."""
    monkeypatch.setattr(Transformer, "undecayed", lambda self, config: ["embed.W_E"])
    message = "the family 'transformer' spares embed.W_E; use train"
    with pytest.raises(ValueError, match=message):
        train_many(TASK, SMALL_MODEL, TRAINING, seeds=[0, 1], out=tmp_path / "x", progress=False)
    assert not (tmp_path / "x").exists()


def test_mini_batches_are_refused_where_a_family_has_none(tmp_path):
    config = dataclasses.replace(TRAINING, batch_size=4)
    with pytest.raises(
        ValueError,
        match="'bilinear' is trained on all inputs at once: leave TrainConfig.batch_size None",
    ):
        train(TASK, BilinearConfig(), config, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_checkpoints_of_it_become_a_run(tmp_path):
    own = train(TASK, BilinearConfig(), TRAINING, out=tmp_path / "own", progress=False)
    checkpoints = {step: own.weights(step) for step in own.steps}
    imported = Run.from_checkpoints(
        checkpoints, TASK, BilinearConfig(), out=tmp_path / "imported", progress=False
    )
    logged = own.metrics[own.metrics.step.isin(own.steps)]
    assert imported.metrics.test_loss.to_numpy() == pytest.approx(
        logged.test_loss.to_numpy(), rel=1e-5
    )
    assert imported.config.model == own.config.model
    with pytest.raises(TypeError, match=r"the family 'bilinear' takes none of \['token_order'\]"):
        Run.from_checkpoints(
            checkpoints, TASK, BilinearConfig(), out=tmp_path / "no", token_order=[0]
        )
