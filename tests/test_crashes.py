"""Real processes that are killed, starved of disk, locked out and interrupted: nothing lost,
nothing wrong silently.
"""

import errno
import functools
import os
import random
import re
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from interp_utils import Run
from interp_utils.runs.manifest import MANIFEST
from tests import trainings
from tests.processes import FORK, SPAWN, process, report_of

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="signals, quotas and capabilities are Linux's"
)

DISK_FULL = (
    r"could not save step {} \(.+\); {}; free some space or make the folder writable, "
    r"then make the same call again: '{}'"
)


def finish(case: str, out: Path, context=FORK) -> Run:
    assert report_of(trainings.training, case, out, context=context) == ("finished", None, "")
    return Run.load(out)


@pytest.fixture(scope="module", params=list(trainings.CASES))
def case(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def uninterrupted(case, tmp_path_factory) -> Run:
    return finish(case, tmp_path_factory.mktemp("uninterrupted") / case)


def assert_same(run: Run, uninterrupted: Run) -> None:
    """Byte for byte, as the manifest has every file's sha256; and no other file is left."""
    run.verify()
    assert run.manifest == uninterrupted.manifest
    assert files(run.path) == {MANIFEST, ".lock", *run.manifest["files"]}


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_kill_9_at_any_moment_loses_nothing(case, uninterrupted, tmp_path, pytestconfig, capsys):
    """Every fourth kill hits a fresh interpreter, imports included, the others a fork that goes
    straight to `train`.
    """
    lives = {}
    for context in (FORK, SPAWN):
        started = time.monotonic()
        assert_same(finish(case, tmp_path / context.get_start_method(), context), uninterrupted)
        lives[context] = time.monotonic() - started
    moments, seen, kills = (
        random.Random(case),
        Counter(),
        pytestconfig.getoption("kills") // len(trainings.CASES),
    )
    out, saved = tmp_path / "0", -1
    while seen["kills"] < kills:
        context = SPAWN if seen["kills"] % 4 == 3 else FORK
        with process(trainings.training, case, out, context=context) as (child, _):
            child.join(moments.uniform(0, lives[context]))
            child.kill()
            child.join()
        if not (out / MANIFEST).exists():
            assert saved == -1
            seen["kills"] += 1
            continue
        run = Run.load(out)
        run.verify()
        assert run.step >= saved
        saved = run.step
        if not run.finished:
            seen["kills"] += 1
            seen["in a save"] += files(out) != {MANIFEST, ".lock", *run.manifest["files"]}
        else:  # the next kill shall hit a training that is alive
            assert_same(finish(case, out), uninterrupted)
            seen["finished"] += 1
            out, saved = tmp_path / str(seen["finished"]), -1
    assert_same(finish(case, out), uninterrupted)
    if kills > 50:
        assert seen["in a save"] > kills / 10
        with capsys.disabled():
            sys.stdout.write(f"\n{case}: {dict(seen)}, none lost\n")


@pytest.mark.parametrize("step", [0, 33])
def test_a_quota_during_a_save(case, uninterrupted, tmp_path, step):
    starved = functools.partial(trainings.quota, step=step)
    kind, number, text = report_of(trainings.training, case, tmp_path / "run", starved)
    following = min(snapshot for snapshot in uninterrupted.steps if snapshot > step)
    assert kind == "OSError" and number == errno.EFBIG
    assert re.fullmatch(
        r"\[Errno 27\] "
        + DISK_FULL.format(following, f"the run is kept as of step {step}", tmp_path / "run"),
        text,
    )
    stopped = Run.load(tmp_path / "run")
    stopped.verify()
    assert stopped.step == step
    assert_same(finish(case, stopped.path), uninterrupted)


def test_no_room_for_the_first_save(case, uninterrupted, tmp_path):
    kind, number, text = report_of(trainings.training_under_quota, case, tmp_path / "run")
    assert kind == "OSError" and number == errno.EFBIG
    assert re.search(
        DISK_FULL.format(0, "nothing of this run is saved yet", tmp_path / "run"), text
    )
    assert_same(finish(case, tmp_path / "run"), uninterrupted)


def test_a_full_disk(case, uninterrupted, tmp_path):
    (tmp_path / "disk").mkdir()
    report = report_of(trainings.on_a_small_disk, case, tmp_path / "disk", tmp_path / "copy")
    if isinstance(report, str):
        pytest.skip(report)
    (first, kept), (second, still_kept), (third, last) = report
    following = min(snapshot for snapshot in uninterrupted.steps if snapshot > kept)
    for kind, number, text in (first, second):
        assert kind == "OSError" and number == errno.ENOSPC
        assert re.search(
            DISK_FULL.format(
                following, f"the run is kept as of step {kept}", tmp_path / "disk" / "run"
            ),
            text,
        )
    assert 0 < kept == still_kept < last == 60 and third[0] == "finished"
    assert_same(Run.load(tmp_path / "copy"), uninterrupted)


def test_a_read_only_folder(case, uninterrupted, tmp_path):
    """Loading, models and finished runs need no writing; a training says so at once."""
    finished, unfinished = (
        Path(shutil.copytree(uninterrupted.path, tmp_path / "finished")),
        tmp_path / "unfinished",
    )
    report_of(trainings.training, case, unfinished, functools.partial(trainings.quota, step=33))
    for folder in (finished, unfinished):
        (folder / ".lock").unlink()
        if case == "grid":  # a lock file that can be written, in a folder that cannot
            (folder / ".lock").touch()
    folders = [folder for run in (finished, unfinished) for folder in (run, run / "snapshots")]
    for folder in folders:
        folder.chmod(0o555)
    before = files(tmp_path)
    try:
        report = report_of(trainings.without_privileges, case, finished, unfinished)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    if isinstance(report, str):
        pytest.skip(report)
    assert report[0] == ("finished", None, "")
    assert report[1] == (
        "PermissionError",
        errno.EACCES,
        "[Errno 13] cannot write a run there (Permission denied); choose another folder: "
        f"'{unfinished}'",
    )
    assert files(tmp_path) == before


@pytest.mark.parametrize("progress", [True, False])
def test_ctrl_c(case, uninterrupted, tmp_path, progress):
    with process(trainings.training, case, tmp_path / "run", trainings.slow, progress) as (
        child,
        report,
    ):
        while not ((tmp_path / "run" / MANIFEST).exists() and Run.load(tmp_path / "run").step > 3):
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGINT)
        kind, _, text = report.recv()
    stopped = Run.load(tmp_path / "run")
    stopped.verify()
    assert kind == "KeyboardInterrupt" and not stopped.finished
    assert (
        text == f"stopped at step {stopped.step}, which is saved in {stopped.path}; the same call "
        "goes on from there"
    )
    assert_same(finish(case, stopped.path), uninterrupted)
