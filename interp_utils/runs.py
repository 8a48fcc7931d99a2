"""Run: what a training leaves on disk. `run_writer` puts it there.

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
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from interp_utils import models, storage
from interp_utils.configs import ModelConfig, RunConfig, TrainConfig
from interp_utils.storage import DamagedFile
from interp_utils.tasks import AnyTask, restore

if TYPE_CHECKING:
    import pandas as pd
    from transformer_lens import HookedTransformer

FORMAT = 1
MANIFEST = "run.json"
TASK = "task.safetensors"
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
        """Raises FileNotFoundError where there is no run, DamagedFile where it is not as it was written."""
        path = Path(path)
        if not (path / MANIFEST).is_file():
            raise FileNotFoundError(f"there is no run in {path.resolve()}: it has no {MANIFEST}")
        for last_try in (False, False, True):
            manifest = _read_manifest(path / MANIFEST)
            name = metrics_name(manifest["step"])
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
    def task(self) -> AnyTask:
        """Raises DamagedFile where the stored task and what its description makes are not the same."""
        try:
            return restore(self.manifest["task"], self.read(TASK))
        except ValueError as error:
            raise DamagedFile(self.path / TASK, str(error)) from None

    @property
    def metrics(self) -> pd.DataFrame:
        """One row per logged step: step, train_loss, test_loss (nats), train_accuracy, test_accuracy, sum_squared_weights."""
        import pandas as pd

        return pd.DataFrame({name: pd.array(column) for name, column in self.raw_metrics.items()}).astype(
            {name: "int64" if name == "step" else "float64" for name in self.raw_metrics}
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


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = storage.manifest_from_bytes(path.read_bytes(), path)
    if manifest.get("format") != FORMAT:
        raise ValueError(f"{path} has format {manifest.get('format')!r}, this version reads {FORMAT}; install the version that wrote it")
    return manifest
