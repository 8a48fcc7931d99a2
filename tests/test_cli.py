"""The same as the library, from a shell: results, tables, messages and exit codes."""

import dataclasses
import inspect
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from interp_utils import (
    CachedModel,
    ModelConfig,
    Run,
    TrainConfig,
    cli,
    progress,
    tasks,
    train,
    trajectories,
)
from interp_utils.cli import commands, constructors, options, spelling, text, verification
from interp_utils.experiments.sorting.recipes import VARIANTS
from interp_utils.runs import storage
from interp_utils.training.trainer import Trainer
from tests.small import SMALL_MODEL, SMALL_TRAINING, weights_equal

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
SIZES = "--d-model 16 --n-heads 2 --d-head 8"
SMALL = (
    f"train modular_addition --p 7 --frac-train 0.6 {SIZES} --d-mlp 32 --steps 60 --log-every "
    "10 --snapshot-every 20 --quiet"
)
SORTING = (
    f"train sorting --n-values 20 --length 3 --n-validation 20 --n-test 30 {SIZES} --d-mlp "
    "none --batch-size 8 --quiet"
)
SORTING_MODEL = dataclasses.replace(SMALL_MODEL, d_mlp=None)


@pytest.fixture
def copy(small_run, tmp_path) -> Path:
    """A copy of the small run that a test may damage."""
    return Path(shutil.copytree(small_run.path, tmp_path / "runs" / "copy"))


@pytest.fixture(scope="session")
def sorting_run(tmp_path_factory) -> Run:
    path = tmp_path_factory.mktemp("sorting")
    assert cli.main(shlex.split(f"{SORTING} --steps 4 --snapshot-every 2 --out {path}")) == 0
    return Run.load(path)


@pytest.fixture
def stop_at_33(monkeypatch):
    """Ctrl-C in the middle of step 33, once."""
    update, stopped = Trainer.update, []

    def interrupted(trainer):
        if trainer.step == 33 and not stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGINT)
        update(trainer)

    monkeypatch.setattr(Trainer, "update", interrupted)


def interrupt(*_):
    raise KeyboardInterrupt


def parse(line: str) -> dict[str, dict]:
    """What a command line gives of each group of options."""
    arguments = cli.parser().parse_args(shlex.split(line))
    return {title: options.given(arguments, title) for title in ("task", "model", "training")}


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def as_dict(printed: str) -> dict[str, str]:
    """A table of names and values, as printed."""
    return {name: value.strip() for name, value in re.findall(r"^(\S.*?)  +(\S.*)$", printed, re.M)}


# train and resume


def test_train_is_the_librarys(shell, small_run, tmp_path):
    code, out, err = shell(f"{SMALL} --out {tmp_path}")
    run = Run.load(tmp_path)
    assert (
        (code, err) == (0, "")
        and weights_equal(run, small_run)
        and run.metrics.equals(small_run.metrics)
    )
    assert run.config == small_run.config and run.manifest["task"] == small_run.manifest["task"]
    table, last = as_dict(out), run.metrics.iloc[-1]
    assert table["step"] == "60 of 60" and table["path"] == str(tmp_path)
    for name in ("train loss", "test loss", "train accuracy", "test accuracy"):
        assert float(table[name]) == pytest.approx(last[name.replace(" ", "_")], rel=1e-3)
    assert f"interp-utils measure {tmp_path}\n" in out


def test_train_on_sequences_is_the_librarys(sorting_run, tmp_path):
    task = tasks.sorting(20, 3, n_validation=20, n_test=30)
    run = train(
        task,
        SORTING_MODEL,
        TrainConfig(steps=4, batch_size=8, snapshot_every=2),
        out=tmp_path,
        progress=False,
    )
    assert weights_equal(run, sorting_run) and run.config == sorting_run.config


@pytest.mark.usefixtures("stop_at_33")
def test_ctrl_c_says_how_to_go_on_and_resume_does(shell, small_run, tmp_path):
    path = tmp_path / "a run"
    code, out, err = shell(f"{SMALL} --out '{path}'")
    go_on = f"interp-utils resume '{path}'"
    assert (code, out, err) == (
        130,
        "",
        f"interp-utils: stopped at step 34, which is saved; go on with: {go_on}\n",
    )
    assert "34/60" in shell(f"list '{path}'")[1] and shell(f"verify '{path}'")[0] == 0
    code, out, _ = shell(f"{go_on.removeprefix('interp-utils ')} --quiet")
    assert (
        code == 0
        and as_dict(out)["step"] == "60 of 60"
        and weights_equal(Run.load(path), small_run)
    )


def test_resume_of_a_finished_run_changes_nothing(shell, copy):
    before = contents(copy)
    code, out, err = shell(f"resume {copy}")
    assert (
        (code, err) == (0, "")
        and "this run is finished" in out
        and as_dict(out)["step"] == "60 of 60"
    )
    assert before == contents(copy)


def test_ctrl_c_before_the_first_save(shell, tmp_path, monkeypatch):
    monkeypatch.setattr(Trainer, "measure", interrupt)
    assert shell(f"{SMALL} --out {tmp_path}") == (
        130,
        "",
        "interp-utils: stopped before the first save; the same command starts again\n",
    )


def test_ctrl_c_elsewhere(shell, small_run, monkeypatch):
    monkeypatch.setattr(trajectories, "headline", interrupt)
    assert shell(f"measure {small_run.path}") == (130, "", "interp-utils: stopped\n")


def test_a_training_that_diverges(shell, tmp_path):
    code, out, err = shell(f"{SMALL} --lr 1e30 --warmup-steps 0 --weight-decay 0 --out {tmp_path}")
    assert (code, out) == (1, "") and re.match(
        r"interp-utils: the .* is not finite at step .*Try a lower learning rate than 1e\+30\n$",
        err,
    )


def test_a_run_in_use(shell, tmp_path):
    with storage.exclusive(tmp_path):
        code, out, err = shell(f"{SMALL} --out {tmp_path}")
    assert (code, out) == (3, "") and err.startswith(
        f"interp-utils: {tmp_path} is being written by another process; wait for it"
    )


def test_another_run_is_never_overwritten(shell, copy):
    before = contents(copy)
    code, _, err = shell(f"{SMALL} --lr 0.5 --out {copy}")
    assert (
        code == 2
        and f"{copy} holds another run, whose train differs (lr = 0.001 there, 0.5 here); choose "
        "another folder"
        in err
    )
    assert before == contents(copy)


def test_a_folder_that_cannot_be_written(shell, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = shell(f"{SMALL} --out {tmp_path}/file")
    assert code == 1 and err.startswith(
        f"interp-utils: {tmp_path}/file: cannot write a run there ("
    )


def test_a_bug_shows_its_traceback(shell, small_run, monkeypatch):
    monkeypatch.setattr(trajectories, "headline", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        shell(f"measure {small_run.path}")


# options


def defaults(owner) -> dict:
    parameters = inspect.signature(owner).parameters.items()
    return {
        name: p.default
        for name, p in parameters
        if p.default is not p.empty and name not in options.DERIVED
    }


@pytest.mark.parametrize("name", constructors.constructors())
def test_every_argument_of_the_library_is_an_option(name):
    """Each is given its default, as --help spells it; a layout, and training pairs of somebody
    else's, cannot be typed.
    """
    owners = {"task": getattr(tasks, name), "model": ModelConfig, "training": TrainConfig}
    words, given = (
        ["train", name, "--out", "x"],
        {title: defaults(owner) for title, owner in owners.items()},
    )
    for argument, hint, default in constructors.arguments(owners["task"]):
        if default is ...:
            given["task"][argument] = spelling.read(hint, "5")
    for argument in ("layout", "train"):
        given["task"].pop(argument, None)
    for title, arguments in given.items():
        for argument, value in arguments.items():
            flag = options.RENAMED.get((title, argument), f"--{argument.replace('_', '-')}")
            if isinstance(value, bool):
                words.append(flag if value else flag.replace("--", "--no-"))
            else:
                words += [flag, spelling.spell(value)]
    assert parse(shlex.join(words)) == given
    assert (
        ModelConfig(**given["model"]) == ModelConfig()
        and TrainConfig(**given["training"]) == TrainConfig()
    )


def test_what_is_not_given_is_left_to_the_library():
    given = parse(f"{SORTING} --out x")
    assert given["model"] == {"d_model": 16, "n_heads": 2, "d_head": 8, "d_mlp": None} and given[
        "training"
    ] == {"batch_size": 8}


def test_values_that_are_not_the_default():
    changes = (
        "--no-positions --act-fn gelu --model-seed 3 --betas 0.8,0.9 --snapshot-every none "
        "--no-deterministic"
    )
    given = parse(f"{SORTING} {changes} --length 1,5 --repeats --seed 5 --out x")
    assert {"positions": False, "act_fn": "gelu", "seed": 3, "d_mlp": None}.items() <= given[
        "model"
    ].items()
    assert {"betas": (0.8, 0.9), "snapshot_every": None, "deterministic": False}.items() <= given[
        "training"
    ].items()
    assert {"length": (1, 5), "repeats": True, "seed": 5}.items() <= given["task"].items()


@dataclass(frozen=True)
class Later:
    """A configuration of a later version.

    wide:  how wide, in
           cubits.
    """

    wide: bool | None = None
    shape: Literal["round", "square"] = "round"
    lengths: tuple[int, ...] = (2, 3)
    few: Sequence[float] = (0.5,)


def later_task(p: int, order: str = "up") -> tasks.Task:
    """A task of a later version, 100 % new."""


def test_what_is_added_later_appears_by_itself(shell, monkeypatch):
    monkeypatch.setattr(options, "ModelConfig", Later)
    monkeypatch.setattr(tasks, "later_task", later_task, raising=False)
    monkeypatch.setattr(tasks, "__all__", [*tasks.__all__, "later_task"])
    given = parse(
        "train later_task --p 5 --order down --wide no --shape square --lengths 5,7,11 --few 1 "
        "--out x"
    )
    assert given["task"] == {"p": 5, "order": "down"}
    assert given["model"] == {
        "wide": False,
        "shape": "square",
        "lengths": (5, 7, 11),
        "few": (1.0,),
    }
    assert "A task of a later version, 100 % new." in " ".join(shell("train --help")[1].split())
    code, out, _ = shell("train later_task --help")
    text = " ".join(out.split())
    assert code == 0 and "A task of a later version, 100 % new." in text
    assert "--wide bool|none how wide, in cubits (default: none)" in text
    assert (
        "--shape round|square (default: round)" in text
        and "--lengths int,... (default: 2,3)" in text
    )


def test_only_what_options_can_make_is_a_task():
    assert {
        "modular_addition",
        "exponentiated_addition",
        "sorting",
    } <= constructors.constructors().keys()
    assert not {"random_labels", "restore", "powers", "Task"} & constructors.constructors().keys()


# help and wrong usage


def test_help_is_for_newcomers(shell):
    code, whole, err = shell("--help")
    assert (code, err) == (0, "") and cli.EXIT_CODES in whole
    for command, example in cli.EXAMPLES.items():
        assert example in whole and cli.parser().parse_args(example.split()[1:]).command == command
        code, out, _ = shell(f"{command} --help")
        assert code == 0 and example in out and cli.EXIT_CODES in out


@pytest.mark.parametrize("name", constructors.constructors())
def test_help_of_a_task(shell, name):
    code, out, _ = shell(f"train {name} --help")
    assert code == 0 and re.findall(r"^(task|model|training|run):$", out, re.M) == [
        "task",
        "model",
        "training",
        "run",
    ]
    text = " ".join(out.split())
    assert (
        "--model-seed int of the initial weights; the task has a --seed of its own (default: 0)"
        in text
    )
    assert "--lr float learning rate (default: 0.001)" in text and "--n-ctx" not in text
    if name in options.EXAMPLES:
        example = parse(re.search(r"^  interp-utils (train .*)", out, re.M)[1])
        assert getattr(tasks, name)(**example["task"]).name == name
        assert ModelConfig(**example["model"]) and TrainConfig(**example["training"])


def test_the_sorting_example_is_the_run_that_ships(shell):
    example, shipped = (
        parse(f"train sorting {options.EXAMPLES['sorting']} --out x"),
        VARIANTS["one head"],
    )
    assert tasks.sorting(**example["task"]).params == shipped.task.params
    assert (
        ModelConfig(**example["model"]) == shipped.model
        and TrainConfig(**example["training"]) == shipped.train
    )
    out = shell("train sorting --help")[1]
    assert (
        "example (about a quarter of an hour on two cores):\n" in out
        and "which lists are drawn; the initial weights" in " ".join(out.split())
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "the following arguments are required: COMMAND; see interp-utils --help"),
        ("nothing", "argument COMMAND: invalid choice: 'nothing' (choose from "),
        ("train", "the following arguments are required: TASK; see interp-utils train --help"),
        ("train subtraction", "argument TASK: invalid choice: 'subtraction' (choose from "),
        (
            "train modular_addition",
            "the following arguments are required: --p, --out; see interp-utils train "
            "modular_addition --help",
        ),
        (
            f"{SMALL} --out new --d-modl 3",
            "there is no option or argument --d-modl 3; see interp-utils train modular_addition "
            "--help",
        ),
        (f"{SMALL} --out new --step 3", "there is no option or argument --step 3; see "),
        (
            f"{SMALL} --out new --steps 1.5",
            "argument --steps: expected int, got '1.5'; see interp-utils train modular_addition "
            "--help",
        ),
        (
            f"{SMALL} --out new --d-mlp many",
            "argument --d-mlp: expected int|none, got 'many'; see ",
        ),
        (
            f"{SMALL} --out new --act-fn tanh",
            "argument --act-fn: expected relu|gelu|silu, got 'tanh'; see ",
        ),
        (
            f"{SMALL} --out new --betas 0.9",
            "argument --betas: expected float,float, got '0.9'; see ",
        ),
        (
            f"{SORTING} --out new --length 1,2,3",
            "argument --length: expected int|int,int, got '1,2,3'; see ",
        ),
        (
            f"{SORTING} --out new --length none",
            "argument --length: expected int|int,int, got 'none'; see ",
        ),
        (f"{SMALL} --out new --lr -1", "--lr must be a finite number above 0.0, got -1.0"),
        (f"{SMALL} --out new --lr nan", "--lr must be a finite number above 0.0, got nan"),
        (
            f"{SMALL} --out new --model-seed -1",
            "--model-seed must be an integer of at least 0, got -1",
        ),
        (f"{SMALL} --out new --seed -1", "--seed must be an integer in 0 .. 2^32 - 1, got -1"),
        (f"{SMALL} --out new --frac-train 2", "--frac-train must be a number in (0, 1], got 2.0"),
        (
            f"{SMALL} --out new --frac-train 0.01",
            "--frac-train = 0.01 of 49 inputs leaves none for training; it must be at least ",
        ),
        (f"{SMALL} --out new --p 1", "--p must be an integer of at least 2, got 1"),
        (
            f"{SORTING} --out new --length 30",
            "a list of 30 different numbers needs --n-values of at least 30, got 20; or set "
            "--repeats\n",
        ),
        (
            f"{SORTING} --out new --n-test 0",
            "--n-validation and --n-test must be at least 1, got 20 and 0",
        ),
        (
            f"{SMALL} --out new --batch-size 80",
            "modular_addition has 29 training inputs: leave --batch-size none, or at most as many, "
            "got 80",
        ),
        (
            f"{SORTING} --out new --batch-size none",
            "sorting draws fresh inputs at every step: set --batch-size, e.g. to 128",
        ),
        (
            f"{SMALL} --out new --device abacus",
            "--device must be one that torch can use here, got 'abacus' (",
        ),
        ("measure", "the following arguments are required: PATH; see interp-utils measure --help"),
        ("verify --fast", "there is no option or argument --fast; see interp-utils verify --help"),
    ],
)
def test_wrong_usage(shell, tmp_path, monkeypatch, line, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = shell(line)
    assert (
        (code, out) == (2, "")
        and err.startswith(f"interp-utils: {message}")
        and len(err.splitlines()) == 1
    )
    assert not Path("new/run.json").exists()


@pytest.mark.parametrize("command", ["resume", "measure"])
def test_no_run_there(shell, tmp_path, command):
    code, out, err = shell(f"{command} {tmp_path}")
    assert (code, out) == (2, "")
    assert (
        f"there is no run in {tmp_path}: it has no run.json; `interp-utils list FOLDER` shows the "
        "runs below a folder" in err
    )


def test_a_run_whose_training_pairs_nobody_knows(shell, small_run, tmp_path):
    """Listed, verified and measured, beside another."""
    task = tasks.modular_addition(7, train="unknown")
    weights = {small_run.step: small_run.weights()}
    Run.from_checkpoints(weights, task, out=tmp_path / "imported", progress=False)
    shutil.copytree(small_run.path, tmp_path / "own")
    code, out, err = shell(f"list {tmp_path}")
    assert (code, err) == (0, "") and "imported" in out and "own" in out
    code, out, err = shell(f"verify {tmp_path}")
    assert (code, err) == (0, "") and out.count("FAILED") == 0
    code, out, err = shell(f"measure {tmp_path / 'imported'} --out {tmp_path / 'history.csv'}")
    assert code == 0 and "of all inputs" in out
    model = CachedModel(small_run)
    loss = progress.mean_loss(model.logits, model.task.labels)
    assert float(re.search(r"all loss +(\S+)", out)[1]) == pytest.approx(loss, rel=1e-3)
    assert pd.read_csv(tmp_path / "history.csv")["all loss"].item() == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("command", ["list", "verify"])
def test_no_runs_there(shell, tmp_path, command):
    empty = f"interp-utils: there is no run below {tmp_path}; a run is a folder with a run.json\n"
    assert shell(f"{command} {tmp_path}") == (2, "", empty)
    code, out, err = shell(f"{command} {tmp_path}/none")
    assert (code, out) == (
        2,
        "",
    ) and f"there is no folder {tmp_path}/none; name one that holds runs" in err


# measure


def test_measure_of_a_model_on_pairs(shell, small_run, tmp_path):
    file = tmp_path / "new" / "measures.csv"
    code, out, err = shell(f"measure {small_run.path} --out {file} --quiet")
    assert (
        (code, err) == (0, "")
        and f"{small_run.path}: modular_addition p=7 frac_train=0.6 seed=0, weights of step 60 "
        "of 60\n"
        in out
    )
    printed = as_dict(out)
    for name, value in trajectories.headline(small_run).items():
        if isinstance(value, float):
            assert float(printed[name]) == pytest.approx(value, rel=1e-3)
    expected = trajectories.measure(small_run, progress=False)
    assert f"{len(expected)} rows, of {len(small_run.steps)} snapshots, are in {file}" in out
    pd.testing.assert_frame_equal(pd.read_csv(file), expected, check_dtype=False)


def test_numbers_of_several_heads_or_answers_are_readable():
    assert text.spell([0.123456, 1e-9]) == "0.1235, 1e-09" and text.spell([8, 36]) == "8,36"
    assert text.spell({"2": 64, "3": 0.5}) == "2: 64, 3: 0.5" and text.spell({}) == "-"


def test_measures_are_not_overwritten_without_force(shell, small_run, tmp_path):
    file = tmp_path / "measures.csv"
    file.write_text("mine")
    refusal = (
        f"interp-utils: {file} already exists; choose another file, or replace it with --force\n"
    )
    assert (
        shell(f"measure {small_run.path} --out {file}") == (2, "", refusal)
        and file.read_text() == "mine"
    )
    assert shell(f"measure {small_run.path} --out {file} --force --quiet")[0] == 0
    assert file.read_text().startswith("step,measure,") and list(tmp_path.iterdir()) == [file]


def test_measure_says_where_its_measures_mean_little(shell, small_run, small_task, tmp_path):
    note = "look for a + b, and this task's labels are something else"
    train(
        tasks.random_labels(small_task), SMALL_MODEL, SMALL_TRAINING, out=tmp_path, progress=False
    )
    other, addition = shell(f"measure {tmp_path}")[1], shell(f"measure {small_run.path}")[1]
    assert note in other and "memorisation ends" not in other and "full loss" in other
    assert note not in addition and "memorisation ends" in addition


def test_measure_without_test_pairs(shell, tmp_path):
    train(
        tasks.modular_addition(3, 1.0),
        SMALL_MODEL,
        TrainConfig(steps=2),
        out=tmp_path,
        progress=False,
    )
    code, out, err = shell(f"measure {tmp_path}")
    assert (code, out) == (1, "") and err.startswith(
        f"interp-utils: {tmp_path} has no test pairs, and test accuracy and the phases need"
    )
    assert "Train with --frac-train below 1, or " in err and len(err.splitlines()) == 1
    assert len(trajectories.measure(Run.load(tmp_path), progress=False))  # as the message says


def test_measure_of_a_sorting_model(shell, sorting_run, tmp_path):
    file = tmp_path / "sorting.csv"
    code, out, err = shell(f"measure {sorting_run.path} --out {file} --quiet")
    table, printed = pd.read_csv(file), as_dict(out)
    assert (code, err) == (0, "") and table["step"].tolist() == sorting_run.steps == [0, 1, 2, 4]
    model, test = sorting_run.model(), sorting_run.task.test
    right = (model(test.tokens).argmax(-1) == test.labels)[test.asked].view(30, 3).double()
    OV = (model.W_E[:20] @ model.W_V[0] @ model.W_O[0] @ model.W_U[:, :20]).detach().double()
    eigenvalues = np.linalg.eigvals(OV.numpy())
    scores = eigenvalues.real.sum(1) / abs(eigenvalues).sum(1)
    expected = {
        "whole-list test accuracy": right.prod(1).mean().item(),
        "token test accuracy": right.mean().item(),
        **{f"copying score of head 0.{head}": score for head, score in enumerate(scores)},
    }
    for name, value in expected.items():
        assert table[name].iloc[-1] == pytest.approx(value, abs=1e-5) and float(
            printed[name]
        ) == pytest.approx(value, rel=1e-3)


def test_measure_of_a_run_of_no_experiment(shell, small_task, tmp_path):
    train(
        small_task,
        dataclasses.replace(SMALL_MODEL, n_layers=2),
        TrainConfig(steps=1),
        out=tmp_path,
        progress=False,
    )
    code, out, err = shell(f"measure {tmp_path} --out {tmp_path / 'all.csv'} --quiet")
    last, printed = Run.load(tmp_path).metrics.iloc[-1], as_dict(out)
    assert (code, err) == (0, "") and "key frequencies" in printed, "what its logits show"
    for name in ("train loss", "test loss", "test accuracy"):
        assert float(printed[name]) == pytest.approx(last[name.replace(" ", "_")], rel=1e-3)
    table = pd.read_csv(tmp_path / "all.csv")
    assert table["step"].tolist() == [0, 1] and table["test loss"].iloc[-1] == pytest.approx(
        last["test_loss"]
    )


# list and verify


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_list(shell, copy, sorting_run):
    shutil.copytree(sorting_run.path, copy.parent / "deep" / "sorting")
    shutil.copytree(copy, copy.parent / "broken")
    damage(copy.parent / "broken" / "metrics-00000060.json")
    code, out, err = shell(f"list {copy.parent}")
    assert (code, err) == (1, "") and shell(f"list {copy}")[0] == 0
    heading, broken, small, sorting, _, _, reason = out.splitlines()
    assert heading.startswith("run  ") and heading.endswith("held-out accuracy")
    assert (
        broken.split()[:2] == [f"{copy.parent}/broken", "DAMAGED"]
        and "broken/metrics-00000060.json: expected" in reason
    )
    last = Run.load(copy).metrics.iloc[-1]
    numbers = [
        f"{last[name]:.4g}"
        for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
    ]
    assert small.split() == [
        str(copy),
        "modular_addition",
        "p=7",
        "frac_train=0.6",
        "seed=0",
        "60/60",
        *numbers,
    ]
    assert "sorting n_values=20 length=3 n_validation=20 n_test=30  4/4" in sorting
    assert f"{sorting_run.metrics['validation_loss'].iloc[-1]:.4g}" in sorting


def test_what_ships_verifies(shell):
    shipped = [CHECKPOINTS / "modular_addition", CHECKPOINTS / "sorting_one_head_seed0"]
    code, out, err = shell(f"verify {shipped[0]} {shipped[1]}")
    rows = [re.split("  +", line) for line in out.splitlines()]
    assert (code, err) == (0, "") and rows[0] == ["run", "files", "numbers", "verdict"]
    for row, path in zip(rows[1:], shipped, strict=True):
        n_files = sum(file.is_file() and file.name != ".lock" for file in path.rglob("*"))
        assert (
            row[:2] == [str(path), f"{n_files} ok"]
            and re.match("[46] ok, ", row[2])
            and row[3] == "ok"
        )


@pytest.mark.parametrize(
    "name",
    ["run.json", "task.safetensors", "metrics-00000060.json", "snapshots/00000020.safetensors"],
)
@pytest.mark.parametrize("harm", [damage, Path.unlink])
def test_verify_names_the_damaged_file(shell, small_run, copy, name, harm):
    harm(copy / name)
    code, out, err = shell(f"verify {copy.parent} {small_run.path}")
    assert (
        code == 1
        and err.startswith(f"interp-utils: {copy} failed: ")
        and Path(name).name in err
        and len(err.splitlines()) == 1
    )
    verdicts = {line.split()[0]: line.split()[-1] for line in out.splitlines()[1:]}
    assert verdicts == {str(copy): "FAILED", str(small_run.path): "ok"}


@pytest.mark.parametrize("command", ["resume", "measure"])
def test_a_damaged_run_is_refused(shell, copy, command):
    damage(copy / "metrics-00000060.json")
    code, out, err = shell(f"{command} {copy}")
    assert (code, out) == (1, "") and err.startswith(
        f"interp-utils: {copy}/metrics-00000060.json: expected"
    )
    assert "restore this file from a copy, or train the run again" in err


def relog(path: Path, column: str, factor: float) -> None:
    """Changes the last logged value and every digest with it: whole files, with numbers that are
    not true.
    """
    run = Run.load(path)
    log = {
        **run.raw_metrics,
        column: [*run.raw_metrics[column][:-1], run.raw_metrics[column][-1] * factor],
    }
    manifest = json.loads((path / "run.json").read_bytes())
    del manifest["sha256"]
    name, content = f"metrics-{run.step:08d}.json", storage.json_bytes(log)
    manifest["files"][name] = storage.describe(content)
    (path / name).write_bytes(content)
    (path / "run.json").write_bytes(storage.manifest_to_bytes(manifest))


@pytest.mark.parametrize(
    ("column", "factor"), [("train_loss", 1.02), ("test_loss", 0.98), ("train_accuracy", 0.5)]
)
def test_verify_fails_where_log_and_weights_differ(shell, copy, column, factor):
    relog(copy, column, factor)
    code, out, err = shell(f"verify {copy}")
    assert code == 1 and "1 of 4 FAILED" in out
    assert (
        err.startswith(f"interp-utils: {copy} failed: at step 60: {column} ")
        and "log and weights are not from the same training" in err
    )


@pytest.mark.parametrize(("column", "factor"), [("train_loss", 1.005), ("train_accuracy", 1.0001)])
def test_verify_allows_for_another_machines_rounding(shell, copy, column, factor):
    relog(copy, column, factor)
    code, out, _ = shell(f"verify {copy}")
    assert code == 0 and "4 ok, within" in out


@pytest.mark.usefixtures("stop_at_33")
def test_verify_of_a_run_that_is_training(small_task, tmp_path, monkeypatch):
    """Files that a save in between has replaced are not damage."""
    arguments = {
        "task": small_task,
        "model_config": SMALL_MODEL,
        "train_config": SMALL_TRAINING,
        "out": tmp_path,
        "progress": False,
    }
    with pytest.raises(KeyboardInterrupt):
        train(**arguments)
    verify, seen = Run.verify, []

    def trains_on_meanwhile(run):
        seen.append(run.step)
        if len(seen) == 1:
            train(**arguments)
        verify(run)

    monkeypatch.setattr(commands.Run, "verify", trains_on_meanwhile)
    assert verification.verify(tmp_path).problem is None and seen[0] == 34 and seen[-1] == 60


def test_verify_without_test_pairs(shell, tmp_path):
    train(
        tasks.modular_addition(3, 1.0),
        SMALL_MODEL,
        TrainConfig(steps=2),
        out=tmp_path,
        progress=False,
    )
    assert shell(f"verify {tmp_path}")[0] == 0
    nan = float("nan")
    assert not verification.agree("test_loss", nan, 1.0, 1) and not verification.agree(
        "test_loss", 1.0, nan, 1
    )


@pytest.mark.parametrize("n", [29, 128, 500, 10_000])
def test_verify_allows_for_a_near_tie(n):
    for changed, agrees in ((1, True), (max(3, n // 500), False)):
        assert verification.agree("train_accuracy", 1.0, 1 - changed / n, n) is agrees


def test_accuracies_are_over_so_many_inputs(small_run, sorting_run):
    assert verification.n_inputs(small_run) == {"train": 29, "test": 20}
    assert verification.n_inputs(sorting_run) == {"train": 8, "validation": 20}


# as installed


def test_installed():
    script = Path(sys.executable).parent / "interp-utils"
    ran = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "") and "interp-utils verify" in ran.stdout
    ran = subprocess.run(
        [script, "resume", "no/such/run"], capture_output=True, text=True, timeout=60
    )
    assert (
        (ran.returncode, ran.stdout) == (2, "")
        and "there is no run in" in ran.stderr
        and "Traceback" not in ran.stderr
    )


# a task of one's own

OWN = '''
from interp_utils import Task
import torch

def parity(bits: int, seed: int = 0, hidden=None):
    tokens = torch.cartesian_prod(*[torch.arange(2)] * bits)
    mask = torch.rand(len(tokens), generator=torch.Generator().manual_seed(seed)) < 0.6
    return Task("parity", tokens, tokens.sum(1) % 2, mask, (2,), 2, params={"bits": bits})

def documented(bits: int) -> Task:
    """Bits, 100 % new.

    bits:  how many bits
           there are.
    """
    return parity(bits)

def untyped(bits): ...
def steps(steps: int): return parity(3)
def nothing(bits: int): return None
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module in the current folder, under a name of its own in each test."""
    name = f"own_tasks_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return name


def test_a_task_of_ones_own(shell, own):
    line = f"train --task {own}:parity --bits 4 --seed 3 {SIZES} --steps 4 --quiet --out run"
    code, out, err = shell(line)
    assert (code, err) == (0, "")
    run = Run.load("run")
    assert (run.task.name, len(run.task), run.step) == ("parity", 16, 4)
    assert shell(line.replace("--task ", "--task="))[0] == 0  # there already
    assert shell("resume run")[0] == 0 and shell(f"resume --task {own}:parity run")[0] == 0
    code, out, err = shell(
        f"sweep --task {own}:parity --bits 3 {SIZES} --steps 2 --vary lr=1e-3,1e-2 --quiet "
        "--out sweep"
    )
    assert (code, err) == (0, "") and "2 trials are done" in out


def test_help_on_a_task_of_ones_own(shell, own):
    code, out, _ = shell(f"train --task {own}:documented --help")
    text = " ".join(out.split())
    assert code == 0 and "Bits, 100 % new." in text
    assert "--bits int how many bits there are (required)" in text
    assert f"usage: interp-utils train --task {own}:documented --bits int --out FOLDER" in text
    code, out, _ = shell(f"train --task {own}:parity --help")
    text = " ".join(out.split())
    assert code == 0 and f"From the module {own}." in text
    assert "--bits int (required)" in text and "--hidden" not in text


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("parity", "expected MODULE:FUNCTION, got 'parity'"),
        ("", "expected MODULE:FUNCTION, got ''"),
        ("nowhere:parity", "there is no module 'nowhere', neither installed nor in {folder}"),
        ("{own}:even", "there is no function even in {own}"),
        (
            "{own}:untyped",
            "{own}:untyped has an argument bits whose type cannot be typed; annotate it, e.g. "
            "bits: int, or give it a default",
        ),
        ("{own}:nothing", "{own}:nothing must return a Task or a StreamTask, it returned NoneType"),
        (
            "{own}:steps",
            "{own}:steps, argument --steps: conflicting option string: --steps; rename that "
            "argument",
        ),
    ],
)
def test_what_is_no_task_of_ones_own(shell, own, tmp_path, task, message):
    given = task.format(own=own)
    for command in ("train", "sweep --vary lr=1e-3"):
        code, _, err = shell(f"{command} --task '{given}' --bits 3 --out run")
        expected = f"interp-utils: argument --task: {message}\n".format(own=own, folder=tmp_path)
        assert (code, err) == (2, expected)
    assert not (tmp_path / "run").exists()
