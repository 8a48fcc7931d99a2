import os
import shlex

import jaxtyping
import pytest
import torch
from hypothesis import settings

import tests.accelerator  # noqa: F401
from interp_utils import ModelConfig, Run, TrainConfig, cli, tasks, train
from interp_utils.training import stopwatch

settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")

SMALL_MODEL = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
SMALL_TRAINING = TrainConfig(steps=60, log_every=10, snapshot_every=20)


def weights_equal(first: Run, second: Run) -> bool:
    a, b = first.weights(), second.weights()
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


def pytest_addoption(parser):
    parser.addoption(
        "--kills", type=int, default=12, help="how often test_crashes.py kills a training"
    )
    parser.addoption(
        "--site", help="the built site that test_site.py opens; default: one of planted notebooks"
    )
    parser.addoption(
        "--other-runs", action="store_true", help="06 and 08 to 11 on other runs, test_notebooks.py"
    )


@pytest.fixture(scope="session", autouse=True)
def time_stands_still():
    """The seconds of a run are all that two equal trainings do not have in common."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stopwatch, "now", lambda: 0.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def disks_are_not_waited_for():
    """No test cuts the power: none needs to wait until the disk has what was written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(autouse=True)
def draws_are_the_same():
    """Whichever tests a worker ran before this one."""
    torch.default_generator.manual_seed(0)


@pytest.fixture(scope="session")
def small_task():
    return tasks.modular_addition(7, frac_train=0.6)


@pytest.fixture(scope="session")
def small_run(small_task, tmp_path_factory) -> Run:
    """A finished run of 60 steps on p = 7. Tests only read it."""
    return train(
        small_task,
        SMALL_MODEL,
        SMALL_TRAINING,
        out=tmp_path_factory.mktemp("small"),
        progress=False,
    )


@pytest.fixture
def shell(capsys):
    """Runs a command line: (exit code, stdout, stderr)."""

    def run(line):
        capsys.readouterr()
        code = cli.main(shlex.split(line))
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def as_a_user():
    """Without the tests' runtime type checker: what someone who passes a wrong argument sees."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
