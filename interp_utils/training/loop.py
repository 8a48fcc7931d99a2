"""The training loop: full-batch AdamW on a task, into a run folder that can always be resumed."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils import models
from interp_utils.configs import ModelConfig, RunConfig, TrainConfig
from interp_utils.run_writer import RunWriter
from interp_utils.runs import Metrics, Run
from interp_utils.tasks import AnyTask
from interp_utils.training.memory import reuse_large_buffers
from interp_utils.training.objectives import objective

SAVE_EVERY_SECONDS = 30.0


def train(
    task: AnyTask,
    model_config: ModelConfig | None = None,
    train_config: TrainConfig | None = None,
    *,
    out: str | Path,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> Run:
    """Trains a model on a task in the folder `out`, resumes the unfinished run there, or returns the finished one.

    Configurations default to the public Grokking demo's. device None is a GPU where there is one. Ctrl-C saves and then
    raises KeyboardInterrupt; the same call goes on from there.
    Raises ValueError if `out` holds another run, RunInUse if another process is writing it, FloatingPointError if the
    loss is no longer finite.
    """
    model_config = (model_config or ModelConfig()).for_task(task)
    config = RunConfig(model_config, train_config or TrainConfig())
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    with RunWriter(out, task, config) as writer:
        if writer.step != config.train.steps:
            with deterministic(config.train.deterministic), reuse_large_buffers():
                _train(writer, Trainer(task, config, device), task.name, progress)
    return Run.load(out)


def _train(writer: RunWriter, trainer: Trainer, name: str, progress: bool) -> None:
    config = trainer.config
    metrics: Metrics = {}
    if writer.step is not None:
        state, metrics = writer.state()
        trainer.load_state(writer.step, state)
    log_steps, snapshot_steps = set(config.log_steps()), set(config.snapshot_steps())
    last_saved = time.monotonic()
    with (
        tqdm(total=config.steps, initial=trainer.step, disable=not progress, unit="step", desc=name) as bar,
        _deferred_interrupt() as interrupted,
    ):
        while True:
            step = trainer.step
            if step in log_steps and step not in metrics.get("step", []):
                row = {"step": step, **trainer.measure()}
                if row["train_loss"] is None:
                    trainer.refuse("training loss", writer)
                for column, value in row.items():
                    metrics.setdefault(column, []).append(value)
                losses = {column: f"{value:.2e}" for column, value in row.items() if column.endswith("_loss") and value is not None}
                bar.set_postfix(losses, refresh=False)
            done = step == config.steps
            if done or step in snapshot_steps or interrupted() or time.monotonic() - last_saved > SAVE_EVERY_SECONDS:
                if step != writer.step:
                    trainer.require_finite(writer)
                    writer.save(step, trainer.state(), metrics, snapshot=step in snapshot_steps)
                last_saved = time.monotonic()
            if interrupted():
                raise KeyboardInterrupt(f"stopped at step {step}, which is saved in {writer.path}; the same call goes on from there")
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
        self.weights = {name: tensor.to(device) for name, tensor in models.initial_weights(config.model).items()}
        self.trained = {name: self.weights[name].requires_grad_() for name in models.trainable(config.model)}
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
        self.objective.loss(self.weights, self.step).backward()
        self.optimizer.step()
        self.step += 1

    @torch.no_grad()
    def measure(self) -> dict[str, float | None]:
        row = self.objective.measure(self.weights, self.step)
        row["sum_squared_weights"] = sum(weight.double().square().sum() for weight in self.trained.values())
        values = torch.stack(list(row.values())).tolist()  # one synchronisation, not one each
        return {name: value if abs(value) < float("inf") else None for name, value in zip(row, values, strict=True)}

    def require_finite(self, writer: RunWriter) -> None:
        """Before a save, so that it never replaces a good state by a broken one."""
        if not all(weight.isfinite().all() for weight in self.trained.values()):
            self.refuse("state of the weights", writer)

    def refuse(self, what: str, writer: RunWriter) -> NoReturn:
        raise FloatingPointError(
            f"the {what} is not finite at step {self.step}; the run in {writer.path} is kept as of step {writer.step}. "
            f"Try a lower learning rate than {self.config.lr}"
        )

    def state(self) -> dict[str, dict[str, Tensor]]:
        moments = {name: self.optimizer.state.get(weight, {}) for name, weight in self.trained.items()}
        return {
            "weights": self.weights,
            **{
                moment: {name: state.get(moment, torch.zeros_like(self.trained[name])) for name, state in moments.items()}
                for moment in ("exp_avg", "exp_avg_sq")
            },
        }

    @torch.no_grad()
    def load_state(self, step: int, state: dict[str, dict[str, Tensor]]) -> None:
        self.step = step
        for name, weight in self.weights.items():
            weight.copy_(state["weights"][name])
        for name, weight in self.trained.items():
            self.optimizer.state[weight] = {
                "step": torch.tensor(float(step), device=weight.device),
                **{moment: state[moment][name].to(weight.device) for moment in ("exp_avg", "exp_avg_sq")},
            }


@contextlib.contextmanager
def deterministic(on: bool) -> Iterator[None]:
    """Bitwise reproducible kernels, and whatever was set before afterwards."""
    before, before_warn = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    before_fill = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(on or before)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads any, and filling every buffer takes time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=before_warn)
        torch.utils.deterministic.fill_uninitialized_memory = before_fill


@contextlib.contextmanager
def _deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C waits for the end of a step, so that what is saved is a whole one. A second Ctrl-C does not wait."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        yield lambda: False
        return

    def handler(number: int, frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield lambda: bool(received)
    finally:
        signal.signal(signal.SIGINT, before)
