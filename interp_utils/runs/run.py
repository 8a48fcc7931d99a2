"""Run: what a training leaves on disk. `writer` writes it, and `manifest` describes its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from interp_utils import models
from interp_utils.configs import FamilyConfig, RunConfig, TrainConfig
from interp_utils.devices import Device
from interp_utils.models.cached import CachedModel
from interp_utils.runs import storage, summary
from interp_utils.runs.manifest import (
    MANIFEST,
    TASK,
    UNKNOWN,
    WRONG,
    metrics_name,
    not_known,
    read_manifest,
    snapshot_name,
    state_name,
)
from interp_utils.runs.metrics import Metrics, metrics_from_bytes
from interp_utils.runs.origin import Origin
from interp_utils.runs.storage import DamagedFile
from interp_utils.tasks import AnyTask, restore

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A training on disk, finished or not. Every file's digest is checked when it is read."""

    path: Path
    manifest: Mapping[str, Any]
    raw_metrics: Metrics

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """The run in a folder. Raises FileNotFoundError where there is none, DamagedFile where the
        run is not as it was written, another ValueError where a version that knows more wrote it.
        """
        path = Path(path)
        if not (path / MANIFEST).is_file():
            raise FileNotFoundError(f"there is no run in {path.resolve()}: it has no {MANIFEST}")
        for last_try in (False, False, True):
            manifest = read_manifest(path / MANIFEST)
            name = metrics_name(manifest["step"])
            try:
                metrics = metrics_from_bytes(
                    storage.read_checked(path / name, manifest["files"][name]),
                    path / name,
                    manifest["step"],
                )
                break
            except DamagedFile:  # perhaps a training has saved since, and replaced the file
                if last_try:
                    raise
        return cls(path, manifest, metrics)

    @classmethod
    def from_checkpoints(
        cls,
        checkpoints: Mapping[int, Any] | Sequence[Any],
        task: AnyTask,
        config: FamilyConfig | None = None,
        *,
        out: str | Path,
        **options: Any,
    ) -> Run:
        """A run of checkpoints that were trained elsewhere, written to the folder `out`. Every
        checkpoint is a snapshot, and metrics are measured on the task: trajectories, milestones and
        forks work as on any other run.

        checkpoints: {step: weights}, or a list of weights with their `steps=`. Weights are as for
            `models.from_weights`.
        config: the model's; None reads the sizes off the last checkpoint (`models.config_of`) and
            assumes ReLU, causal attention and no normalization without weights.
        options: steps; token_order, class_order and orientation, as for `models.from_weights`;
            device and progress.
        Raises ValueError, naming the step, where a checkpoint does not fit, and writes nothing.
        """
        from interp_utils.runs.imported import from_checkpoints

        return from_checkpoints(checkpoints, task, config, out=out, **options)

    def __repr__(self) -> str:
        return summary.in_a_line(self)

    def _repr_html_(self) -> str:
        """What Jupyter shows."""
        return summary.as_table(self)

    @cached_property
    def config(self) -> RunConfig:
        return RunConfig(
            models.config_from_json(self.manifest["model"]),
            TrainConfig.from_json(self.manifest["train"]),
        )

    @cached_property
    def task(self) -> AnyTask:
        """The run's task. Raises UnknownKind where its kind is from another version, or from a
        module that was not imported; DamagedFile where it does not fit its description.
        """
        tensors = self.read(TASK)
        try:
            task = restore(self.manifest["task"], tensors)
            self.config.model.for_task(task)  # raises where the model does not fit the task
        except UNKNOWN as error:
            raise not_known(self.path / MANIFEST, error, self.manifest) from None
        except WRONG as error:
            raise DamagedFile(
                self.path / TASK, f"does not fit its description in {MANIFEST} ({error})"
            ) from None
        return task

    @property
    def metrics(self) -> pd.DataFrame:
        """One row per logged step: step, train_loss, test_loss (nats), train_accuracy,
        test_accuracy, sum_squared_weights, highest_train_loss (nats; the highest of this step and
        of those since the row before), seconds. NaN where a number was not recorded.

        Seconds are the time that the run's updates took so far, without measuring and saving, on
        all machines that trained it. Runs that `train_many` computes together share the time in
        equal parts, and a fork's seconds begin at its first step.

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

    @cached_property
    def origin(self) -> Origin | None:
        """Where the training started; None for initial weights of its own."""
        origin = self.manifest.get("origin")
        return None if origin is None else Origin.from_json(origin)

    @property
    def has_state(self) -> bool:
        """Whether the run has the optimiser's state of the last save, so that it can be resumed."""
        return state_name(self.step) in self.manifest["files"]

    def state(self) -> dict[str, dict[str, Tensor]]:
        """What a training resumes from, as last saved: {"weights": ..., "exp_avg": ..., ...}.

        Raises ValueError for a run that was exported without its state.
        """
        name = state_name(self.step)
        if not self.has_state:
            raise ValueError(
                f"{self.path} was exported without its optimiser state, {name}, and cannot be "
                "trained on; interp_utils.fork starts another run from its weights"
            )
        groups: dict[str, dict[str, Tensor]] = {}
        for key, tensor in self.read(name).items():
            group, _, weight = key.partition("/")
            groups.setdefault(group, {})[weight] = tensor
        return groups

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

    def model(self, step: int | None = None, device: Device = None) -> nn.Module:
        """A model with the weights of a snapshot, by default of the last: a HookedTransformer, or
        what the run's family builds. device None is a GPU where there is one.
        """
        return models.build(self.config.model, self.weights(step), device)

    def cached(self, step: int | None = None, device: Device = None) -> CachedModel:
        """The model of a snapshot, by default the last, with the run's task, to look inside.

        Raises what `model` and `CachedModel` raise.
        """
        return CachedModel(self.model(step, device), self.task)

    def read(self, name: str) -> dict[str, Tensor]:
        """The tensors of one of the run's files. Its digest is checked first."""
        content = storage.read_checked(self.path / name, self.manifest["files"][name])
        return storage.tensors_from_bytes(content, self.path / name)

    def verify(self) -> None:
        """Reads every file of the run. Raises DamagedFile for the first that is not as it was
        written.
        """
        for name, description in self.manifest["files"].items():
            storage.read_checked(self.path / name, description)
