"""Run: what a training leaves on disk. `writer` puts it there.

    run.json                      the manifest: configurations, step, versions, size and sha256 of
    every other file task.safetensors              every input, label and the train mask
    metrics-<step>.json           one row per logged step
    snapshots/<step>.safetensors  weights under HookedTransformer's names
    state-<step>.safetensors      weights and optimiser moments, to resume from (absent in a run
    that ships)

A save writes new files first and the manifest last, by rename: whenever the process dies, the
manifest on disk describes files that are there.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from interp_utils import models
from interp_utils.configs import ModelConfig, RunConfig, TrainConfig
from interp_utils.devices import Device
from interp_utils.runs import storage
from interp_utils.runs.storage import DamagedFile
from interp_utils.tasks import AnyTask, restore

if TYPE_CHECKING:
    import pandas as pd
    from transformer_lens import HookedTransformer

FORMAT = 1
MANIFEST = "run.json"
TASK = "task.safetensors"
WRONG = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)  # what a value of another kind leads to
Metrics = dict[str, list[int | float | None]]


def snapshot_name(step: int) -> str:
    return f"snapshots/{step:08d}.safetensors"


def metrics_name(step: int) -> str:
    return f"metrics-{step:08d}.json"


def state_name(step: int) -> str:
    return f"state-{step:08d}.safetensors"


@dataclass(frozen=True, eq=False)
class Run:
    """A training on disk, finished or not. Every file's digest is checked when it is read."""

    path: Path
    manifest: Mapping[str, Any]
    raw_metrics: Metrics

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """Raises FileNotFoundError where there is no run, DamagedFile where it is not as it was
        written.
        """
        path = Path(path)
        if not (path / MANIFEST).is_file():
            raise FileNotFoundError(f"there is no run in {path.resolve()}: it has no {MANIFEST}")
        for last_try in (False, False, True):
            manifest = _read_manifest(path / MANIFEST)
            name = metrics_name(manifest["step"])
            try:
                metrics = _metrics(
                    storage.read_checked(path / name, manifest["files"][name]),
                    path / name,
                    manifest["step"],
                )
                break
            except DamagedFile:  # or a training has saved in between, and the file has a successor
                if last_try:
                    raise
        return cls(path, manifest, metrics)

    @cached_property
    def config(self) -> RunConfig:
        return RunConfig(
            ModelConfig.from_json(self.manifest["model"]),
            TrainConfig.from_json(self.manifest["train"]),
        )

    @cached_property
    def task(self) -> AnyTask:
        """Raises DamagedFile where the stored task and what its description makes are not the "
        "same."""
        tensors = self.read(TASK)
        try:
            task = restore(self.manifest["task"], tensors)
            self.config.model.for_task(task)  # raises where the model is not one for this task
        except WRONG as error:
            raise DamagedFile(
                self.path / TASK, f"does not fit its description in {MANIFEST} ({error})"
            ) from None
        return task

    @property
    def metrics(self) -> pd.DataFrame:
        """One row per logged step: step, train_loss, test_loss (nats), train_accuracy,
        test_accuracy, sum_squared_weights, highest_train_loss (nats; the highest of this step and
        those since the row before; NaN where it was not recorded).

        Sequence tasks have validation_loss, validation_accuracy and the accuracies per token
        instead of the test columns.
        """
        import pandas as pd

        return pd.DataFrame(
            {name: pd.array(column) for name, column in self.raw_metrics.items()}
        ).astype({name: "int64" if name == "step" else "float64" for name in self.raw_metrics})

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
        return sorted(
            int(Path(name).stem) for name in self.manifest["files"] if name.startswith("snapshots/")
        )

    def weights(self, step: int | None = None) -> dict[str, Tensor]:
        """The weights at a snapshot in float32, under HookedTransformer's names; default: the last
        snapshot.
        """
        if not self.steps:
            raise ValueError(
                f"{self.path} has no snapshot yet; it is at step {self.step} of "
                f"{self.config.train.steps}"
            )
        step = self.steps[-1] if step is None else step
        if step not in self.steps:
            nearest = min(self.steps, key=lambda other: abs(other - step))
            raise ValueError(
                f"{self.path} has no snapshot of step {step}; the nearest is {nearest}, all are "
                "in .steps"
            )
        weights = {name: tensor.float() for name, tensor in self.read(snapshot_name(step)).items()}
        try:
            models.check_weights(weights, models.weight_shapes(self.config.model))
        except ValueError as error:
            raise DamagedFile(self.path / snapshot_name(step), str(error)) from None
        return weights

    def model(self, step: int | None = None, device: Device = None) -> HookedTransformer:
        """A HookedTransformer with the weights of a snapshot; default: the last. device None is a
        GPU where there is one.
        """
        return models.build(self.config.model, self.weights(step), device)

    def read(self, name: str) -> dict[str, Tensor]:
        """The tensors of one of the run's files, after its digest was checked."""
        content = storage.read_checked(self.path / name, self.manifest["files"][name])
        return storage.tensors_from_bytes(content, self.path / name)

    def verify(self) -> None:
        """Reads every file of the run. Raises DamagedFile for the first that is not as it was
        written.
        """
        for name, description in self.manifest["files"].items():
            storage.read_checked(self.path / name, description)


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = storage.manifest_from_bytes(path.read_bytes(), path)
    if manifest.get("format") != FORMAT:
        raise ValueError(
            f"{path} has format {manifest.get('format')!r}, this version reads {FORMAT}; install "
            "the version that wrote it"
        )
    try:
        _check_manifest(manifest)
    except WRONG as error:
        raise DamagedFile(path, f"not a run's manifest: {error}") from None
    return manifest


def _check_manifest(manifest: Mapping[str, Any]) -> None:
    """Raises ValueError, or another of WRONG, unless every entry is what it is in a run.

    Its names are paths that are read, written and deleted: only those of a run's own files pass.
    """
    kinds = {
        "format": int,
        "task": dict,
        "model": dict,
        "train": dict,
        "step": int,
        "versions": dict,
        "files": dict,
    }
    found = {key: type(value) for key, value in manifest.items()}
    if found != kinds:
        wrong = sorted(
            key for key in kinds.keys() | found.keys() if kinds.get(key) is not found.get(key)
        )
        raise ValueError(
            f"these entries are missing, unknown or of another type: {', '.join(wrong)}"
        )
    model, train = (
        ModelConfig.from_json(manifest["model"]),
        TrainConfig.from_json(manifest["train"]),
    )
    step, files, task = manifest["step"], manifest["files"], manifest["task"]
    if not 0 <= step <= train.steps:
        raise ValueError(f"its step {step} is not in 0 .. {train.steps}")
    required, optional = {TASK, metrics_name(step)}, {state_name(step)}
    if step == train.steps:  # or `model()` would be an earlier one
        required.add(snapshot_name(step))
    snapshots = {
        name: re.fullmatch(r"snapshots/([0-9]{8,})\.safetensors", name)
        for name in files.keys() - required - optional
    }
    foreign = sorted(
        n
        for n, m in snapshots.items()
        if not m or n != snapshot_name(int(m[1])) or int(m[1]) > step
    )
    if foreign or required - files.keys():
        raise ValueError(
            f"files missing: {sorted(required - files.keys())}, not those of a run at step "
            f"{step}: {foreign}"
        )
    for name, description in files.items():
        if {key: type(value) for key, value in description.items()} != {
            "bytes": int,
            "sha256": str,
        }:
            raise ValueError(f"{name} is not described by its bytes and sha256")
    if model.n_layers > sum(description["bytes"] for description in files.values()):
        raise ValueError(f"a model of {model.n_layers} layers does not fit into its files")
    a, b = (0, 0) if task.get("grid") is None else task["grid"]
    sizes = (*task.get("n_classes", ()), a, b, task.get("d_vocab", 0))
    if (
        type(task.get("name")) is not str
        or type(task.get("params")) is not dict
        or any(type(size) is not int for size in sizes)
    ):
        raise ValueError("its task is not described by name, params and sizes")


def _metrics(content: bytes, path: Path, last_step: int) -> Metrics:
    """Raises DamagedFile unless it is a table whose rows are ascending steps."""
    try:
        table = json.loads(content)
        steps, columns = (
            table["step"],
            {name: column for name, column in table.items() if name != "step"},
        )
        whole = (
            all(type(step) is int and 0 <= step <= last_step for step in steps)
            and all(one < next_one for one, next_one in itertools.pairwise(steps))
            and all(type(column) is list and len(column) == len(steps) for column in table.values())
            and all(
                value is None or (type(value) is float and math.isfinite(value))
                for column in columns.values()
                for value in column
            )
        )
    except WRONG:
        whole = False
    if not whole:
        raise DamagedFile(
            path,
            f"not a table of equally long columns, one of them ascending steps up to {last_step}",
        )
    return table
