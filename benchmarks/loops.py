"""What is timed within one process: a step of every way to train, and the matrix products that it cannot do without."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch

from interp_utils import ModelConfig, TrainConfig, presets, tasks
from interp_utils.configs import RunConfig
from interp_utils.tasks import Task
from interp_utils.training.loop import Trainer
from interp_utils.training.stacked import StackedTrainer

Step = Callable[[], None]


def addition(p: int, d_mlp: int = 512) -> tuple[Task, RunConfig]:
    task = tasks.modular_addition(p, split="grokking_demo")
    return task, RunConfig(ModelConfig(d_mlp=d_mlp).for_task(task), TrainConfig())


def ours(p: int, device: torch.device, d_mlp: int = 512) -> Step:
    """What train() runs."""
    task, config = addition(p, d_mlp)
    return Trainer(task, config, device).update


def hooked(p: int, device: torch.device, demo: bool) -> Step:
    """HookedTransformer's own forward; demo: the published loss in float64, and a test pass each epoch."""
    task, config = addition(p)
    train = dataclasses.replace(config.train, forward="hooked", loss="float64_log_softmax" if demo else "relative")
    trainer = Trainer(task, RunConfig(config.model, train), device)

    def step() -> None:
        trainer.update()
        if demo:
            trainer.measure()

    return step


def stacked(p: int, seeds: int, device: torch.device) -> Step:
    """What train_many() runs."""
    task, config = addition(p)
    configs = [RunConfig(dataclasses.replace(config.model, seed=seed), config.train) for seed in range(seeds)]
    return StackedTrainer([task] * seeds, configs, device).update


def products(p: int, device: torch.device, d_mlp: int = 512, seeds: int = 1) -> Step:
    """The products of the table forward at its size, forward and backward, and nothing else."""
    task, config = addition(p, d_mlp)
    model, n = config.model, int(task.train_mask.sum())
    d_z, c = model.n_heads * model.d_head, model.d_vocab_out
    shapes = [
        (d_z, model.d_model, d_mlp),  # W_O W_in
        (d_mlp, model.d_model, c),  # W_out W_U
        (d_z, model.d_model, c),  # W_O W_U
        (n, d_z, d_mlp),  # z to neurons
        (n, d_mlp, c),  # neurons to logits
        (n, d_z, c),  # z to logits
        *3 * [(2 * p + 1, model.d_model, d_z)],  # keys, values, and the gradient of the embedding
    ]
    several = () if seeds == 1 else (seeds,)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*several, *shape, device=device)

    factors = [(random(rows, inner), random(inner, columns), random(rows, columns)) for rows, inner, columns in shapes]

    def step() -> None:
        for left, right, gradient in factors:
            left @ right
            gradient @ right.mT
            left.mT @ gradient

    return step


def sorting(variant: str, forward: str, device: torch.device) -> Step:
    """A step of a sorting preset, drawing its lists included."""
    task, model, config = presets.sorting(variant)
    return Trainer(task, RunConfig(model.for_task(task), dataclasses.replace(config, forward=forward)), device).update
