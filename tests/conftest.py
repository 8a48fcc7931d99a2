"""With workers, pytest's own process only hands tests out: here torch is loaded by fixtures, which
workers alone use.
"""

import gc
import os
import shlex

import jaxtyping
import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")


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


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Modules and tests by the thousand stay until the end: to look for garbage among them, now and
    at the exit, takes seconds.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish():
    """What tests have left is looked through once."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def stand_in_is_known():
    """The stand-in accelerator is a device of torch from the first test on."""
    import tests.accelerator  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def time_stands_still():
    """The seconds of a run are all that two equal trainings do not have in common."""
    from interp_utils.training import stopwatch

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
    import torch

    torch.default_generator.manual_seed(0)


@pytest.fixture(scope="session")
def small_task():
    from interp_utils import tasks

    return tasks.modular_addition(7, frac_train=0.6)


@pytest.fixture(scope="session")
def small_run(small_task, tmp_path_factory):
    """A finished run of 60 steps on p = 7. Tests only read it."""
    from interp_utils import train
    from tests.small import SMALL_MODEL, SMALL_TRAINING

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
    from interp_utils import cli

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
