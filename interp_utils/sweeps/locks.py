"""Whether the file system of the runs has the file locks that sweeps rest on."""

from __future__ import annotations

import errno
import re
import warnings
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import filelock

CHECK = ".trials/check.lock"
MOUNTS = Path("/proc/self/mountinfo")  # Linux's
# Options with which NFS and Lustre keep the locks of each machine to that machine.
LOCAL = {"local_lock=all", "local_lock=flock", "nolock", "localflock"}
MISSING = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
ADVICE = "choose a folder on another file system, or mount this one with locks (NFS: \
local_lock=none, Lustre: flock)"


def require_locks(folder: Path, shared: bool) -> None:
    """Raises OSError where the folder's file system has no file locks or ignores them, or where it
    keeps them to each machine and workers on several machines must see them (`shared`).
    """
    path = folder / CHECK
    path.parent.mkdir(exist_ok=True)
    try:
        holds = _holds(path)
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in MISSING:
            raise
        raise _unusable(folder, f"has no file locks ({error})") from None
    if not holds:
        raise _unusable(folder, "ignores file locks")
    if shared and MOUNTS.exists():
        mount = mount_of(folder.resolve().as_posix(), MOUNTS.read_text())
        if found := sorted(mount.options & LOCAL):
            raise _unusable(folder, f"({mount.kind}, {found[0]}) keeps file locks to each machine")


def _holds(path: Path) -> bool:
    """Whether a second lock on the file has to wait for the first."""
    first, second = (filelock.FileLock(path, timeout=0) for _ in range(2))
    with warnings.catch_warnings():
        # filelock warns where it falls back on a file, which a killed worker would leave behind.
        warnings.simplefilter("ignore")
        try:
            first.acquire()
        except filelock.Timeout:  # another worker is checking
            return True
    try:
        if isinstance(first, filelock.SoftFileLock):
            raise OSError(errno.ENOSYS, "flock is not implemented")
        second.acquire()
        second.release()
    except filelock.Timeout:
        return True
    finally:
        first.release()
    return False


class Mount(NamedTuple):
    at: str
    kind: str
    options: frozenset[str]


def mount_of(path: str, mounts: str) -> Mount:
    """The innermost mount that a path lies on. mounts: as in /proc/self/mountinfo."""
    found = Mount("", "unknown", frozenset())
    for line in mounts.splitlines():
        own, _, source = line.partition(" - ")
        fields, (kind, _, *options) = own.split(), source.split()
        at = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        if PurePosixPath(path).is_relative_to(at) and len(at) >= len(found.at):
            every = ",".join([fields[5], *options]).split(",")
            found = Mount(at, kind, frozenset(every))
    return found


def _unusable(folder: Path, what: str) -> OSError:
    return OSError(
        f"the file system of {folder} {what}: workers would train the same trials twice; {ADVICE}"
    )
