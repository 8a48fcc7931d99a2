"""What a step minimises and what is measured: for tasks with finitely many inputs, and for those
that draw fresh ones.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils import devices, models
from interp_utils.configs import RunConfig
from interp_utils.losses import LOSSES
from interp_utils.models import LogitsFn, Weights, logits_fn, sequence_logits_fn
from interp_utils.runs import measured
from interp_utils.runs.measured import class_outputs
from interp_utils.tasks import AnyTask, Sequences, StreamTask, Task


@runtime_checkable
class Objective(Protocol):
    def loss(self, weights: Weights, step: int) -> Tensor:
        """The mean loss that this step's update follows, in nats."""

    def measure(self, weights: Weights, step: int) -> dict[str, Tensor]:
        """A row of metrics, as float64 scalars (`devices.double`); the training loss is
        "train_loss".
        """


def check(task: AnyTask, config: RunConfig) -> None:
    """Raises ValueError where a task and a configuration do not go together, or nothing is there to
    train on.
    """
    if isinstance(task, Task) and not task.train_mask.any():
        raise ValueError(
            f"which inputs of {task.name} are for training is unknown; give the task its training "
            "pairs (train=...)"
        )
    batch_size = config.train.batch_size
    if isinstance(task, StreamTask):
        if config.train.products != "float32":
            raise ValueError(
                f"products in half precision are for tasks with finitely many inputs, {task.name} "
                'draws fresh ones: leave TrainConfig.products "float32"'
            )
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
    elif batch_size is not None and batch_size > task.train_mask.sum():
        raise ValueError(
            f"{task.name} has {int(task.train_mask.sum())} training inputs: leave "
            f"TrainConfig.batch_size None, or at most as many, got {batch_size}"
        )
    family = models.family_of(config.model)
    if config.train.loss == "cosine" and not family.has_similarities(config.model):
        raise ValueError(
            'the loss "cosine" is for models whose logits are similarities with the classes, a '
            "phasor network of scale 1: choose another TrainConfig.loss"
        )
    family.check(config.model, task, config.train)


def objective(task: AnyTask, config: RunConfig, device: torch.device) -> Objective:
    """What is minimised and logged, for a task and a configuration that `check` admits. Where
    nobody knows which inputs were for training, it can be measured alone.
    """
    return (
        _Fresh(task, config, device)
        if isinstance(task, StreamTask)
        else _Finite(task, config, device)
    )


class _Finite:
    """Every step learns from all training inputs, or from a mini-batch: each epoch takes all of
    them, in an order of its own, and its last batch is what is left. Rows of metrics are of all
    inputs.

    A task with several answers per input has, beside the totals, a column for each answer:
    "test_accuracy/7" is of 7 classes.

    Totals are the weighted sum of losses, which training follows, and the mean accuracy over
    answers. Outputs of the model that are no class of the task take no part.
    """

    def __init__(self, task: Task, config: RunConfig, device: torch.device) -> None:
        self.config, self.task, self.device = config, task.to(device), device
        self.loss_fn = LOSSES[config.train.loss]
        self.weights = torch.tensor(
            task.answer_weights,
            dtype=torch.float64,
            device=devices.for_double(device),
        )
        self.train_labels = self.task.labels[self.task.train_mask]
        self.outputs = class_outputs(task, device)
        self.epoch: int | None = None  # whose order of inputs is at hand
        self.all_logits = self._logits_fn(self.task.tokens)

    @cached_property
    def train_logits(self) -> LogitsFn:
        return self._logits_fn(self.task.tokens[self.task.train_mask])

    def _logits_fn(self, tokens: Tensor) -> LogitsFn:
        config = self.config
        of_outputs = logits_fn(config.model, tokens, config.train.forward, self.task.answer_pos)
        if self.outputs is None:
            return of_outputs
        return lambda *given, **options: of_outputs(*given, **options)[:, self.outputs]

    def loss(self, weights: Weights, step: int) -> Tensor:
        options: dict[str, Tensor] = {}
        labels = self.train_labels
        if self.config.train.batch_size is not None:
            options["rows"] = self._rows(step)
            labels = labels[options["rows"]]
        if self.config.train.dropout:
            options["masks"] = dropout_masks(self.config, step, len(labels), self.device)
        is_half = self.config.train.products == "bfloat16"
        # Not torch.autocast(enabled=False), which asks more of a device than a training does.
        with torch.autocast(self.device.type, torch.bfloat16) if is_half else nullcontext():
            logits = self.train_logits(weights, **options)
        losses = self.loss_fn(logits, labels, self.task.n_classes)
        return (losses.mean(0) * self.weights.to(losses)).sum()

    def _rows(self, step: int) -> Tensor:
        """The training inputs of update `step`, by their place among all of them."""
        n = len(self.train_labels)
        epoch, part = epoch_and_part(step, self.config.train.batch_size, n)
        if epoch != self.epoch:
            self.order = epoch_order(self.config.model.seed, epoch, n).to(self.device)
            self.epoch = epoch
        return self.order[part]

    def measure(self, weights: Weights, step: int) -> dict[str, Tensor]:
        return measured.of_task(self.all_logits(weights), self.task, self.loss_fn)


def epoch_and_part(step: int, size: int, n: int) -> tuple[int, slice]:
    """The epoch of update `step` in mini-batches of n training inputs, and its part of the epoch's
    order.
    """
    epoch, batch = divmod(step, math.ceil(n / size))
    return epoch, slice(batch * size, (batch + 1) * size)


def epoch_order(seed: int, epoch: int, n: int) -> Int[Tensor, "n"]:
    """The order in which an epoch of mini-batches takes n training inputs, on the CPU."""
    # a third number, so that it is not the seed of some step's dropout mask
    words = np.random.SeedSequence([seed, epoch, n]).generate_state(1, np.uint64)
    generator = torch.Generator().manual_seed(int(words[0]))
    return torch.randperm(n, generator=generator)


def dropout_masks(config: RunConfig, step: int, n: int, device: torch.device) -> Tensor:
    """The masks of update `step`, drawn from the model's seed: "site d_model", or "site n d_model"
    where each input has its own. Drawn on the CPU, so that they are the same on every device.
    """
    seed = np.random.SeedSequence([config.model.seed, step]).generate_state(1, np.uint64)[0]
    generator = torch.Generator().manual_seed(int(seed))
    shape = (
        (2, config.model.d_model)
        if config.train.dropout_mask == "step"
        else (2, n, config.model.d_model)
    )
    kept = torch.rand(shape, generator=generator, dtype=torch.float32) >= config.train.dropout
    return (kept.float() / (1 - config.train.dropout)).to(device)


class _Fresh:
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
            row |= measured.of_sequences(name, *self._answers(weights, sequences))
        return row

    def _answers(self, weights: Weights, sequences: Sequences) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, and whether the top logit is right, of each answer; the mask of answers in the
        sequences, on the CPU: their number is read there, so that nothing waits for a GPU.
        """
        asked = sequences.asked
        labels = sequences.labels[asked].to(self.device)
        logits = self.logits(weights, sequences.tokens.to(self.device), asked)
        return self.loss_fn(logits, labels), logits.argmax(-1) == labels, asked
