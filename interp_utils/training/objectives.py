"""What a step minimises and what is measured: for tasks with finitely many inputs, and for those
that draw fresh ones.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from interp_utils.configs import RunConfig
from interp_utils.losses import LOSSES, predictions
from interp_utils.models import Weights, logits_fn, sequence_logits_fn, takes_tables
from interp_utils.tasks import AnyTask, Sequences, StreamTask, Task


@runtime_checkable
class Objective(Protocol):
    def loss(self, weights: Weights, step: int) -> Tensor:
        """The mean loss that this step's update follows, in nats."""

    def measure(self, weights: Weights, step: int) -> dict[str, Tensor]:
        """A row of metrics, as float64 scalars on the device: the training loss under "
        ""train_loss"."""


def check(task: AnyTask, config: RunConfig) -> None:
    """Raises ValueError where a task and a configuration do not go together."""
    batch_size = config.train.batch_size
    if isinstance(task, StreamTask):
        if batch_size is None:
            raise ValueError(
                f"{task.name} draws fresh inputs at every step: set TrainConfig.batch_size, e.g. "
                "to 128"
            )
        if config.train.dropout:
            raise ValueError(
                f"dropout is for tasks with finitely many inputs, {task.name} draws fresh ones: "
                "leave TrainConfig.dropout 0"
            )
        if config.model.attention != "causal":
            raise ValueError(
                f"bidirectional attention reads {task.name}'s answers in its inputs: leave "
                "ModelConfig.attention causal"
            )
    elif batch_size is not None:
        raise ValueError(
            f"{task.name} is trained on all its training inputs at once: leave "
            f"TrainConfig.batch_size None, got {batch_size}"
        )
    elif config.train.dropout and not takes_tables(config.model, config.train.forward):
        raise ValueError(
            "dropout is in the table forward of one-layer models alone: leave "
            'TrainConfig.dropout 0, or forward "auto"'
        )


def objective(task: AnyTask, config: RunConfig, device: torch.device) -> Objective:
    check(task, config)
    return (
        _FreshBatches(task, config, device)
        if isinstance(task, StreamTask)
        else _FullBatch(task, config, device)
    )


class _FullBatch:
    """A task with several labels per input has, beside the totals, a column for each head:
    "test_accuracy/7" is of 7 classes.

    Totals are the weighted sum of losses, which training follows, and the mean accuracy over heads.
    """

    def __init__(self, task: Task, config: RunConfig, device: torch.device) -> None:
        self.config, self.task = config, task.to(device)
        self.loss_fn = LOSSES[config.train.loss]
        self.weights = torch.tensor(
            task.weights or (1.0,) * len(task.n_classes), dtype=torch.float64, device=device
        )
        self.train_labels = self.task.labels[self.task.train_mask]
        self.train_logits = logits_fn(
            config.model, self.task.tokens[self.task.train_mask], config.train.forward
        )
        self.all_logits = logits_fn(config.model, self.task.tokens, config.train.forward)

    def loss(self, weights: Weights, step: int) -> Tensor:
        masks = (
            (dropout_masks(self.config, step, self.train_labels.shape[0], self.weights.device),)
            if self.config.train.dropout
            else ()
        )
        losses = self.loss_fn(
            self.train_logits(weights, *masks), self.train_labels, self.task.n_classes
        )
        return (losses.mean(0) * self.weights.to(losses.dtype)).sum()

    def measure(self, weights: Weights, step: int) -> dict[str, Tensor]:
        logits, task = self.all_logits(weights), self.task
        losses = self.loss_fn(logits, task.labels, task.n_classes).double()
        right = (predictions(logits, task.labels, task.n_classes) == task.labels).double()
        means = {
            f"{split}_{name}": values[mask].mean(0)
            for name, values in (("loss", losses), ("accuracy", right))
            for split, mask in (("train", task.train_mask), ("test", task.test_mask))
        }
        totals = {
            name: (mean * self.weights).sum() if name.endswith("loss") else mean.mean()
            for name, mean in means.items()
        }
        if losses.ndim == 1:
            return totals
        of_heads = {name: zip(task.n_classes, mean, strict=True) for name, mean in means.items()}
        return totals | {
            f"{name}/{classes}": value
            for name, heads in of_heads.items()
            for classes, value in heads
        }


def dropout_masks(config: RunConfig, step: int, n: int, device: torch.device) -> Tensor:
    """The masks of update `step`, drawn from the model's seed: "site d_model", or "site n d_model"
    where each input has its own.
    """
    seed = np.random.SeedSequence([config.model.seed, step]).generate_state(1, np.uint64)[0]
    generator = torch.Generator(device).manual_seed(int(seed))
    shape = (
        (2, config.model.d_model)
        if config.train.dropout_mask == "step"
        else (2, n, config.model.d_model)
    )
    kept = torch.rand(shape, generator=generator, device=device) >= config.train.dropout
    return kept / (1 - config.train.dropout)


class _FreshBatches:
    """The training loss of a row is that of the batch its step is about to learn from, which it has
    not seen.
    """

    def __init__(self, task: StreamTask, config: RunConfig, device: torch.device) -> None:
        self.task, self.size, self.device = task, config.train.batch_size, device
        self.loss_fn = LOSSES[config.train.loss]
        self.logits = sequence_logits_fn(config.model, config.train.forward, device)

    def loss(self, weights: Weights, step: int) -> Tensor:
        return self._answers(weights, self.task.batch(step, self.size))[0].mean()

    def measure(self, weights: Weights, step: int) -> dict[str, Tensor]:
        row = {}
        for name, sequences in (
            ("train", self.task.batch(step, self.size)),
            ("validation", self.task.validation),
        ):
            losses, right, asked = self._answers(weights, sequences)
            wrong = torch.zeros(asked.shape, dtype=torch.bool, device=self.device)
            wrong[asked] = ~right
            row[f"{name}_loss"] = losses.double().mean()
            row[f"{name}_accuracy"] = 1 - wrong.any(1).double().mean()
            row[f"{name}_token_accuracy"] = right.double().mean()
        return row

    def _answers(self, weights: Weights, sequences: Sequences) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, and whether the top logit is right, of each answer; the mask of answers in the
        sequences.
        """
        sequences = sequences.to(self.device)
        asked = sequences.asked
        logits, labels = self.logits(weights, sequences.tokens, asked), sequences.labels[asked]
        return self.loss_fn(logits, labels), logits.argmax(-1) == labels, asked
