"""One training among those that a loop does at once."""

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
HIGHEST = "highest"  # the group of a stored state that has the highest loss since the last row


@dataclass(eq=False)
class Member:
    """What is trained, what has been logged of it, and why it has stopped before its last step."""

    task: AnyTask
    config: RunConfig
    writer: RunWriter
    metrics: Metrics = field(default_factory=dict)
    highest: float = -math.inf  # loss of the updates since the last row
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
        """Takes note of the training loss that an update found, or a row of metrics."""
        if not math.isfinite(loss):
            self.stop("training loss", step)
        self.highest = max(self.highest, loss)  # NaN, unknown, stays NaN in this order

    def log(self, step: int, row: dict[str, float]) -> None:
        self.see(row["train_loss"], step)
        row = {"step": step, **row, "highest_train_loss": self.highest}
        earlier = len(self.metrics.get("step", []))
        for column, value in row.items():
            # a run from before there was this column has no values in it
            values = self.metrics.setdefault(column, [None] * earlier)
            values.append(value if math.isfinite(value) else None)
        self.highest = -math.inf

    def resume(self, metrics: Metrics, highest: Mapping[str, Tensor] | None) -> None:
        """Takes over what was last saved. Raises ValueError where that is no highest loss."""
        self.metrics = metrics
        if highest is None:  # a state from before it was kept: unknown until the next row
            self.highest = -math.inf if self.writer.step == self.logged else math.nan
        elif highest.keys() == {"train_loss"} and highest["train_loss"].numel() == 1:
            self.highest = highest["train_loss"].item()
        else:
            raise ValueError("the highest loss is not one number")

    def save(self, step: int, state: State, snapshot: bool) -> None:
        highest = {"train_loss": torch.tensor(self.highest, dtype=torch.float64)}
        self.writer.save(step, {**state, HIGHEST: highest}, self.metrics, snapshot)
