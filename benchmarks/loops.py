"""What is timed within one process: a step of every way to train, and the matrix products that it
cannot do without.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch

from interp_utils import ModelConfig, TrainConfig, tasks
from interp_utils.configs import RunConfig
from interp_utils.experiments.base import Recipe
from interp_utils.models.blocks import BlocksConfig
from interp_utils.models.blocks.config import Form
from interp_utils.tasks import Task
from interp_utils.training.stacked import StackedTrainer
from interp_utils.training.trainer import Trainer

Step = Callable[[], None]


def addition(p: int, d_mlp: int = 512) -> tuple[Task, RunConfig]:
    task = tasks.modular_addition(p, split="grokking_demo")
    return task, RunConfig(ModelConfig(d_mlp=d_mlp).for_task(task), TrainConfig())


def remainders(p: int) -> tuple[Task, RunConfig]:
    """Every prime below p at the published size, with dropout and Grokfast: at p = 113, 1,480
    classes in 29 heads.
    """
    task = tasks.remainders(p)
    model = ModelConfig(d_model=256, d_head=64, d_mlp=1024).for_task(task)
    return task, RunConfig(model, TrainConfig(dropout=0.1, grokfast="ema"))


def ours(task: Task, config: RunConfig, device: torch.device) -> Step:
    """What train() runs."""
    return Trainer(task, config, device).update


def hooked(p: int, device: torch.device, demo: bool) -> Step:
    """HookedTransformer's own forward; demo: the published loss in float64, and a test pass each
    epoch.
    """
    task, config = addition(p)
    train = dataclasses.replace(
        config.train, forward="hooked", loss="float64_log_softmax" if demo else "relative"
    )
    trainer = Trainer(task, RunConfig(config.model, train), device)

    def step() -> None:
        trainer.update()
        if demo:
            trainer.measure()

    return step


def stacked(p: int, seeds: int, device: torch.device) -> Step:
    """What train_many() runs."""
    task, config = addition(p)
    configs = [
        RunConfig(dataclasses.replace(config.model, seed=seed), config.train)
        for seed in range(seeds)
    ]
    return StackedTrainer([task] * seeds, configs, device).update


def block(p: int, forward: str, device: torch.device, form: Form = "sequential") -> Step:
    """A step of one simplified block, at the plain block's width."""
    task, config = addition(p)
    model = BlocksConfig(form=form).for_task(task)
    training = dataclasses.replace(config.train, forward=forward)
    return Trainer(task, RunConfig(model, training), device).update


def block_products(p: int, device: torch.device) -> Step:
    """The products of a sequential block's table forward, and nothing else."""
    task, config = addition(p)
    n, c = int(task.train_mask.sum()), config.model.d_vocab_out
    d_model, d_mlp, rows = config.model.d_model, config.model.d_mlp, 2 * config.model.d_vocab - 1
    shapes = [*2 * [(rows, d_model, d_model)], (n, d_model, d_mlp)]  # keys, values; to neurons
    shapes += [(d_mlp, d_model, c), (n, d_model, c), (n, d_mlp, c)]  # W_out W_U, to logits
    return _products(shapes, device)


def products(task: Task, config: RunConfig, device: torch.device, seeds: int = 1) -> Step:
    """The products of the table forward at its size, forward and backward, and nothing else."""
    model, n = config.model, int(task.train_mask.sum())
    d_z, d_model, d_mlp, c = (
        model.n_heads * model.d_head,
        model.d_model,
        model.d_mlp,
        model.d_vocab_out,
    )
    shapes = 3 * [
        (2 * model.d_vocab - 1, d_model, d_z)
    ]  # keys, values, and the gradient of the embedding
    if d_z * d_mlp < (d_z + d_mlp) * d_model:
        shapes += [(d_z, d_model, d_mlp), (n, d_z, d_mlp)]  # W_O W_in; z to neurons
    else:
        shapes += [(n, d_z, d_model), (n, d_model, d_mlp)]
    if (d_z + d_mlp) * c < (d_z + d_mlp + c) * d_model:
        shapes += [
            (d_mlp, d_model, c),
            (d_z, d_model, c),
            (n, d_mlp, c),
            (n, d_z, c),
        ]  # W_out W_U, W_O W_U; neurons and z to logits
    else:
        shapes += [(n, d_z, d_model), (n, d_mlp, d_model), (n, d_model, c)]
    return _products(shapes, device, seeds)


def _products(shapes: list[tuple[int, int, int]], device: torch.device, seeds: int = 1) -> Step:
    """Products of these sizes, "rows inner, inner columns", and those of their gradients."""
    several = () if seeds == 1 else (seeds,)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*several, *shape, device=device)

    factors = [
        (random(rows, inner), random(inner, columns), random(rows, columns))
        for rows, inner, columns in shapes
    ]

    def step() -> None:
        for left, right, gradient in factors:
            left @ right
            gradient @ right.mT
            left.mT @ gradient

    return step


def fresh(recipe: Recipe, forward: str, device: torch.device) -> Step:
    """A step of a recipe that draws its inputs, which is included."""
    task, model, config = recipe
    return Trainer(
        task, RunConfig(model.for_task(task), dataclasses.replace(config, forward=forward)), device
    ).update
