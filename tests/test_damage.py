"""Damage of every kind to every file of a run, and manifests that lie: what was written, or an
error that names the file.
"""

import copy
import dataclasses
import functools
import operator
import os
import pickle
import re
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interp_utils import ModelConfig, Run, models, tasks, train
from interp_utils.configs import RunConfig
from interp_utils.runs import storage
from interp_utils.runs.manifest import MANIFEST, TASK
from interp_utils.runs.storage import DamagedFile
from interp_utils.runs.writer import RunWriter
from interp_utils.training.trainer import Trainer
from tests.small import SMALL_MODEL, SMALL_TRAINING

SHORT = dataclasses.replace(SMALL_TRAINING, steps=28)
CASES = {
    "grid": (tasks.modular_addition(7, 0.6), SMALL_MODEL, SHORT),
    "sequence": (
        tasks.sorting(16, 5, n_validation=20, n_test=20),
        ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=None),
        dataclasses.replace(SHORT, batch_size=16),
    ),
}
STOPPED = 25  # not a step with a snapshot
FILES = [
    MANIFEST,
    TASK,
    f"metrics-{STOPPED:08d}.json",
    f"state-{STOPPED:08d}.safetensors",
    *(f"snapshots/{step:08d}.safetensors" for step in (0, 1, 2, 4, 8, 16, 20)),
]


@pytest.fixture(scope="module", autouse=True)
def as_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def stopped_run(folder: Path, task, model, training) -> Path:
    update = Trainer.update

    def interrupted(trainer):
        update(trainer)
        if trainer.step == STOPPED:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "update", interrupted)
        train(task, model, training, out=folder, progress=False)
    (folder / ".lock").unlink()
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return {case: stopped_run(folder / case, *CASES[case]) for case in CASES}


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """Another run with the same names: of another split and another seed."""
    task, model, training = (
        tasks.modular_addition(7, 0.6, seed=1),
        dataclasses.replace(SMALL_MODEL, seed=1),
        SHORT,
    )
    return stopped_run(tmp_path_factory.mktemp("other") / "run", task, model, training)


READ: dict[str, Callable[[str, Path], Any]] = {
    "metrics": lambda case, path: Run.load(path).metrics.to_dict("list"),
    "task": lambda case, path: _plain(Run.load(path).task.tensors()),
    "weights": lambda case, path: {
        step: _plain(Run.load(path).weights(step)) for step in Run.load(path).steps
    },
    "model": lambda case, path: _plain(models.named_weights(Run.load(path).model(4))),
    "verify": lambda case, path: Run.load(path).verify(),
    "train": lambda case, path: dict(
        train(*CASES[case], out=path, progress=False).manifest["files"]
    ),
}


def _plain(tensors: dict[str, torch.Tensor]) -> dict[str, list]:
    return {name: tensor.tolist() for name, tensor in tensors.items()}


class Truth(dict):
    def __repr__(self) -> str:  # hypothesis shows arguments
        return "what was trained"


@pytest.fixture(scope="module")
def truth(whole, tmp_path_factory) -> dict[str, dict[str, Any]]:
    """What each reading gives where nothing is damaged."""
    folder = tmp_path_factory.mktemp("truth")
    return Truth(
        {
            case: {
                name: READ[name](case, shutil.copytree(whole[case], folder / case / name))
                for name in READ
            }
            for case in CASES
        }
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != ".lock"
    }


def check(
    case: str, folder: Path, truth: dict[str, Any], names: str, fewer: bool = False
) -> list[str]:
    """Reads everything: each must come out right or name what is wrong, and what is wrong is made
    no worse. The errors.

    fewer: snapshots may be missing.
    """
    before, errors = contents(folder), {}
    for name, read in READ.items():
        try:
            found = read(case, folder)
            assert found == truth[name] or (
                fewer and found == {key: truth[name][key] for key in found}
            ), name
        except (DamagedFile, FileNotFoundError, ValueError) as error:
            errors[name] = str(error)
    assert all(re.search(names, error) for error in errors.values()), errors
    assert "train" not in errors or contents(folder) == before
    return list(errors.values())


# Damage

Damage = Callable[
    [bytes, bytes], bytes
]  # a file's content, and that of the same file of another run


@st.composite
def damages(draw) -> Damage:
    start, length, junk = (
        draw(st.integers(0, 1 << 30)),
        draw(st.integers(1, 200)),
        draw(st.binary(min_size=1, max_size=40)),
    )

    def region(content: bytes) -> tuple[bytes, bytes, bytes]:
        first = start % len(content)
        return content[:first], content[first : first + length], content[first + length :]

    def overwrite(content: bytes, by: Callable[[bytes], bytes]) -> bytes:
        head, middle, tail = region(content)
        return head + by(middle) + tail

    kinds: dict[str, Damage] = {
        "truncated": lambda content, donor: region(content)[0],
        "one bit": lambda content, donor: overwrite(
            content, lambda middle: bytes([middle[0] ^ 1 << length % 8]) + middle[1:]
        ),
        "overwritten": lambda content, donor: overwrite(
            content, lambda middle: (junk * length)[: len(middle)]
        ),
        "zeroed": lambda content, donor: overwrite(content, lambda middle: bytes(len(middle))),
        "cut out": lambda content, donor: overwrite(content, lambda middle: b""),
        "duplicated": lambda content, donor: overwrite(content, lambda middle: 2 * middle),
        "appended": lambda content, donor: content + junk,
        "swapped": lambda content, donor: overwrite(
            content, lambda middle: region(donor)[1][: len(middle)]
        ),
    }
    return kinds[draw(st.sampled_from(sorted(kinds)))]


def damaged_copy(whole: Path, folder: Path, name: str, damage: Damage, donor: bytes = b"") -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    (folder / name).write_bytes(damage((folder / name).read_bytes(), donor))
    return folder


@settings(max_examples=300, derandomize=True)
@given(name=st.sampled_from(FILES), damage=damages())
def test_any_damage_to_any_file(whole, other, truth, tmp_path_factory, name, damage):
    folder = damaged_copy(
        whole["grid"],
        tmp_path_factory.getbasetemp() / "damaged",
        name,
        damage,
        (other / name).read_bytes(),
    )
    unchanged = (folder / name).read_bytes() == (whole["grid"] / name).read_bytes()
    assert bool(check("grid", folder, truth["grid"], re.escape(name))) != unchanged


class Explodes:
    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


@pytest.mark.parametrize("name", FILES)
def test_deleted_swapped_a_folder_or_a_pickle(whole, other, truth, tmp_path, name):
    marker = tmp_path / "executed"
    torch.save(Explodes(marker), tmp_path / "torch")
    for content in (
        (other / name).read_bytes(),
        pickle.dumps(Explodes(marker)),
        (tmp_path / "torch").read_bytes(),
        b"",
    ):
        folder = damaged_copy(
            whole["grid"], tmp_path / "run", name, lambda _, donor, content=content: content
        )
        assert check("grid", folder, truth["grid"], re.escape(name))
    (folder / name).unlink()
    assert check("grid", folder, truth["grid"], re.escape(name))
    (folder / name).mkdir()
    assert check("grid", folder, truth["grid"], re.escape(name))
    assert not marker.exists()


def test_a_lost_manifest_does_not_start_the_training_again(whole, tmp_path):
    folder = Path(shutil.copytree(whole["grid"], tmp_path / "run"))
    (folder / MANIFEST).unlink()
    before = contents(folder)
    with pytest.raises(
        DamagedFile,
        match=r"run/run.json: this file is missing beside metrics-00000025.json; restore this "
        r"file from",
    ):
        train(*CASES["grid"], out=folder, progress=False)
    assert contents(folder) == before


# Manifests with a digest of their own that is right

VICTIM = "victim.safetensors"  # beside the run's folder
touched: list[str] = []


def _note(event: str, arguments: tuple) -> None:
    if event in ("open", "os.remove", "os.rename", "os.truncate") and any(
        VICTIM in str(argument) for argument in arguments
    ):
        touched.append(event)


sys.addaudithook(_note)


def lie(folder: Path, manifest: Any) -> None:
    (folder / MANIFEST).write_bytes(storage.manifest_to_bytes(manifest))


def manifest_of(folder: Path) -> dict[str, Any]:
    return storage.manifest_from_bytes((folder / MANIFEST).read_bytes(), folder)


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Paths to everything inside a JSON value."""
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [
        place for key, child in inside for place in ((*path, key), *places(child, (*path, key)))
    ]


NUMBERS = [-1, 0, 1, 2, 7, 8, 60, 61, 10**9, 10**18, 10**400, -(10**30), 0.5, 7.0, -1.5, 1e308]
NAMES = [
    "",
    "x",
    "sorting",
    "modular_addition",
    "relu",
    "random",
    f"../{VICTIM}",
    f"snapshots/../../{VICTIM}",
    "/etc/passwd",
    "..",
    "\0",
]
VALUES = st.sampled_from([None, True, False, *NUMBERS, *NAMES]) | st.recursive(
    st.sampled_from([None, True, *NUMBERS, *NAMES]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "name", "bytes", "seed"]), inner, max_size=3)
    ),
    max_leaves=4,
)


ACTIONS = st.sampled_from(["replace", "replace", "delete", "rename", "add"])
EDITS = st.tuples(st.integers(0, 1 << 20), ACTIONS, st.sampled_from(NAMES), VALUES)


def edit(manifest: dict[str, Any], place: int, action: str, key: str, value: Any) -> None:
    """Changes one place of a manifest, whichever it is."""
    there = places(manifest)
    *path, last = there[place % len(there)]
    parent = functools.reduce(operator.getitem, path, manifest)
    if action == "replace" or isinstance(parent, list):
        parent[last] = copy.deepcopy(value)
    elif action == "add":
        parent[key] = copy.deepcopy(value)
    elif action == "rename":
        parent[key] = parent.pop(last)
    else:
        del parent[last]


@settings(max_examples=150, derandomize=True)
@given(case=st.sampled_from(sorted(CASES)), edits=st.lists(EDITS, min_size=1, max_size=3))
def test_a_manifest_that_lies(whole, truth, tmp_path_factory, case, edits):
    """A snapshot that it does not list is one less; everything else is as it was or refused."""
    folder = tmp_path_factory.getbasetemp() / "lying" / "run"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole[case], folder)
    (folder.parent / VICTIM).write_bytes(b"important")
    manifest = manifest_of(folder)
    for change in edits:
        edit(manifest, *change)
    lie(folder, manifest)
    touched.clear()
    check(
        case,
        folder,
        truth[case],
        r"run\.json|\.safetensors|metrics-|run holds a(nother)? run|run has no snapshot of step 4",
        fewer=True,
    )
    assert not touched and (folder.parent / VICTIM).read_bytes() == b"important"


@pytest.mark.parametrize(
    "name",
    [
        f"../{VICTIM}",
        f"snapshots/../../{VICTIM}",
        "absolute",
        "snapshots/0.safetensors",
        ".lock",
        MANIFEST,
    ],
)
def test_a_manifest_names_no_file_but_a_runs_own(whole, tmp_path, name):
    """Whatever a manifest names is read, and removed once it is out of date."""
    folder = Path(shutil.copytree(whole["grid"], tmp_path / "run"))
    (tmp_path / VICTIM).write_bytes(b"important")
    manifest = manifest_of(folder)
    name = str(tmp_path / VICTIM) if name == "absolute" else name
    manifest["files"][name] = storage.describe(b"important")
    lie(folder, manifest)
    touched.clear()
    message = (
        r"not a run's manifest: files missing: \[\]; files that do not belong to a run at "
        rf"step 25: \['{re.escape(name)}'\]; restore"
    )
    for read in READ.values():
        with pytest.raises(DamagedFile, match=message):
            read("grid", folder)
    assert not touched and (tmp_path / VICTIM).read_bytes() == b"important"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"step": 25.0, "versions": None},
            "these entries are missing or of another type: step, versions",
        ),
        ({"step": 61}, "the step 61 is not in 0 .. 28"),
        ({"step": -1}, "the step -1 is not in 0 .. 28"),
        (
            {"step": 26},
            r"files missing: \['metrics-00000026.json'\]; files that do not belong to a run at "
            "step 26: .*state-00000025",
        ),
        (
            {"files": {}},
            r"files missing: \['metrics-00000025.json', 'task.safetensors'\]; files that do not "
            r"belong to a run at step 25: \[\]",
        ),
        (
            {("files", TASK): {"bytes": 3}},
            "task.safetensors is not described by its bytes and sha256",
        ),
        (
            {("model", "n_layers"): 10**12},
            "a model of 1000000000000 layers does not fit into its files",
        ),
        (
            {("model", "d_model"): "16"},
            "ModelConfig.d_model must be an integer of at least 1, got '16'",
        ),
        ({("train", "lr"): -1.0}, "TrainConfig.lr must be a finite number above 0.0, got -1.0"),
        ({("task", "d_vocab"): 8.0}, "the task is not described by name, params and sizes"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said(whole, tmp_path, changes, message):
    folder = Path(shutil.copytree(whole["grid"], tmp_path / "run"))
    manifest = manifest_of(folder)
    for key, value in changes.items():
        if isinstance(key, tuple):
            manifest[key[0]][key[1]] = value
        else:
            manifest[key] = value
    lie(folder, manifest)
    for read in READ.values():
        with pytest.raises(
            DamagedFile,
            match=f"run/run.json: not a run's manifest: {message}.*; restore this file from a copy",
        ):
            read("grid", folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({("train", "momenta"): 0.9}, r"TrainConfig has the fields .*unknown: \['momenta'\]"),
        ({("train", "optimiser"): "lion"}, r"TrainConfig.optimiser must be one of .*, got 'lion'"),
        ({("model", "act_fn"): "solu"}, r"ModelConfig.act_fn must be one of .*, got 'solu'"),
        (
            {("model", "family"): "mamba"},
            "the model is of the family 'mamba', and .* are known: import",
        ),
        ({("origin", "more"): 7}, r"the origin has the fields \['more'\], expected"),
        ({"calendar": {}}, "a manifest has no calendar"),
        (
            {("task", "kind"): "phasor"},
            "the task is of the kind 'phasor', and .* are known: import",
        ),
        ({("task", "cipher"): 3}, r"a task of the kind 'table' does not have \['cipher'\]"),
    ],
)
def test_what_another_version_wrote_is_whole(whole, tmp_path, changes, message):
    """What this version does not know is named, with the version that wrote it: nothing is said to
    be damaged, and nothing is read by half.
    """
    folder = Path(shutil.copytree(whole["grid"], tmp_path / "run"))
    manifest = manifest_of(folder)
    manifest["versions"]["interp-utils"] = "9.1"
    for key, value in changes.items():
        if isinstance(key, tuple):
            manifest.setdefault(key[0], {})[key[1]] = value
        else:
            manifest[key] = value
    lie(folder, manifest)
    before = contents(folder)
    message = rf"run/run.json: {message}.* \(written by interp-utils 9.1, this is [\d.]+\)$"
    with pytest.raises(ValueError, match=message) as refused:
        _ = Run.load(folder).task
    assert not isinstance(refused.value, DamagedFile)
    with pytest.raises(ValueError, match=f"{message}|holds another run"):
        train(*CASES["grid"], out=folder, progress=False)
    assert contents(folder) == before


def test_a_finished_run_has_its_last_snapshot(whole, tmp_path):
    run = train(
        *CASES["grid"], out=shutil.copytree(whole["grid"], tmp_path / "run"), progress=False
    )
    manifest = manifest_of(run.path)
    del manifest["files"]["snapshots/00000028.safetensors"]
    lie(run.path, manifest)
    with pytest.raises(
        DamagedFile, match=r"run.json: .*files missing: \['snapshots/00000028.safetensors'\]"
    ):
        Run.load(run.path)


# Other files whose digest is right


@pytest.mark.parametrize(
    "table",
    [
        b"[]",
        b"{}",
        b"not json",
        b"[" * 100_000,
        b'{"step": [0, 2, 1], "train_loss": [1.0, 1.0, 1.0]}',
        b'{"step": [0, 0], "train_loss": [1.0, 1.0]}',
        b'{"step": [0, 26], "train_loss": [1.0, 1.0]}',
        b'{"step": [0.0], "train_loss": [1.0]}',
        b'{"step": [0], "train_loss": [1.0, 2.0]}',
        b'{"step": [0], "train_loss": ["1.0"]}',
        b'{"step": [0], "train_loss": [NaN]}',
        b'{"step": [0], "train_loss": 1.0}',
    ],
)  # fmt: skip
def test_metrics_that_are_no_table(whole, tmp_path, table):
    folder, name = (
        Path(shutil.copytree(whole["grid"], tmp_path / "run")),
        f"metrics-{STOPPED:08d}.json",
    )
    replace(folder, name, table)
    message = (
        r"metrics-00000025.json: not a table of equally long columns, one of them "
        r"ascending steps up to 25; restore"
    )
    for read in READ.values():
        with pytest.raises(DamagedFile, match=message):
            read("grid", folder)


def replace(folder: Path, name: str, content: bytes) -> None:
    manifest = manifest_of(folder)
    (folder / name).write_bytes(content)
    manifest["files"][name] = storage.describe(content)
    lie(folder, manifest)


@pytest.mark.parametrize(
    ("case", "changes", "message"),
    [
        ("grid", {"n_classes": [6]}, r"labels of column 0 must be in 0 .. 5, got 0 .. 6"),
        ("grid", {"d_vocab": 9}, "modular_addition needs ModelConfig.d_vocab = 9, got 8"),
        ("grid", {"positions": [0, 0]}, r"two operands stand at one position: \[0, 0\]"),
        ("sequence", {"n_test": 10**12}, "the stored test lists must have the shape .*, got"),
        (
            "sequence",
            {"n_values": 10**12},
            "the stored validation lists must begin with the token 1000000000000 by",
        ),
        (
            "sequence",
            {"length": [1, 10**9]},
            "the stored validation lists must have the shape .*, got",
        ),
        (
            "sequence",
            {"seed": 1},
            "the stored validation and test lists are not those that the task's description makes",
        ),
    ],
)
def test_a_task_that_is_not_as_described(whole, tmp_path, case, changes, message):
    folder = Path(shutil.copytree(whole[case], tmp_path / "run"))
    manifest = manifest_of(folder)
    (manifest["task"]["params"] if case == "sequence" else manifest["task"]).update(changes)
    lie(folder, manifest)
    with pytest.raises(
        DamagedFile,
        match=rf"task.safetensors: does not fit its description in run.json \({message}.*\); "
        "restore",
    ):
        _ = Run.load(folder).task


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b'\x3e\0\0\0\0\0\0\0{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}          \0',
    ],
)
def test_tensors_that_are_none(whole, tmp_path, content):
    folder = Path(shutil.copytree(whole["grid"], tmp_path / "run"))
    replace(folder, "snapshots/00000020.safetensors", content)
    with pytest.raises(DamagedFile, match="00000020.safetensors: not a safetensors file"):
        Run.load(folder).model()


def test_a_run_without_a_snapshot_or_a_state_says_so(whole, tmp_path):
    task, model, training = CASES["grid"]
    with RunWriter(tmp_path / "run", task, RunConfig(model.for_task(task), training)) as writer:
        writer.save(1, {"weights": {}}, {"step": []}, snapshot=False)
    with pytest.raises(ValueError, match="run has no snapshot yet; it is at step 1 of 28"):
        Run.load(tmp_path / "run").model()
    folder = Path(shutil.copytree(whole["grid"], tmp_path / "stateless"))
    manifest = manifest_of(folder)
    del manifest["files"][f"state-{STOPPED:08d}.safetensors"]
    lie(folder, manifest)
    with pytest.raises(
        ValueError,
        match=(
            "stateless was exported without its optimiser state, state-00000025.safetensors, "
            "and cannot be"
        ),
    ):
        train(task, model, training, out=folder, progress=False)
