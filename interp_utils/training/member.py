"""One of the trainings that a loop runs at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from interp_utils.configs import RunConfig
from interp_utils.runs.metrics import Metrics
from interp_utils.runs.writer import RunWriter
from interp_utils.tasks import AnyTask
from interp_utils.training.filters import State

Row = dict[str, int | float | None]
# Groups of a stored state: the highest loss since the last row, and the time of all updates.
HIGHEST, SECONDS = "highest", "seconds"


@dataclass(eq=False)
class Member:
    """What is trained, what has been logged, and why the training stopped before its last step."""

    task: AnyTask
    config: RunConfig
    writer: RunWriter
    metrics: Metrics = field(default_factory=dict)
    highest: float = -math.inf  # loss of the updates since the last row
    seconds: float = 0.0  # time of all updates; a share of it where members were computed together
    error: str | None = None
    start: State | None = None  # in place of initial weights, in a training with an origin

    @property
    def row(self) -> Row:
        """The last row of metrics."""
        return {column: values[-1] for column, values in self.metrics.items()}

    @property
    def logged(self) -> int:
        """The last step with a row of metrics; -1 before there is one."""
        steps = self.metrics.get("step", [])
        return steps[-1] if steps else -1

    def stop(self, what: str, step: int) -> None:
        self.error = self.error or (
            f"the {what} is not finite at step {step}; the run in {self.writer.path} is kept as of "
            f"step {self.writer.step}. Try a lower learning rate than {self.config.train.lr}"
        )

    def see(self, loss: float, step: int) -> None:
        """Notes a training loss from an update or from a row of metrics."""
        if not math.isfinite(loss):
            self.stop("training loss", step)
        self.highest = max(self.highest, loss)  # NaN, unknown, stays NaN in this order

    def log(self, step: int, row: dict[str, float]) -> None:
        self.see(row["train_loss"], step)
        row = {"step": step, **row, "highest_train_loss": self.highest, "seconds": self.seconds}
        earlier = len(self.metrics.get("step", []))
        for column, value in row.items():
            # a run from before this column was added has no values in it
            values = self.metrics.setdefault(column, [None] * earlier)
            values.append(value if math.isfinite(value) else None)
        self.highest = -math.inf

    def resume(self, metrics: Metrics, state: State) -> None:
        """Takes over what was last saved, and removes its own groups from the state. What an
        earlier version did not record is unknown: the highest loss until the next row, the seconds
        for ever. Raises ValueError where a group is not one number.
        """
        self.metrics = metrics
        unknown = -math.inf if self.writer.step == self.logged else math.nan
        self.highest = _number(state.pop(HIGHEST, None), "train_loss", unknown)
        self.seconds = _number(state.pop(SECONDS, None), "updates", math.nan)

    def save(self, step: int, state: State, snapshot: bool) -> None:
        own = {HIGHEST: {"train_loss": self.highest}, SECONDS: {"updates": self.seconds}}
        numbers = {
            group: {name: torch.tensor(value, dtype=torch.float64) for name, value in each.items()}
            for group, each in own.items()
        }
        self.writer.save(step, {**state, **numbers}, self.metrics, snapshot)


def _number(group: Mapping[str, Tensor] | None, name: str, missing: float) -> float:
    """The one number that a group of a stored state has."""
    if group is None:
        return missing
    if group.keys() != {name} or group[name].numel() != 1:
        shapes = {key: tuple(value.shape) for key, value in group.items()}
        raise ValueError(
            f"the stored state must have one number {name!r} here, got tensors of the shapes "
            f"{shapes}: the run's state is damaged, so train it again in a new folder"
        )
    return group[name].item()
