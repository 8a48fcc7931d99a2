"""Locks are checked before a sweep begins, by what the file system does and how it is mounted."""

import errno

import pytest

from interp_utils.runs.storage import exclusive
from interp_utils.sweeps import locks
from tests.test_sweeps import COMPLETE, quiet_and_impatient, states, sweep  # noqa: F401

fcntl = pytest.importorskip("fcntl", reason="locks are looked into where they are Unix's")
MOUNTS = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 21 0:40 / /home rw - nfs4 server:/home rw,vers=4.2,local_lock=none
31 21 0:41 / /scratch rw,noatime shared:9 - nfs server:/scratch rw,vers=3,nolock,local_lock=all
32 21 0:42 / /scr\040atch rw - lustre mds@tcp:/lustre rw,localflock
33 31 0:43 / /scratch/flock rw - lustre mds@tcp:/lustre rw,flock
34 21 0:44 / /old rw - ext4 /dev/sdb rw
35 21 0:45 / /old rw - nfs server:/old rw,local_lock=flock
"""


def ignored(handle, operation):
    pass


def missing(handle, operation):
    raise OSError(errno.ENOSYS, "Function not implemented")


def no_server(handle, operation):
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.mark.parametrize(
    ("flock", "what"),
    [
        (ignored, "ignores file locks"),
        (missing, "has no file locks"),
        (no_server, r"has no file locks .*No locks available"),
    ],
)
def test_a_file_system_without_locks(flock, what, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        message = (
            f"the file system of {tmp_path} {what}.*: workers would train the same trials twice"
        )
        with pytest.raises(OSError, match=message):
            sweep(tmp_path, 1)
    assert states(sweep(tmp_path, 1)) == [COMPLETE]


def test_another_worker_that_checks_just_now(tmp_path):
    """It holds the lock, so there are locks."""
    folder = tmp_path / ".trials"
    folder.mkdir()
    with exclusive(folder, "check.lock"):
        locks.require_locks(tmp_path, shared=False)


def test_another_error_is_no_missing_lock(tmp_path, monkeypatch):
    def broken(handle, operation):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(OSError, match="Input/output error"):
        locks.require_locks(tmp_path, shared=False)


@pytest.mark.parametrize(
    ("path", "kind", "local"),
    [
        ("/tmp/runs", "ext4", set()),
        ("/home/me", "nfs4", set()),
        ("/scratch/me", "nfs", {"nolock", "local_lock=all"}),
        ("/scratched", "ext4", set()),
        ("/scr atch/me", "lustre", {"localflock"}),
        ("/scratch/flock/me", "lustre", set()),
        ("/old", "nfs", {"local_lock=flock"}),  # mounted over the other
    ],
)
def test_how_a_folder_is_mounted(path, kind, local):
    mount = locks.mount_of(path, MOUNTS.strip())
    assert (mount.kind, mount.options & locks.LOCAL) == (kind, local)


def test_locks_of_one_machine_are_refused_to_several(tmp_path, monkeypatch):
    mounts = tmp_path / "mountinfo"
    mounts.write_text("21 1 8:1 / / rw - lustre mds@tcp:/lustre rw,localflock\n")
    monkeypatch.setattr(locks, "MOUNTS", mounts)
    with pytest.raises(OSError, match=r"\(lustre, localflock\) keeps file locks to each machine: "):
        sweep(tmp_path, 1, storage="postgresql://host/name")
    assert states(sweep(tmp_path, 1)) == [COMPLETE], "with a journal, whose workers share a machine"
