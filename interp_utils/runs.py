"""Run: what a training leaves on disk, and `RunWriter`, the one way to put it there.

    run.json                      the manifest: configurations, step, versions, size and sha256 of every other file
    task.safetensors              every input, label and the train mask
    metrics-<step>.json           one row per logged step
    snapshots/<step>.safetensors  weights under HookedTransformer's names
    state-<step>.safetensors      weights and optimiser moments, to resume from (absent in a run that ships)

A save writes new files first and the manifest last, by rename: whenever the process dies, the manifest on disk describes
files that are there.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from interp_utils import models, storage
from interp_utils.configs import ModelConfig, RunConfig, TrainConfig
from interp_utils.storage import DamagedFile
from interp_utils.tasks import Task

if TYPE_CHECKING:
    import pandas as pd
    from transformer_lens import HookedTransformer

FORMAT = 1
MANIFEST = "run.json"
TASK = "task.safetensors"
Metrics = dict[str, list[int | float | None]]


def snapshot_name(step: int) -> str:
    return f"snapshots/{step:08d}.safetensors"


@dataclass(frozen=True, eq=False)
class Run:
    """A training on disk, finished or not. Every file's digest is checked when it is read."""

    path: Path
    manifest: Mapping[str, Any]
    _metrics: Metrics

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """Raises FileNotFoundError where there is no run, DamagedFile where it is not as it was written."""
        path = Path(path)
        if not (path / MANIFEST).is_file():
            raise FileNotFoundError(f"there is no run in {path.resolve()}: it has no {MANIFEST}")
        for last_try in (False, False, True):
            manifest = _read_manifest(path / MANIFEST)
            (name,) = (name for name in manifest["files"] if name.startswith("metrics-"))
            try:
                metrics = json.loads(storage.read_checked(path / name, manifest["files"][name]))
                break
            except DamagedFile:  # or a training has saved in between, and the file has a successor
                if last_try:
                    raise
        return cls(path, manifest, metrics)

    @cached_property
    def config(self) -> RunConfig:
        return RunConfig(ModelConfig.from_json(self.manifest["model"]), TrainConfig.from_json(self.manifest["train"]))

    @cached_property
    def task(self) -> Task:
        tensors, about = self.read(TASK), self.manifest["task"]
        return Task(
            name=about["name"],
            tokens=tensors["tokens"].long(),
            labels=tensors["labels"].long(),
            train_mask=tensors["train_mask"].bool(),
            n_classes=tuple(about["n_classes"]),
            d_vocab=about["d_vocab"],
            grid=about["grid"] and tuple(about["grid"]),
            params=about["params"],
        )

    @property
    def metrics(self) -> pd.DataFrame:
        """One row per logged step: step, train_loss, test_loss (nats), train_accuracy, test_accuracy, sum_squared_weights."""
        import pandas as pd

        return pd.DataFrame({name: pd.array(column) for name, column in self._metrics.items()}).astype(
            {name: "int64" if name == "step" else "float64" for name in self._metrics}
        )

    @property
    def step(self) -> int:
        """Updates done so far."""
        return self.manifest["step"]

    @property
    def finished(self) -> bool:
        return self.step == self.config.train.steps

    @property
    def steps(self) -> list[int]:
        """The steps with a snapshot of the weights, ascending."""
        return sorted(int(Path(name).stem) for name in self.manifest["files"] if name.startswith("snapshots/"))

    def weights(self, step: int | None = None) -> dict[str, Tensor]:
        """The weights at a snapshot in float32, under HookedTransformer's names; default: the last snapshot."""
        step = self.steps[-1] if step is None else step
        if step not in self.steps:
            nearest = min(self.steps, key=lambda other: abs(other - step))
            raise ValueError(f"{self.path} has no snapshot of step {step}; the nearest is {nearest}, all are in .steps")
        weights = {name: tensor.float() for name, tensor in self.read(snapshot_name(step)).items()}
        try:
            models.check_weights(weights, models.weight_shapes(self.config.model))
        except ValueError as error:
            raise DamagedFile(self.path / snapshot_name(step), str(error)) from None
        return weights

    def model(self, step: int | None = None, device: torch.device | str = "cpu") -> HookedTransformer:
        """A HookedTransformer with the weights of a snapshot; default: the last."""
        return models.build(self.config.model, self.weights(step), device)

    def read(self, name: str) -> dict[str, Tensor]:
        """The tensors of one of the run's files, after its digest was checked."""
        content = storage.read_checked(self.path / name, self.manifest["files"][name])
        return storage.tensors_from_bytes(content, self.path / name)

    def verify(self) -> None:
        """Reads every file of the run. Raises DamagedFile for the first that is not as it was written."""
        for name, description in self.manifest["files"].items():
            storage.read_checked(self.path / name, description)

    def export(self, path: str | Path, steps: Iterable[int] | None = None, half: bool = False) -> Run:
        """A copy to ship: without the optimiser's moments, with these snapshots (default all) and the last one.

        half: store all snapshots but the last in float16.
        """
        if not self.finished:
            raise ValueError(f"{self.path} is at step {self.step} of {self.config.train.steps}; finish it before exporting it")
        last = self.steps[-1]
        contents = {TASK: storage.read_checked(self.path / TASK, self.manifest["files"][TASK])}
        contents[f"metrics-{self.step:08d}.json"] = storage.json_bytes(self._metrics)
        for step in sorted({last, *(self.steps if steps is None else steps)}):
            dtype = torch.float16 if half and step != last else torch.float32
            weights = {name: tensor.to(dtype) for name, tensor in self.weights(step).items()}
            contents[snapshot_name(step)] = storage.tensors_to_bytes(weights)
        with RunWriter(path, self.task, self.config) as writer:
            if writer.step is not None:
                raise ValueError(f"{path} already holds a run; export to a new folder")
            writer.commit(self.step, contents, versions=self.manifest["versions"])
        return Run.load(path)


class RunWriter:
    """Holds a run folder for writing: `with RunWriter(path, task, config) as writer`.

    Raises RunInUse if another process holds it, ValueError if it holds something else than this very run, DamagedFile
    if its run is damaged, OSError if it cannot be written. Nothing in the folder is changed by any of these.
    """

    def __init__(self, path: str | Path, task: Task, config: RunConfig) -> None:
        self.path = Path(path)
        self.task, self.config = task, config
        self._task_content = storage.tensors_to_bytes(_compact(task))
        self.run: Run | None = None
        self._stack = ExitStack()

    def __enter__(self) -> RunWriter:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._stack.enter_context(storage.exclusive(self.path))
        except OSError as error:
            raise type(error)(error.errno, f"cannot write a run there ({error.strerror}); choose another folder", str(self.path)) from None
        try:
            if (self.path / MANIFEST).exists():
                self.run = Run.load(self.path)
                self._require_same()
            else:
                self._require_ours()
            storage.remove_temporary_files(self.path)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def step(self) -> int | None:
        """Updates done by what is on disk; None if nothing is."""
        return None if self.run is None else self.run.step

    def state(self) -> tuple[dict[str, dict[str, Tensor]], Metrics]:
        """What was last saved, to resume from: {"weights": ..., "exp_avg": ..., "exp_avg_sq": ...} and the metrics."""
        name = _state_name(self.run.step)
        if name not in self.run.manifest["files"]:
            raise ValueError(f"{self.path} was exported without its optimiser state and cannot be trained on")
        groups: dict[str, dict[str, Tensor]] = {}
        for key, tensor in self.run.read(name).items():
            group, _, weight = key.partition("/")
            groups.setdefault(group, {})[weight] = tensor
        return groups, {name: list(column) for name, column in self.run._metrics.items()}

    def save(self, step: int, state: Mapping[str, Mapping[str, Tensor]], metrics: Metrics, snapshot: bool) -> None:
        """Puts everything known at `step` on disk; after it returns the process may die."""
        kept = {} if self.run is None else {n: d for n, d in self.run.manifest["files"].items() if n.startswith("snapshots/")}
        flat = {f"{group}/{name}": tensor for group, tensors in state.items() for name, tensor in tensors.items()}
        contents = {
            TASK: self._task_content,
            f"metrics-{step:08d}.json": storage.json_bytes(metrics),
            _state_name(step): storage.tensors_to_bytes(flat),
        }
        if snapshot:
            contents[snapshot_name(step)] = storage.tensors_to_bytes(state["weights"])
        self.commit(step, contents, kept)

    def commit(
        self,
        step: int,
        contents: Mapping[str, bytes],
        kept: Mapping[str, Mapping[str, Any]] | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        """Writes files, then the manifest that names them and those `kept`, then removes the ones it replaces."""
        before = {} if self.run is None else self.run.manifest["files"]
        files = {**(kept or {}), **{name: storage.describe(content) for name, content in contents.items()}}
        for name, content in contents.items():
            if before.get(name) != files[name]:
                storage.write_atomic(self.path / name, content)
        manifest = _manifest(self.task, self.config, step, files, versions or _versions())
        storage.write_atomic(self.path / MANIFEST, storage.manifest_to_bytes(manifest))
        for name in before.keys() - files.keys():
            (self.path / name).unlink(missing_ok=True)
        self.run = Run.load(self.path)

    def _require_same(self) -> None:
        stored, wanted = dict(self.run.manifest), _manifest(self.task, self.config, 0, {}, {})
        for part in ("task", "model", "train"):
            if stored[part] != wanted[part]:
                different = [key for key in wanted[part] if stored[part].get(key) != wanted[part][key]]
                changes = ", ".join(f"{key} = {stored[part].get(key)!r} there, {wanted[part][key]!r} here" for key in different)
                raise ValueError(f"{self.path} holds another run, whose {part} differs ({changes}); choose another folder")
        if stored["files"][TASK] != storage.describe(self._task_content):
            raise ValueError(f"{self.path} holds a run on other inputs, labels or training pairs; choose another folder")

    def _require_ours(self) -> None:
        """Without a manifest there may only be what a process that died before its first one has left."""
        own: tuple[Callable[[str], bool], ...] = (
            lambda name: name in (".lock", TASK, "snapshots"),
            lambda name: name.startswith((".", "metrics-", "state-")) and name.endswith((".tmp", ".json", ".safetensors")),
        )
        foreign = sorted(entry.name for entry in self.path.iterdir() if not any(test(entry.name) for test in own))
        if foreign:
            raise ValueError(f"{self.path} holds other files ({', '.join(foreign[:3])}) and no run; choose a new or empty folder")


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = storage.manifest_from_bytes(path.read_bytes(), path)
    if manifest.get("format") != FORMAT:
        raise ValueError(f"{path} has format {manifest.get('format')!r}, this version reads {FORMAT}; install the version that wrote it")
    return manifest


def _manifest(task: Task, config: RunConfig, step: int, files: Mapping, versions: Mapping[str, str]) -> dict[str, Any]:
    about = {
        "name": task.name,
        "params": dict(task.params),
        "n_classes": list(task.n_classes),
        "d_vocab": task.d_vocab,
        "grid": task.grid and list(task.grid),
    }
    body = {
        "format": FORMAT,
        "task": about,
        "model": config.model.to_json(),
        "train": config.train.to_json(),
        "step": step,
        "versions": dict(versions),
        "files": dict(sorted(files.items())),
    }
    return json.loads(json.dumps(body))  # as it will be read back: tuples become lists


def _state_name(step: int) -> str:
    return f"state-{step:08d}.safetensors"


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in ("interp-utils", "torch", "numpy")}}


def _compact(task: Task) -> dict[str, Tensor]:
    """The task's tensors in the smallest integer type that holds them."""

    def shrink(tensor: Tensor) -> Tensor:
        return tensor.to(torch.int16 if int(tensor.max()) < 2**15 else torch.int64)

    return {"tokens": shrink(task.tokens), "labels": shrink(task.labels), "train_mask": task.train_mask.to(torch.uint8)}
