"""Trainings that go on or branch off: with more steps, from given weights, from another run's step,
and as long as a callback lets them.
"""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from interp_utils import ModelConfig, Run, TrainConfig, cli, fork, models, tasks, train, train_many
from interp_utils.runs import RunWriter, export, storage
from interp_utils.runs.origin import Origin, digest
from interp_utils.runs.storage import DamagedFile
from interp_utils.training import loop, optimisers, resume
from interp_utils.training.trainer import Trainer
from tests.small import SMALL_MODEL, SMALL_TRAINING, of_hooked_transformer

SHORT = dataclasses.replace(SMALL_TRAINING, steps=40)
REMAINDERS = tasks.remainders(5, 0.6)
CASES = {
    "addition": (tasks.modular_addition(7, 0.6), SMALL_MODEL, SHORT),
    "adam": (
        tasks.modular_addition(7, 0.6),
        SMALL_MODEL,
        dataclasses.replace(SHORT, optimiser="adam", weight_decay=0.1),
    ),
    "ema and dropout": (
        REMAINDERS,
        SMALL_MODEL,
        dataclasses.replace(SHORT, grokfast="ema", dropout=0.1),
    ),
    "moving average": (
        REMAINDERS,
        SMALL_MODEL,
        dataclasses.replace(SHORT, grokfast="ma", grokfast_window=7),
    ),
    "fresh batches": (
        tasks.sorting(16, 5),
        ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=None),
        dataclasses.replace(SHORT, batch_size=16),
    ),
}


def longer(config: TrainConfig, steps: int = 60) -> TrainConfig:
    return dataclasses.replace(config, steps=steps)


def same_weights(first, second) -> bool:
    return first.keys() == second.keys() and all(first[n].equal(second[n]) for n in first)


@pytest.fixture(scope="module")
def short(tmp_path_factory) -> Run:
    """40 steps of addition, with the state at the last. Tests only read it."""
    return train(*CASES["addition"], out=tmp_path_factory.mktemp("short") / "short", progress=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Run:
    """60 steps of it at once."""
    task, model, config = CASES["addition"]
    out = tmp_path_factory.mktemp("whole") / "whole"
    return train(task, model, longer(config), out=out, progress=False)


@pytest.fixture
def copy(short, tmp_path) -> Path:
    return Path(shutil.copytree(short.path, tmp_path / "copy"))


class Killed(BaseException):
    pass


def kill_at(step: int, monkeypatch) -> None:
    update = Trainer.update

    def dies(trainer):
        if trainer.step == step:
            raise Killed
        update(trainer)

    monkeypatch.setattr(Trainer, "update", dies)


# More steps


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_goes_on_is_one_that_was_to_be_so_long(case, tmp_path):
    """File by file, where the former last step is on both schedules."""
    task, model, config = CASES[case]
    at_once = train(task, model, longer(config), out=tmp_path / "a", progress=False)
    train(task, model, config, out=tmp_path / "b", progress=False)
    went_on = train(task, model, longer(config), out=tmp_path / "b", progress=False)
    assert went_on.finished and went_on.manifest == at_once.manifest


def test_what_the_former_last_step_adds_stays(whole, tmp_path):
    task, model, config = CASES["addition"]
    train(task, model, longer(config, 37), out=tmp_path, progress=False)
    went_on = train(task, model, longer(config), out=tmp_path, progress=False)
    assert same_weights(went_on.weights(), whole.weights())
    assert went_on.steps == sorted({*whole.steps, 37})
    ours, theirs = (run.metrics.set_index("step") for run in (went_on, whole))
    assert list(ours.index) == sorted({*theirs.index, 37})
    ours = ours.drop(37)
    changed = (ours != theirs).stack()
    assert set(changed[changed].index) <= {(40, "highest_train_loss")}
    assert ours.loc[40, "highest_train_loss"] <= theirs.loc[40, "highest_train_loss"]


def test_an_unfinished_run_may_be_asked_for_more_too(whole, tmp_path, monkeypatch):
    task, model, config = CASES["addition"]
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(33, patch)
        train(task, model, config, out=tmp_path, progress=False)
    assert train(task, model, longer(config), out=tmp_path, progress=False).manifest == (
        whole.manifest
    )


def test_killed_on_its_way_it_goes_on(copy, whole, monkeypatch):
    task, model, config = CASES["addition"]
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(45, patch)
        train(task, model, longer(config), out=copy, progress=False)
    assert Run.load(copy).finished and Run.load(copy).step == 40
    assert train(task, model, longer(config), out=copy, progress=False).manifest == whole.manifest


def test_members_go_on_too(copy, whole):
    task, model, config = CASES["addition"]
    (run,) = train_many(task, model, longer(config), out=copy, progress=False)
    assert run.finished and run.step == 60 and run.steps == whole.steps
    for name, weight in run.weights().items():
        assert torch.allclose(weight, whole.weights()[name], rtol=1e-3, atol=1e-5)


def test_fewer_steps_are_refused_and_so_is_anything_else(copy):
    task, model, config = CASES["addition"]
    before = (copy / "run.json").read_bytes()
    with pytest.raises(
        ValueError,
        match=(
            "copy holds a run of 40 steps, of which 40 are done; ask for as many or more, got "
            "steps = 20, or choose another folder"
        ),
    ):
        train(task, model, longer(config, 20), out=copy, progress=False)
    other = dataclasses.replace(longer(config), lr=0.5)
    with pytest.raises(ValueError, match=r"whose train differs \(lr = 0.001 there, 0.5 here\)"):
        train(task, model, other, out=copy, progress=False)
    assert (copy / "run.json").read_bytes() == before


def test_an_exported_run_goes_on_as_a_fork_only(short, tmp_path):
    task, model, config = CASES["addition"]
    shipped = export(short, tmp_path / "shipped")
    with pytest.raises(
        ValueError,
        match=(
            "exported without its optimiser state, state-00000040.safetensors, and cannot be "
            "trained on; interp_utils.fork starts another run from its weights"
        ),
    ):
        train(task, model, longer(config), out=shipped.path, progress=False)
    forked = fork(shipped, 40, out=tmp_path / "forked", steps=60, progress=False)
    assert forked.finished and not forked.origin.moments


# Forks


@pytest.mark.parametrize("case", CASES)
def test_a_fork_with_moments_and_nothing_changed_is_the_run_itself(case, tmp_path):
    task, model, config = CASES[case]
    at_once = train(task, model, longer(config), out=tmp_path / "a", progress=False)
    source = train(task, model, config, out=tmp_path / "b", progress=False)
    forked = fork(source, 40, out=tmp_path / "c", steps=60, progress=False)
    assert forked.finished and forked.steps == [40, 60]
    assert same_weights(forked.weights(40), source.weights())
    state, expected = forked.state(), at_once.state()
    assert state.keys() == expected.keys()
    assert all(same_weights(state[group], expected[group]) for group in state)
    ours, theirs = (run.metrics.set_index("step").loc[40:] for run in (forked, at_once))
    assert list(ours.index) == [40, 50, 60]
    measured = [name for name in ours if name != "highest_train_loss"]
    assert ours[measured].equals(theirs[measured])
    assert ours.loc[50:].equals(theirs.loc[50:])
    assert ours.loc[40, "highest_train_loss"] == ours.loc[40, "train_loss"]
    assert forked.origin == Origin(
        step=40,
        weights=digest(source.weights()),
        run="b",
        manifest=storage.describe((source.path / "run.json").read_bytes())["sha256"],
        moments=True,
    )
    assert json.loads((forked.path / "run.json").read_text())["origin"]["moments"] is True


def test_an_unfinished_run_is_forked_at_its_last_save(whole, tmp_path, monkeypatch):
    """Which is no snapshot."""
    task, model, config = CASES["addition"]
    monkeypatch.setattr(loop, "SAVE_EVERY_SECONDS", 0.0)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(33, patch)
        train(task, model, longer(config), out=tmp_path / "source", progress=False)
    source = Run.load(tmp_path / "source")
    assert source.step == 33 and 33 not in source.steps
    forked = fork(source.path, 33, out=tmp_path / "fork", progress=False)
    assert same_weights(forked.weights(), whole.weights()) and forked.steps == [33, 40, 60]


def test_without_moments_the_optimiser_starts_anew(short, whole, tmp_path):
    """As a training from those weights does, warm-up included; the steps go on."""
    task, model, config = CASES["addition"]
    forked = fork(short, 20, out=tmp_path / "fork", steps=50, progress=False)
    begun = train(
        task,
        model,
        longer(config, 30),
        out=tmp_path / "begun",
        weights=short.weights(20),
        progress=False,
    )
    assert same_weights(forked.weights(), begun.weights())
    assert forked.origin == dataclasses.replace(
        forked.origin, moments=False, optimiser_since=20, filter_since=20, step=20
    )
    assert same_weights(forked.weights(20), forked.weights(20))
    plain = train(task, model, longer(config, 50), out=tmp_path / "plain", progress=False)
    assert not same_weights(forked.weights(), plain.weights())
    again = fork(forked, 50, out=tmp_path / "again", steps=60, progress=False)
    went_on = fork(short, 20, out=tmp_path / "went_on", steps=60, progress=False)
    assert same_weights(again.weights(), went_on.weights()), "it counts as its source did"
    assert again.origin.optimiser_since == 20 and again.origin.moments


def test_changes_are_made_and_nothing_else(short, tmp_path):
    """Against a trainer that is put into the source's state by hand."""
    task = short.task
    mask = task.train_mask.clone()
    mask[mask.nonzero()[:9, 0]] = False
    less = dataclasses.replace(task, train_mask=mask)
    forked = fork(
        short,
        40,
        out=tmp_path,
        task=less,
        weight_decay=0.0,
        lr=3e-3,
        steps=45,
        snapshot_every=None,
        progress=False,
    )
    assert forked.config.train == dataclasses.replace(
        SHORT, weight_decay=0.0, lr=3e-3, steps=45, snapshot_every=None
    )
    assert forked.task.train_mask.equal(mask) and forked.steps == [40, 45]
    trainer = Trainer(less, forked.config, torch.device("cpu"))
    state = short.state()
    del state["highest"], state["seconds"]
    trainer.load_state(0, state)
    trainer.step = 40
    for _ in range(5):
        trainer.update()
    weights = {name: weight.detach() for name, weight in trainer.weights.items()}
    assert same_weights(forked.weights(), weights)


@pytest.mark.parametrize(
    ("changes", "moments", "filter_since"),
    [
        ({"optimiser": "adam"}, False, 0),
        ({"grokfast_window": 5}, True, 40),
        ({"grokfast": "none"}, True, 40),
        ({"grokfast_lambda": 1.0}, True, 0),
    ],
)
def test_what_fits_the_new_settings_is_kept(tmp_path, changes, moments, filter_since):
    task, model, config = CASES["moving average"]
    source = train(task, model, config, out=tmp_path / "source", progress=False)
    forked = fork(source, 40, out=tmp_path / "fork", steps=44, progress=False, **changes)
    assert forked.finished and forked.origin.moments == moments
    assert forked.origin.optimiser_since == (0 if moments else 40)
    assert forked.origin.filter_since == filter_since


@pytest.mark.parametrize("last_update", [40, 45, 57])
def test_a_killed_fork_goes_on_bit_for_bit(copy, tmp_path, monkeypatch, last_update):
    """By the same call or by `resume`, though its source has trained on meanwhile."""
    settings = {"steps": 60, "weight_decay": 0.5, "progress": False}
    uninterrupted = fork(copy, 40, out=tmp_path / "whole", **settings)
    outs = [tmp_path / "same call", tmp_path / "resume", tmp_path / "command"]
    for out in outs:
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_at(last_update, patch)
            fork(copy, 40, out=out, **settings)
        assert Run.load(out).step == 40
    task, model, config = CASES["addition"]
    train(task, model, longer(config, 48), out=copy, progress=False)  # its state is of step 48 now
    assert fork(copy, 40, out=outs[0], **settings).manifest == uninterrupted.manifest
    assert resume(outs[1], progress=False).manifest == uninterrupted.manifest
    assert cli.main(["resume", str(outs[2]), "--quiet"]) == 0
    assert Run.load(outs[2]).manifest == uninterrupted.manifest
    before = (outs[0] / "run.json").read_bytes()
    assert fork(copy, 40, out=outs[0], **settings).finished
    assert (outs[0] / "run.json").read_bytes() == before


def test_death_before_the_first_manifest_does_not_block(short, tmp_path):
    out = Path(shutil.copytree(short.path, tmp_path / "fork"))
    for name in ("run.json", ".lock"):
        (out / name).unlink()
    shutil.rmtree(out / "snapshots")
    assert fork(short, 40, out=out, steps=50, progress=False).finished


def test_an_exported_fork_keeps_its_origin(short, tmp_path):
    forked = fork(short, 20, out=tmp_path / "fork", progress=False)
    shipped = export(forked, tmp_path / "shipped", half=True)
    shipped.verify()
    assert shipped.origin == forked.origin and shipped.steps == [20, 40]
    assert cli.main(["verify", str(shipped.path)]) == 0
    again = fork(shipped, 20, out=tmp_path / "again", steps=50, progress=False)
    assert again.origin.run == "shipped"


@pytest.mark.parametrize(
    ("step", "changes", "message"),
    [
        (40, {}, "a fork from step 40 needs more steps than 40, .* set steps, got 40"),
        (33, {}, "has no snapshot of step 33; the nearest is 40"),
        (20, {"momenta": 0.9}, r"fork changes fields of TrainConfig, .*; got \['momenta'\]"),
        (20, {"lr": -1.0}, "TrainConfig.lr must be a finite number above 0.0"),
        (20, {"task": tasks.modular_addition(5)}, "modular_addition needs ModelConfig.d_vocab = 6"),
        (20, {"task": tasks.modular_addition(7), "batch_size": 0}, "batch_size must be an integer"),
    ],
)
def test_forks_that_cannot_be(short, tmp_path, step, changes, message):
    with pytest.raises(ValueError, match=message):
        fork(short, step, out=tmp_path / "out", progress=False, **changes)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_another_start_is_left_alone(short, whole, tmp_path):
    task, model, config = CASES["addition"]
    out = tmp_path / "fork"
    fork(short, 20, out=out, progress=False)
    before = (out / "run.json").read_bytes()
    with pytest.raises(
        ValueError,
        match=(
            r"holds a run that starts from step 20 of short \(weights with sha256 .*\); continue "
            "it with interp_utils.training.resume, or choose another folder"
        ),
    ):
        train(task, model, config, out=out, progress=False)
    other = r"which starts from step 20 of short .*, not from step 16 of short .*; choose another"
    with pytest.raises(ValueError, match=other):
        fork(short, 16, out=out, progress=False)
    with pytest.raises(ValueError, match=r"whose train differs \(lr = 0.001 there, 0.1 here\)"):
        fork(short, 20, out=out, lr=0.1, progress=False)
    with pytest.raises(ValueError, match="from its own initial weights, not from step 20 of short"):
        fork(short, 20, out=short.path, steps=60, progress=False)
    assert (out / "run.json").read_bytes() == before


# Given weights


@of_hooked_transformer
def test_a_training_starts_from_given_weights(tmp_path):
    """In any order, on any step's schedule, and with what a state_dict of HookedTransformer has."""
    task, model, config = CASES["addition"]
    other = dataclasses.replace(model, seed=5)
    expected = train(task, other, config, out=tmp_path / "seed 5", progress=False)
    given = expected.model(0, device="cpu").state_dict()
    assert "blocks.0.attn.mask" in given
    run = train(task, model, config, out=tmp_path / "given", weights=given, progress=False)
    assert same_weights(run.weights(), expected.weights())
    assert run.metrics.equals(expected.metrics) and run.steps == expected.steps
    assert run.origin == Origin(0, digest(expected.weights(0)))
    saved = {"model": {f"module.{name}": weight for name, weight in given.items()}, "epoch": 3}
    again = train(task, model, config, out=tmp_path / "given", weights=saved, progress=False)
    assert again.manifest == run.manifest, "in a form in which people have them"
    bare = {name: weight for name, weight in given.items() if "b_" not in name}
    again = train(task, model, config, out=tmp_path / "given", weights=bare, progress=False)
    assert again.manifest == run.manifest, "biases that are not trained are zero"
    assert given["embed.W_E"].equal(expected.weights(0)["embed.W_E"]), "they are the user's"


def test_a_training_from_given_weights_is_not_resumed_with_others(short, tmp_path, monkeypatch):
    task, model, config = CASES["addition"]
    weights = short.weights()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(33, patch)
        train(task, model, config, out=tmp_path, weights=weights, progress=False)
    changed = {**weights, "embed.W_E": weights["embed.W_E"] * (1 + 1e-6)}
    with pytest.raises(ValueError, match=r"starts from given weights \(sha256 .*, not from given"):
        train(task, model, config, out=tmp_path, weights=changed, progress=False)
    with pytest.raises(ValueError, match="holds a run that starts from given weights"):
        train(task, model, config, out=tmp_path, progress=False)
    with pytest.raises(ValueError, match="holds a run that starts from given weights"):
        train_many(task, model, config, out=tmp_path, progress=False)
    run = train(task, model, config, out=tmp_path, weights=weights, progress=False)
    at_once = train(task, model, config, out=tmp_path / "b", weights=weights, progress=False)
    assert run.manifest == at_once.manifest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: {**w, "embed.W_E": w["embed.W_E"][1:]}, r"embed.W_E must have shape \(8, 16\)"),
        (lambda w: {n: w[n] for n in w if "W_Q" not in n}, "missing .*blocks.0.attn.W_Q"),
        (lambda w: {**w, "more": w["embed.W_E"]}, r"unknown \['more'\]"),
        (lambda w: {**w, "embed.W_E": w["embed.W_E"] / 0}, "embed.W_E has values that are not fin"),
        (
            lambda w: {**w, "blocks.0.mlp.b_in": torch.ones(32)},
            "b_in does not have its initial values, .* ModelConfig does not train it: leave",
        ),
    ],
)
def test_weights_of_another_model_are_refused(short, tmp_path, change, message):
    task, model, config = CASES["addition"]
    weights = change(models.initial_weights(model.for_task(task)))
    with pytest.raises(ValueError, match=message):
        train(task, model, config, out=tmp_path / "out", weights=weights, progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": 60}, "the step 40 is before that of the origin"),
        ({"step": -1}, "counts updates that are not before step -1"),
        ({"optimiser_since": 41}, "counts updates that are not before step 20"),
        ({"moments": 1}, "does not say whether there were moments"),
        ({"weights": "abc"}, "the origin's entry 'weights' is not a sha256"),
        ({"manifest": 3}, "the origin's entry 'manifest' is not a sha256"),
        ({"run": 7}, "the origin's run has no name"),
    ],
)
def test_a_manifest_that_lies_about_its_origin(short, tmp_path, changes, message):
    run = fork(short, 20, out=tmp_path, progress=False)
    manifest = json.loads(json.dumps(run.manifest))
    manifest["origin"] |= changes
    (tmp_path / "run.json").write_bytes(storage.manifest_to_bytes(manifest))
    with pytest.raises(DamagedFile, match=f"run.json: not a run's manifest: .*{message}"):
        Run.load(tmp_path)


# Callbacks


@pytest.mark.parametrize("answer", [None, True, 0, "", [], np.True_])
def test_a_callback_sees_every_row_and_changes_nothing(short, tmp_path, answer):
    rows = []

    def look(row):
        rows.append(dict(row))
        row.clear()
        return answer

    run = train(*CASES["addition"], out=tmp_path, callback=look, progress=False)
    assert run.manifest == short.manifest
    assert rows == run.metrics.to_dict("records")
    assert {type(value) for value in rows[-1].values()} == {int, float}
    train(*CASES["addition"], out=tmp_path, callback=look, progress=False)
    assert len(rows) == len(run.metrics), "a finished run has no new rows"


@pytest.mark.parametrize("no", [False, np.False_])
def test_a_callback_stops_and_the_same_call_goes_on(short, tmp_path, no):
    seen = []

    def enough(row):
        seen.append(row["step"])
        return no if row["step"] == 30 else None

    stopped = train(*CASES["addition"], out=tmp_path, callback=enough, progress=False)
    assert not stopped.finished and stopped.step == 30 and stopped.steps[-1] == 30
    stopped.verify()
    last = stopped.metrics.iloc[-1]
    logits = stopped.model(device="cpu")(stopped.task.tokens)[:, -1].detach().double()
    losses = torch.nn.functional.cross_entropy(logits, stopped.task.labels, reduction="none")
    assert last.train_loss == pytest.approx(losses[stopped.task.train_mask].mean().item(), rel=1e-5)
    run = train(*CASES["addition"], out=tmp_path, callback=enough, progress=False)
    assert run.finished and same_weights(run.weights(), short.weights())
    assert run.metrics.equals(short.metrics) and seen == run.metrics["step"].tolist()
    assert run.steps == sorted({*short.steps, 30})


def test_an_error_in_a_callback_leaves_the_last_save_whole(short, tmp_path):
    def fails(row):
        if row["step"] == 30:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        train(*CASES["addition"], out=tmp_path, callback=fails, progress=False)
    kept = Run.load(tmp_path)
    kept.verify()
    assert kept.step == 20 and kept.metrics["step"].iloc[-1] == 20
    seen = []
    run = train(
        *CASES["addition"],
        out=tmp_path,
        callback=lambda row: seen.append(row["step"]),
        progress=False,
    )
    assert run.manifest == short.manifest and seen == [30, 40]


def test_forks_and_resumed_runs_have_callbacks_too(short, tmp_path):
    rows = []
    stop = {"callback": lambda row: rows.append(row["step"]) or row["step"] < 50}
    assert fork(short, 40, out=tmp_path, steps=60, progress=False, **stop).step == 50
    assert resume(tmp_path, progress=False, callback=lambda row: rows.append(row["step"])).finished
    assert rows == [40, 50, 60]


def test_a_writer_of_another_start_never_writes(short, tmp_path):
    with pytest.raises(ValueError, match="starts from its own initial weights, not from given"):
        RunWriter(short.path, short.task, short.config, Origin(0, "0" * 64)).__enter__()


class Momentum:
    """An optimiser as one would add it: one class, whose state has names of its own."""

    def __init__(self, config, weights, undecayed=()):
        self.weights = weights
        self.decay = {n: 0 if n in undecayed else config.weight_decay for n in weights}
        self.state = {"velocity": {n: torch.zeros_like(w.detach()) for n, w in weights.items()}}

    @torch.no_grad()
    def step(self, step, gradients, lr):
        for name, weight in self.weights.items():
            velocity = self.state["velocity"][name]
            velocity.mul_(0.9).add_(gradients[name])
            weight.mul_(1 - lr * self.decay[name]).sub_(lr * velocity)


class Plain:
    """One that remembers nothing."""

    def __init__(self, config, weights, undecayed=()):
        self.weights, self.state = weights, {}

    @torch.no_grad()
    def step(self, step, gradients, lr):
        for name, weight in self.weights.items():
            weight.sub_(lr * gradients[name])


@pytest.mark.parametrize("added", [Momentum, Plain])
def test_an_optimiser_is_one_class(added, tmp_path, monkeypatch):
    """Trained, saved, killed, resumed, asked for more and forked with nothing else edited."""
    monkeypatch.setitem(optimisers.OPTIMISERS, "adam", added)
    task, model, config = CASES["addition"]
    config = dataclasses.replace(config, optimiser="adam", lr=0.1)
    whole = train(task, model, longer(config), out=tmp_path / "whole", progress=False)
    assert whole.metrics.train_loss.iloc[-1] < whole.metrics.train_loss.iloc[0]
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(33, patch)
        train(task, model, config, out=tmp_path / "killed", progress=False)
    source = train(task, model, config, out=tmp_path / "killed", progress=False)
    assert ("velocity" in source.state()) == (added is Momentum)
    forked = fork(source, 40, out=tmp_path / "fork", steps=60, progress=False)
    went_on = train(task, model, longer(config), out=tmp_path / "killed", progress=False)
    assert went_on.manifest == whole.manifest
    assert same_weights(forked.weights(), whole.weights()) and forked.origin.moments
