"""A PostgreSQL server of a test's own, which listens on a socket in a folder and nowhere else."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


def _binaries() -> Path | None:
    """Debian keeps them apart from those that everybody runs."""
    found = [Path(path) for path in [shutil.which("initdb")] if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Its URL. Skips the test where there is no server to start."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (Debian's package is postgresql)")
    own = {}
    if os.geteuid() == 0:  # which the server refuses to run as
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        own = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    # not in pytest's own folders, which other users cannot enter
    with tempfile.TemporaryDirectory(prefix="pg-") as folder, contextlib.ExitStack() as stack:
        if own:
            os.chown(folder, own["user"], own["group"])
        data, log = f"{folder}/data", stack.enter_context(open(f"{folder}/log", "w+"))
        common = {"cwd": folder, "stdout": log, "stderr": subprocess.STDOUT, **own}
        create = [binaries / "initdb", "--no-sync", "-A", "trust", "-U", "sweeper", "-D", data]
        subprocess.run(create, check=True, **common)
        options = ["-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        process = subprocess.Popen([binaries / "postgres", "-D", data, *options], **common)
        try:
            ready = [binaries / "pg_isready", "-q", "-h", folder]
            while subprocess.run(ready, check=False).returncode:
                assert process.poll() is None, Path(log.name).read_text()
                time.sleep(0.05)
            yield f"postgresql://sweeper@/postgres?host={folder}"
        finally:
            process.send_signal(signal.SIGINT)  # at once, without waiting for its clients
            process.wait()
