"""What a step minimises and what is measured: for tasks with finitely many inputs, and for those that draw fresh ones."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from interp_utils.configs import RunConfig
from interp_utils.losses import LOSSES
from interp_utils.tasks import AnyTask, Sequences, StreamTask, Task
from interp_utils.training.forward import Weights, logits_fn, sequence_logits_fn


@runtime_checkable
class Objective(Protocol):
    def loss(self, weights: Weights, step: int) -> Tensor:
        """The mean loss that this step's update follows, in nats."""

    def measure(self, weights: Weights, step: int) -> dict[str, Tensor]:
        """A row of metrics, as float64 scalars on the device: the training loss under "train_loss"."""


def check(task: AnyTask, config: RunConfig) -> None:
    """Raises ValueError where a task and a configuration do not go together, or the task has several labels per input."""
    batch_size = config.train.batch_size
    if isinstance(task, StreamTask):
        if batch_size is None:
            raise ValueError(f"{task.name} draws fresh inputs at every step: set TrainConfig.batch_size, e.g. to 128")
        if config.model.attention != "causal":
            raise ValueError(f"bidirectional attention reads {task.name}'s answers in its inputs: leave ModelConfig.attention causal")
    elif batch_size is not None:
        raise ValueError(f"{task.name} is trained on all its training inputs at once: leave TrainConfig.batch_size None, got {batch_size}")
    elif task.labels.ndim != 1:
        raise ValueError(f"train reads one label per input, {task.name} has {task.labels.shape[1]}")


def objective(task: AnyTask, config: RunConfig, device: torch.device) -> Objective:
    check(task, config)
    return _FreshBatches(task, config, device) if isinstance(task, StreamTask) else _FullBatch(task, config, device)


class _FullBatch:
    def __init__(self, task: Task, config: RunConfig, device: torch.device) -> None:
        self.task = task.to(device)
        self.loss_fn = LOSSES[config.train.loss]
        self.train_labels = self.task.labels[self.task.train_mask]
        self.train_logits = logits_fn(config.model, self.task.tokens[self.task.train_mask], config.train.forward)
        self.all_logits = logits_fn(config.model, self.task.tokens, config.train.forward)

    def loss(self, weights: Weights, step: int) -> Tensor:
        return self.loss_fn(self.train_logits(weights), self.train_labels).mean()

    def measure(self, weights: Weights, step: int) -> dict[str, Tensor]:
        logits, task = self.all_logits(weights), self.task
        losses, right = self.loss_fn(logits, task.labels).double(), (logits.argmax(-1) == task.labels).double()
        train, test = task.train_mask, task.test_mask
        return {
            "train_loss": losses[train].mean(),
            "test_loss": losses[test].mean(),
            "train_accuracy": right[train].mean(),
            "test_accuracy": right[test].mean(),
        }


class _FreshBatches:
    """The training loss of a row is that of the batch its step is about to learn from, which it has not seen."""

    def __init__(self, task: StreamTask, config: RunConfig, device: torch.device) -> None:
        self.task, self.size, self.device = task, config.train.batch_size, device
        self.loss_fn = LOSSES[config.train.loss]
        self.logits = sequence_logits_fn(config.model, config.train.forward, device)

    def loss(self, weights: Weights, step: int) -> Tensor:
        return self._answers(weights, self.task.batch(step, self.size))[0].mean()

    def measure(self, weights: Weights, step: int) -> dict[str, Tensor]:
        row = {}
        for name, sequences in (("train", self.task.batch(step, self.size)), ("validation", self.task.validation)):
            losses, right, asked = self._answers(weights, sequences)
            wrong = torch.zeros(asked.shape, dtype=torch.bool, device=self.device)
            wrong[asked] = ~right
            row[f"{name}_loss"] = losses.double().mean()
            row[f"{name}_accuracy"] = 1 - wrong.any(1).double().mean()
            row[f"{name}_token_accuracy"] = right.double().mean()
        return row

    def _answers(self, weights: Weights, sequences: Sequences) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, and whether the top logit is right, of each answer; the mask of answers in the sequences."""
        sequences = sequences.to(self.device)
        asked = sequences.asked
        logits, labels = self.logits(weights, sequences.tokens, asked), sequences.labels[asked]
        return self.loss_fn(logits, labels), logits.argmax(-1) == labels, asked
