"""The one way to put a run on disk: atomically, and by one process at a time. A run can therefore
always be resumed.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from torch import Tensor

from interp_utils.configs import RunConfig
from interp_utils.runs import storage
from interp_utils.runs.manifest import (
    MANIFEST,
    TASK,
    make_manifest,
    metrics_name,
    snapshot_name,
    state_name,
)
from interp_utils.runs.manifest import versions as current_versions
from interp_utils.runs.metrics import Metrics
from interp_utils.runs.origin import Origin
from interp_utils.runs.origin import require_same as require_same_origin
from interp_utils.runs.run import Run
from interp_utils.runs.storage import DamagedFile
from interp_utils.tasks import AnyTask


class RunWriter:
    """Holds a run folder for writing: `with RunWriter(path, task, config) as writer`.

    origin: where the run starts, if not from its own initial weights.
    Raises RunInUse if another process holds the folder, ValueError if the folder holds anything but
    this run, or this run with more steps, DamagedFile if the run is damaged, and OSError if the
    folder cannot be written. If the run is already finished there, neither lock nor writing is
    needed. None of these errors changes anything in the folder.
    """

    def __init__(
        self, path: str | Path, task: AnyTask, config: RunConfig, origin: Origin | None = None
    ) -> None:
        self.path = Path(path)
        self.task, self.config, self.origin = task, config, origin
        self._task_content = storage.tensors_to_bytes(storage.compact(task.tensors()))
        self.run: Run | None = None
        self._stack = ExitStack()

    def __enter__(self) -> RunWriter:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not os.access(
                self.path, os.W_OK | os.X_OK
            ):  # if there is a lock file already, locking alone would succeed
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            self._stack.enter_context(storage.exclusive(self.path))
        except OSError as error:
            if self._open() and self.step == self.config.train.steps:
                return self
            raise _explained(
                error, self.path, "cannot write a run there ({}); choose another folder"
            ) from None
        try:
            if not self._open():
                self._require_ours()
            self._remove_leftovers()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _open(self) -> bool:
        """Reads and verifies the run in the folder; False if there is none."""
        if not os.path.exists(self.path / MANIFEST):
            return False
        self.run = Run.load(self.path)
        self._require_same()
        self.origin = self.run.origin  # the origin's source may have changed since
        self.run.verify()
        return True

    @property
    def step(self) -> int | None:
        """Updates done by the run on disk; None if there is none."""
        return None if self.run is None else self.run.step

    def state(self) -> tuple[dict[str, dict[str, Tensor]], Metrics]:
        """The last saved state, to resume from, {"weights": ..., "exp_avg": ..., ...}, and the
        metrics.
        """
        metrics = {name: list(column) for name, column in self.run.raw_metrics.items()}
        return self.run.state(), metrics

    def save(
        self, step: int, state: Mapping[str, Mapping[str, Tensor]], metrics: Metrics, snapshot: bool
    ) -> None:
        """Puts everything known at `step` on disk; after it returns, the process may die.

        Raises OSError where writing fails, e.g. on a full disk; earlier saves stay.
        """
        kept = (
            {}
            if self.run is None
            else {n: d for n, d in self.run.manifest["files"].items() if n.startswith("snapshots/")}
        )
        flat = {
            f"{group}/{name}": tensor
            for group, tensors in state.items()
            for name, tensor in tensors.items()
        }
        contents = {
            TASK: self._task_content,
            metrics_name(step): storage.json_bytes(metrics),
            state_name(step): storage.tensors_to_bytes(flat),
        }
        if snapshot:
            contents[snapshot_name(step)] = storage.tensors_to_bytes(state["weights"])
        try:
            self.commit(step, contents, kept)
        except OSError as error:
            if os.path.exists(self.path / MANIFEST):  # the failure may have come after the rename
                self.run = Run.load(self.path)
            there = (
                "nothing of this run is saved yet"
                if self.run is None
                else f"the run is kept as of step {self.step}"
            )
            advice = "free some space or make the folder writable, then make the same call again"
            raise _explained(
                error, self.path, f"could not save step {step} ({{}}); {there}; {advice}"
            ) from None

    def commit(
        self,
        step: int,
        contents: Mapping[str, bytes],
        kept: Mapping[str, Mapping[str, Any]] | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        """Writes files, then the manifest that names them and the `kept` ones, then removes the
        files that they replace.
        """
        before = {} if self.run is None else self.run.manifest["files"]
        files = {
            **(kept or {}),
            **{name: storage.describe(content) for name, content in contents.items()},
        }
        for name, content in contents.items():
            if before.get(name) != files[name]:
                storage.write_atomic(self.path / name, content)
        manifest = make_manifest(
            self.task, self.config, step, files, versions or current_versions(), self.origin
        )
        storage.write_atomic(self.path / MANIFEST, storage.manifest_to_bytes(manifest))
        for name in before.keys() - files.keys():
            (self.path / name).unlink(missing_ok=True)
        self.run = Run.load(self.path)

    def _remove_leftovers(self) -> None:
        """Deletes what a process left that died while writing files or the manifest."""
        storage.remove_temporary_files(self.path)
        named = (
            {} if self.run is None else {*self.run.manifest["files"], state_name(self.step)}
        )  # a state of this step is no leftover, even if the manifest does not name it
        for file in self.path.iterdir():
            if (
                re.fullmatch(r"(state-[0-9]{8,}\.safetensors|metrics-[0-9]{8,}\.json)", file.name)
                and file.name not in named
            ):
                file.unlink()

    def _require_same(self) -> None:
        """Raises ValueError unless the run on disk is the one that is asked for, or the same run
        with fewer steps, which is then continued.
        """
        config = self.run.config
        require_same_origin(self.path, self.run.origin, self.origin)
        stored = {  # with the fields that were added since it was written
            "task": self.run.task.about(),
            "model": config.model.to_json(),
            "train": config.train.to_json(),
        }
        stored = json.loads(json.dumps(stored))
        wanted = make_manifest(self.task, self.config, 0, {}, {})
        longer, there = self.config.train.steps, config.train.steps
        if longer > there:
            stored["train"]["steps"] = longer
        for part in ("task", "model", "train"):
            different = [key for key in wanted[part] if stored[part].get(key) != wanted[part][key]]
            if not different and stored[part] == wanted[part]:
                continue
            if different == ["steps"]:
                raise ValueError(
                    f"{self.path} holds a run of {there} steps, of which {self.run.step} are done; "
                    f"ask for as many or more, got steps = {longer}, or choose another folder"
                )
            changes = ", ".join(
                f"{key} = {stored[part].get(key)!r} there, {wanted[part][key]!r} here"
                for key in different
            )
            raise ValueError(
                f"{self.path} holds another run, whose {part} differs ({changes}); choose "
                "another folder"
            )
        content = storage.read_checked(self.path / TASK, self.run.manifest["files"][TASK])
        there, here = self.run.task.tensors(), self.task.tensors()
        if there.keys() != here.keys() or not all(
            tensor.long().equal(here[name].long()) for name, tensor in there.items()
        ):
            raise ValueError(
                f"{self.path} holds a run on other inputs, labels or training pairs; choose "
                "another folder"
            )
        # An earlier version may have written wider integers: an existing file is not written again.
        self._task_content = content

    def _require_ours(self) -> None:
        """Raises ValueError for files without a manifest, except those that a process left which
        died before it wrote its first manifest.
        """
        first = 0 if self.origin is None else self.origin.step
        own = {".lock", "snapshots", TASK}
        own |= {name(first) for name in (metrics_name, state_name, snapshot_name)}
        there = {
            file.relative_to(self.path).as_posix()
            for pattern in ("*", "snapshots/*")
            for file in self.path.glob(pattern)
        }
        foreign = sorted(
            name for name in there - own if not re.fullmatch(r"(snapshots/)?\..*\.tmp", name)
        )
        if later := [
            name for name in foreign if re.match(r"(metrics-|state-|snapshots/)[0-9]{8,}\.", name)
        ]:
            raise DamagedFile(self.path / MANIFEST, f"this file is missing beside {later[0]}")
        if foreign:
            raise ValueError(
                f"{self.path} holds other files ({', '.join(foreign[:3])}) and no run; choose a "
                "new or empty folder"
            )


def _explained(error: OSError, path: Path, message: str) -> OSError:
    """The error, with a message that says what it means for the run."""
    return type(error)(error.errno, message.format(error.strerror), str(path))
