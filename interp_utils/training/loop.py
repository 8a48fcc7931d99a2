"""The training loop: full-batch AdamW on a task, into a run folder that can always be resumed."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils import devices, models
from interp_utils.configs import ModelConfig, RunConfig, TrainConfig
from interp_utils.devices import Device
from interp_utils.runs.run import Metrics, Run, state_name
from interp_utils.runs.writer import RunWriter
from interp_utils.tasks import AnyTask
from interp_utils.training.filters import gradient_filter
from interp_utils.training.objectives import check, objective
from interp_utils.training.settings import deferred_interrupt, settings

SAVE_EVERY_SECONDS = 30.0


def train(
    task: AnyTask,
    model_config: ModelConfig | None = None,
    train_config: TrainConfig | None = None,
    *,
    out: str | Path,
    device: Device = None,
    progress: bool = True,
) -> Run:
    """Trains a model on a task in the folder `out`, resumes the unfinished run there, or returns
    the finished one.

    Configurations default to the public Grokking demo's. device None is a GPU where there is one.
    Ctrl-C saves and then raises KeyboardInterrupt; the same call goes on from there.
    Raises ValueError if `out` holds another run, RunInUse if another process is writing it, OSError
    if it cannot be written, FloatingPointError if the loss is no longer finite. What was saved
    before stays.
    """
    model_config = (model_config or ModelConfig()).for_task(task)
    config = RunConfig(model_config, train_config or TrainConfig())
    check(task, config)  # before there is a folder
    device = devices.resolve(device)
    with RunWriter(out, task, config) as writer:
        if writer.step != config.train.steps:
            with settings(config.train.deterministic):
                _train(writer, Trainer(task, config, device), task.name, progress)
    return Run.load(out)


def _train(writer: RunWriter, trainer: Trainer, name: str, progress: bool) -> None:
    config = trainer.config
    metrics: Metrics = {}
    if writer.step is not None:
        state, metrics = writer.state()
        try:
            trainer.load_state(writer.step, state, logged=max(metrics["step"], default=-1))
        except ValueError as error:
            raise ValueError(
                f"{writer.path / state_name(writer.step)}: {error}; train the run again in a new "
                "folder"
            ) from None
    log_steps, snapshot_steps = set(config.log_steps()), set(config.snapshot_steps())
    last_saved = time.monotonic()
    with (
        tqdm(
            total=config.steps, initial=trainer.step, disable=not progress, unit="step", desc=name
        ) as bar,
        deferred_interrupt() as interrupted,
    ):
        while True:
            step = trainer.step
            if step in log_steps and step not in metrics.get("step", []):
                trainer.take_losses(writer)
                earlier = len(metrics.get("step", []))
                row = {"step": step, **trainer.measure()}
                if row["train_loss"] is None:
                    trainer.refuse("training loss", step, writer)
                for column, value in row.items():
                    metrics.setdefault(column, [None] * earlier).append(
                        value
                    )  # a run from before it had this column
                shown = [
                    name
                    for name in row
                    if name.endswith("_loss")
                    and name != "highest_train_loss"
                    and row[name] is not None
                ]
                bar.set_postfix({name: f"{row[name]:.2e}" for name in shown}, refresh=False)
            done = step == config.steps
            if (
                done
                or step in snapshot_steps
                or interrupted()
                or time.monotonic() - last_saved > SAVE_EVERY_SECONDS
            ):
                if step != writer.step:
                    trainer.take_losses(writer)
                    trainer.require_finite(writer)
                    writer.save(step, trainer.state(), metrics, snapshot=step in snapshot_steps)
                last_saved = time.monotonic()
            if interrupted():
                raise KeyboardInterrupt(
                    f"stopped at step {step}, which is saved in {writer.path}; the same call goes "
                    "on from there"
                )
            if done:
                return
            trainer.update()
            bar.update()


class Trainer:
    """Weights, optimiser and step of a training in progress."""

    def __init__(self, task: AnyTask, config: RunConfig, device: torch.device) -> None:
        self.objective = objective(task, config, device)
        self.config = config.train
        self.step = 0
        self.losses: list[Tensor] = []  # of the updates since `take_losses`, still on the device
        self.logged, self.highest = (
            -1,
            -math.inf,
        )  # the last step with a row of metrics, and the highest loss of those since
        self.weights = {
            name: tensor.to(device) for name, tensor in models.initial_weights(config.model).items()
        }
        self.trained = {
            name: self.weights[name].requires_grad_() for name in models.trainable(config.model)
        }
        self.filter = gradient_filter(self.config, self.trained)
        self.optimizer = torch.optim.AdamW(
            self.trained.values(),
            lr=self.config.lr,
            betas=self.config.betas,
            eps=self.config.eps,
            weight_decay=self.config.weight_decay,
            fused=True,
        )

    def update(self) -> None:
        warmup = min(self.step / self.config.warmup_steps, 1.0) if self.config.warmup_steps else 1.0
        self.optimizer.param_groups[0]["lr"] = self.config.lr * warmup
        self.optimizer.zero_grad()
        loss = self.objective.loss(self.weights, self.step)
        loss.backward()
        self.losses.append(loss.detach())
        self.filter.apply(self.step, {name: weight.grad for name, weight in self.trained.items()})
        self.optimizer.step()
        self.step += 1

    def take_losses(self, writer: RunWriter) -> None:
        """Reads the losses of the updates since the last time in one transfer, so that none of them
        goes unseen.
        """
        losses = torch.stack(self.losses).tolist() if self.losses else []
        self.losses.clear()
        for step, loss in enumerate(losses, self.step - len(losses)):
            if not math.isfinite(loss):
                self.refuse("training loss", step, writer)
            if step != self.logged:  # that row has it
                self.highest = max(self.highest, loss)  # NaN, unknown, stays NaN in this order

    @torch.no_grad()
    def measure(self) -> dict[str, float | None]:
        """A row of metrics, None for what is not finite. The highest loss starts anew."""
        row = self.objective.measure(self.weights, self.step)
        row["sum_squared_weights"] = sum(
            weight.double().square().sum() for weight in self.trained.values()
        )
        values = torch.stack(list(row.values())).tolist()  # one synchronisation, not one each
        row = dict(zip(row, values, strict=True))
        row["highest_train_loss"] = max(self.highest, row["train_loss"])
        self.logged, self.highest = self.step, -math.inf
        return {name: value if math.isfinite(value) else None for name, value in row.items()}

    def require_finite(self, writer: RunWriter) -> None:
        """Before a save, so that it never replaces a good state by a broken one."""
        if not all(weight.isfinite().all() for weight in self.trained.values()):
            self.refuse("state of the weights", self.step, writer)

    def refuse(self, what: str, step: int, writer: RunWriter) -> NoReturn:
        raise not_finite(what, step, writer)

    def state(self) -> dict[str, dict[str, Tensor]]:
        moments = {
            name: self.optimizer.state.get(weight, {}) for name, weight in self.trained.items()
        }
        return {
            "weights": self.weights,
            **{
                moment: {
                    name: state.get(moment, torch.zeros_like(self.trained[name]))
                    for name, state in moments.items()
                }
                for moment in ("exp_avg", "exp_avg_sq")
            },
            **self.filter.state,
            "highest": {"train_loss": torch.tensor(self.highest, dtype=torch.float64)},
        }

    @torch.no_grad()
    def load_state(self, step: int, state: dict[str, dict[str, Tensor]], logged: int) -> None:
        """Raises ValueError where the state is not one of this model."""
        unknown = torch.tensor(
            -math.inf if step == logged else math.nan
        )  # until the next row, in a state from before it was kept
        state = {"highest": {"train_loss": unknown}, **state}
        if _shapes(state) != _shapes(self.state()):
            raise ValueError("this state is not one of this model")
        self.step, self.logged, self.highest = step, logged, state["highest"]["train_loss"].item()
        for name, weight in self.weights.items():
            weight.copy_(state["weights"][name])
        for group, tensors in self.filter.state.items():
            for name, tensor in tensors.items():
                tensor.copy_(state[group][name])
        for name, weight in self.trained.items():
            self.optimizer.state[weight] = {
                "step": torch.tensor(float(step), device=weight.device),
                **{
                    moment: state[moment][name].to(weight.device)
                    for moment in ("exp_avg", "exp_avg_sq")
                },
            }


def not_finite(what: str, step: int, writer: RunWriter) -> FloatingPointError:
    return FloatingPointError(
        f"the {what} is not finite at step {step}; the run in {writer.path} is kept as of step "
        f"{writer.step}. "
        f"Try a lower learning rate than {writer.config.train.lr}"
    )


def _shapes(state: dict[str, dict[str, Tensor]]) -> dict[str, dict[str, torch.Size]]:
    return {
        group: {name: tensor.shape for name, tensor in tensors.items()}
        for group, tensors in state.items()
    }
