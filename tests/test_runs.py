"""What is on disk: exact, checked, never half written, one writer at a time."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from interp_utils import CachedModel, ModelConfig, Run, TrainConfig, fork, models, tasks, train
from interp_utils.configs import RunConfig
from interp_utils.runs import export, storage
from interp_utils.runs.manifest import snapshot_name
from interp_utils.runs.storage import DamagedFile, RunInUse
from interp_utils.runs.writer import RunWriter
from tests.small import SMALL_MODEL, SMALL_TRAINING


@pytest.fixture
def copy(small_run, tmp_path) -> Path:
    """A copy of the small run that a test may damage."""
    return Path(shutil.copytree(small_run.path, tmp_path / "copy"))


def test_what_comes_back_is_what_was_trained(small_run, small_task):
    run = Run.load(str(small_run.path))
    assert run.config == RunConfig(SMALL_MODEL.for_task(small_task), SMALL_TRAINING)
    task = run.task
    assert (task.name, task.n_classes, task.d_vocab, task.grid) == (
        "modular_addition",
        (7,),
        8,
        (7, 7),
    )
    assert task.params == {"p": 7, "frac_train": 0.6, "seed": 0, "split": "random"}
    for name in ("tokens", "labels", "train_mask"):
        ours, theirs = getattr(task, name), getattr(small_task, name)
        assert ours.equal(theirs) and ours.dtype == theirs.dtype
    assert run.metrics.dtypes.astype(str).tolist() == ["int64"] + 7 * ["float64"]
    model = run.model(20)
    for name, weight in run.weights(20).items():
        assert models.named_weights(model)[name].equal(weight)
    assert not run.weights(0)["embed.W_E"].equal(run.weights()["embed.W_E"])
    run.verify()


def test_only_safetensors_and_json_are_written(small_run):
    assert {
        path.suffix for path in small_run.path.rglob("*") if path.is_file() and path.name != ".lock"
    } == {".json", ".safetensors"}


def test_no_run_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no run in .*: it has no run.json"):
        Run.load(tmp_path)


def test_no_such_snapshot(small_run):
    with pytest.raises(ValueError, match="no snapshot of step 33; the nearest is 40"):
        small_run.weights(33)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swap_for_a_pickle(path: Path) -> None:
    torch.save({"embed.W_E": torch.zeros(2)}, path)


@pytest.mark.parametrize("damage", [truncate, flip, swap_for_a_pickle, Path.unlink])
@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "task.safetensors",
        "metrics-00000060.json",
        snapshot_name(60),
        "state-00000060.safetensors",
    ],
)
def test_damage_is_noticed_named_and_made_no_worse(copy, small_task, damage, name):
    damage(copy / name)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    expected = FileNotFoundError if (name, damage) == ("run.json", Path.unlink) else DamagedFile
    with pytest.raises(expected, match=name):
        Run.load(copy).verify()
    if (
        name in ("run.json", "metrics-00000060.json", "task.safetensors")
        and damage is not Path.unlink
    ):
        with pytest.raises(DamagedFile, match=name):
            train(small_task, SMALL_MODEL, SMALL_TRAINING, out=copy, progress=False)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_a_manifest_edited_by_hand_is_refused(copy):
    manifest = json.loads((copy / "run.json").read_text())
    manifest["train"]["lr"] = 0.5
    (copy / "run.json").write_bytes(storage.json_bytes(manifest))
    with pytest.raises(
        DamagedFile,
        match=r"run.json: the content does not fit its own sha256 \(edited or damaged\); restore",
    ):
        Run.load(copy)


def test_another_runs_file_is_refused(copy):
    shutil.copy(copy / snapshot_name(20), copy / snapshot_name(40))
    with pytest.raises(DamagedFile, match="00000040.safetensors: expected .* found"):
        Run.load(copy).model(40)
    Run.load(copy).model(20)


@pytest.mark.parametrize("bad", ["names", "shape", "nan"])
def test_weights_that_are_not_the_models_are_refused_whatever_their_digest(
    small_run, small_task, tmp_path, bad
):
    weights = small_run.weights()
    if bad == "names":
        weights["W_E"] = weights.pop("embed.W_E")
    elif bad == "shape":
        weights["embed.W_E"] = weights["embed.W_E"][:-1]
    else:
        weights["embed.W_E"] = weights["embed.W_E"] * torch.nan
    with RunWriter(tmp_path, small_task, small_run.config) as writer:
        writer.save(60, {"weights": weights}, {"step": [60]}, snapshot=True)
    with pytest.raises(DamagedFile, match="00000060.safetensors.*(missing|shape|finite)"):
        Run.load(tmp_path).model()


def test_another_run_in_the_folder_is_left_alone(copy, small_task):
    before = (copy / "run.json").read_bytes()
    for task, model, training, message in [
        (
            small_task,
            SMALL_MODEL,
            dataclasses.replace(SMALL_TRAINING, lr=0.5),
            r"train differs \(lr = 0.001 there, 0.5 here\)",
        ),
        (
            small_task,
            dataclasses.replace(SMALL_MODEL, seed=4),
            SMALL_TRAINING,
            r"model differs \(seed = 0 there, 4 here\)",
        ),
        (tasks.modular_addition(5, 0.6), SMALL_MODEL, SMALL_TRAINING, "task differs .*p.*7.*5"),
        (
            dataclasses.replace(small_task, train_mask=small_task.train_mask.roll(1)),
            SMALL_MODEL,
            SMALL_TRAINING,
            "other inputs, labels or training pairs",
        ),
    ]:
        with pytest.raises(
            ValueError, match=f"holds (another|a) run.*{message}.*choose another folder"
        ):
            train(task, model, training, out=copy, progress=False)
    assert (copy / "run.json").read_bytes() == before


def test_a_folder_of_other_things_is_left_alone(tmp_path, small_task):
    (tmp_path / "thesis.tex").write_text("important")
    with pytest.raises(
        ValueError,
        match=r"holds other files \(thesis.tex\) and no run; choose a new or empty folder",
    ):
        train(small_task, SMALL_MODEL, SMALL_TRAINING, out=tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["thesis.tex"]


@pytest.mark.parametrize("place", ["file/run", "/proc/run"])
def test_an_unwritable_folder_is_named(tmp_path, small_task, place):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="cannot write a run there .*; choose another folder.*run"):
        train(small_task, SMALL_MODEL, SMALL_TRAINING, out=tmp_path / place, progress=False)


HOLDING = """
import sys, time
from pathlib import Path
from interp_utils.runs import storage
with storage.exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_run_in_use_is_refused_at_once_and_a_dead_owner_does_not_block(copy, small_task):
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLDING, copy], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout.readline() == "held\n"
    started = time.monotonic()
    with pytest.raises(
        RunInUse,
        match="copy is being written by another process; wait for it, or choose another folder",
    ):
        train(small_task, SMALL_MODEL, SMALL_TRAINING, out=copy, progress=False)
    assert time.monotonic() - started < 30
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert train(small_task, SMALL_MODEL, SMALL_TRAINING, out=copy, progress=False).finished


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    storage.write_atomic(path, b"old")
    monkeypatch.setattr(
        storage.os,
        "fsync",
        lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")),
    )
    with pytest.raises(OSError, match="No space left"):
        storage.write_atomic(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


SAVING = """
import dataclasses, sys
from interp_utils import Run
from interp_utils.runs.writer import RunWriter
original = Run.load(sys.argv[1])
endless = dataclasses.replace(original.config.train, steps=10**9)
config = dataclasses.replace(original.config, train=endless)
print("ready", flush=True)
with RunWriter(sys.argv[2], original.task, config) as writer:
    for step in range((writer.step or 0) + 1, 10**9):
        moments = {name: original.weights(0) for name in ("exp_avg", "exp_avg_sq")}
        state = {"weights": original.weights(), **moments}
        writer.save(step, state, {"step": list(range(step + 1))}, snapshot=step % 7 == 0)
"""


def test_kill_9_during_a_save_leaves_the_previous_state_loadable(small_run, small_task, tmp_path):
    out, saved = tmp_path / "run", -1
    for attempt in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVING, small_run.path, out], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.35 + 0.037 * attempt)  # it does nothing but save
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        run = Run.load(out)
        run.verify()
        assert run.metrics["step"].tolist() == list(range(run.step + 1))
        assert run.steps == list(range(7, run.step + 1, 7))
        saved = max(saved, run.step)
        with RunWriter(out, small_task, run.config) as writer:
            state, _ = writer.state()
            assert all(
                state["weights"][name].equal(weight) for name, weight in small_run.weights().items()
            )
        assert not list(out.rglob("*.tmp")), "the next writer removes what a killed one left"
    assert saved > 3


def test_death_before_the_first_manifest_does_not_block(small_run, small_task, tmp_path):
    shutil.copy(small_run.path / "task.safetensors", tmp_path)
    (tmp_path / ".run.json.abc.tmp").write_text("{")
    (tmp_path / "metrics-00000000.json").write_text("{}")
    assert train(small_task, SMALL_MODEL, SMALL_TRAINING, out=tmp_path, progress=False).finished


def test_what_people_put_beside_a_run_stays(copy, small_task):
    theirs = ("metrics-notes.json", "state-of-the-art.safetensors", ".notes.tmp")
    for name in theirs:
        (copy / name).write_text("important")
    train(small_task, SMALL_MODEL, SMALL_TRAINING, out=copy, progress=False)
    assert all((copy / name).read_text() == "important" for name in theirs)


def test_leftovers_of_a_killed_process_are_removed(copy, small_task):
    for name in ("state-00000050.safetensors", "metrics-00000050.json", ".run.json.x.tmp"):
        (copy / name).write_text("left over")
    train(small_task, SMALL_MODEL, SMALL_TRAINING, out=copy, progress=False)
    assert {path.name for path in copy.glob("state-*")} == {"state-00000060.safetensors"}
    assert {path.name for path in copy.glob("metrics-*")} == {"metrics-00000060.json"} and not list(
        copy.rglob("*.tmp")
    )


def test_export_thins_halves_and_stays_checked(small_run, tmp_path):
    shipped = export(small_run, tmp_path / "shipped", steps=[0, 20], half=True)
    assert shipped.steps == [0, 20, 60] and shipped.finished
    assert not list(shipped.path.glob("state-*"))
    assert shipped.metrics.equals(small_run.metrics) and shipped.config == small_run.config
    for step in (20, 60):
        half, full = shipped.weights(step)["embed.W_E"], small_run.weights(step)["embed.W_E"]
        assert (
            half.dtype == torch.float32
            and not half.equal(full)
            and torch.allclose(half, full, rtol=1e-3, atol=1e-6)
        )
    whole = export(small_run, tmp_path / "whole")
    assert all(w.equal(small_run.weights()[name]) for name, w in whole.weights().items())
    shipped.verify()
    assert train(
        shipped.task, SMALL_MODEL, SMALL_TRAINING, out=shipped.path, progress=False
    ).finished
    with pytest.raises(ValueError, match="already holds a run; export to a new folder"):
        export(small_run, shipped.path)


def test_an_unfinished_run_is_not_exported(small_task, tmp_path, small_run):
    with RunWriter(tmp_path / "run", small_task, small_run.config) as writer:
        writer.save(20, {"weights": small_run.weights(20)}, {"step": [20]}, snapshot=True)
    with pytest.raises(ValueError, match="is at step 20 of 60; finish it"):
        export(Run.load(tmp_path / "run"), tmp_path / "shipped")


def test_a_newer_format_is_refused(copy):
    manifest = json.loads((copy / "run.json").read_text())
    del manifest["sha256"]
    (copy / "run.json").write_bytes(storage.manifest_to_bytes({**manifest, "format": 99}))
    with pytest.raises(ValueError, match="has format 99; this version reads 1"):
        Run.load(copy)


def test_default_configuration_of_a_run_is_the_published_one(tmp_path):
    """The shipped run's: what `train(task, out=...)` would do, but for its length and schedule."""
    run = train(
        tasks.modular_addition(3, 0.7),
        train_config=TrainConfig(steps=1),
        out=tmp_path,
        progress=False,
    )
    assert (
        dataclasses.replace(run.config.model, n_ctx=None, d_vocab=None, d_vocab_out=None)
        == ModelConfig()
    )


def test_a_run_shows_what_it_is_in_one_line(small_run, tmp_path):
    shown = repr(small_run)
    assert len(shown) < 300 and "\n" not in shown
    for part in (
        str(small_run.path),
        "modular_addition, step 60 of 60, 9 snapshots, train_loss ",
        f"test_loss {small_run.metrics['test_loss'].iloc[-1]:.3g}",
    ):
        assert part in shown
    assert str(small_run) == shown
    with RunWriter(tmp_path, small_run.task, small_run.config) as writer:
        writer.save(1, {"weights": small_run.weights()}, {"step": []}, snapshot=True)
    assert repr(Run.load(tmp_path)) == (
        f"Run('{tmp_path}': modular_addition, step 1 of 60, 1 snapshot)"
    )


def test_jupyter_shows_a_run_as_a_table(small_run, small_task, tmp_path):
    named = dataclasses.replace(small_task, name="<b>bold</b>", params={"p": 7})
    run = train(named, SMALL_MODEL, TrainConfig(steps=2, lr=2e-3), out=tmp_path, progress=False)
    shown = run._repr_html_()
    assert "<b>" not in shown and "&lt;b&gt;bold&lt;/b&gt;(p=7)" in shown
    for part in (str(tmp_path), "lr=0.002", "weight_decay=1.0", "d_mlp=32", "step 2 of 2"):
        assert part in shown
    assert "starts from" not in shown and "betas" not in shown
    assert [shown.count(f"<{tag}>") for tag in ("table", "/table")] == [1, 1]
    assert shown.count("<tr>") == shown.count("</tr>") == 8
    forked = fork(run, 1, out=tmp_path / "fork", progress=False)
    assert "starts from" in forked._repr_html_() and "step 1 of" in forked._repr_html_()


@pytest.mark.parametrize("step", [None, 20])
def test_a_runs_cached_model_is_its_models(small_run, step):
    cached = small_run.cached(step, device="cpu")
    expected = CachedModel(small_run.model(step, device="cpu"), small_run.task)
    assert cached.logits.equal(expected.logits) and cached.logits.shape == (7, 7, 7)
    assert not small_run.cached(0).logits.equal(cached.logits.to(small_run.cached(0).device))


@pytest.mark.usefixtures("as_a_user")
def test_a_run_of_fresh_inputs_has_no_one_cached_model(tmp_path):
    config = TrainConfig(steps=1, batch_size=4)
    run = train(tasks.sorting(16, 5), SMALL_MODEL, config, out=tmp_path, progress=False)
    with pytest.raises(TypeError, match="draws its inputs: pass a set of them"):
        run.cached()


def test_tensors_that_share_memory_are_written_one_by_one(tmp_path):
    """The coordinates of a task's operation may be one tensor; views of one are written whole."""
    own = torch.arange(6)
    given = {"u": own, "v": own, "row": own.view(2, 3)[1], "none": own[:0], "also": own[:0]}
    content = storage.tensors_to_bytes(given)
    back = storage.tensors_from_bytes(content, tmp_path / "file")
    assert all(back[name].equal(tensor) for name, tensor in given.items())
    apart = {name: tensor.clone() for name, tensor in given.items()}
    assert content == storage.tensors_to_bytes(apart)
