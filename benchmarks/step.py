"""What one training step costs, beside HookedTransformer's loop and, for modular addition, the time of its matrix products alone.

    python benchmarks/step.py [p] [repeats]

Prints a table per task: the median over repeats and the range, and the ratio to the table forward's. The loops take turns, so that
a change in the machine's speed hits all of them.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch

from interp_utils import ModelConfig, TrainConfig, presets, tasks
from interp_utils.configs import RunConfig
from interp_utils.training.loop import Trainer, deterministic
from interp_utils.training.memory import reuse_large_buffers

STEPS_PER_REPEAT = 5
OURS = "table forward (what train() runs)"


def training_step(p: int, forward: str, with_test_pass: bool = False) -> Callable[[], None]:
    task = tasks.modular_addition(p, split="grokking_demo")
    trainer = Trainer(
        task,
        RunConfig(ModelConfig().for_task(task), TrainConfig(forward=forward, loss="float64_log_softmax" if with_test_pass else "relative")),
        torch.device("cpu"),
    )

    def step() -> None:
        trainer.update()
        if with_test_pass:
            trainer.measure()

    return step


def matrix_products(p: int) -> Callable[[], None]:
    """The products of the table forward at its size, forward and backward, and nothing else."""
    task = tasks.modular_addition(p, split="grokking_demo")
    config = ModelConfig().for_task(task)
    n, d_z, c = int(task.train_mask.sum()), config.n_heads * config.d_head, config.d_vocab_out
    shapes = [
        (d_z, config.d_model, config.d_mlp),  # W_O W_in
        (config.d_mlp, config.d_model, c),  # W_out W_U
        (d_z, config.d_model, c),  # W_O W_U
        (n, d_z, config.d_mlp),  # z to neurons
        (n, config.d_mlp, c),  # neurons to logits
        (n, d_z, c),  # z to logits
        *3 * [(2 * p + 1, config.d_model, d_z)],  # keys, values, and the gradient of the embedding
    ]
    pairs = [(torch.randn(rows, inner), torch.randn(inner, columns), torch.randn(rows, columns)) for rows, inner, columns in shapes]

    def products() -> None:
        for left, right, gradient in pairs:
            left @ right
            gradient @ right.T
            left.T @ gradient

    return products


@contextmanager
def as_train_does() -> Iterator[None]:
    with deterministic(True), reuse_large_buffers():
        yield


def sorting_step(variant: str, forward: str) -> Callable[[], None]:
    """A step of a sorting preset, drawing its lists included."""
    task, model, config = presets.sorting(variant)
    return Trainer(task, RunConfig(model.for_task(task), dataclasses.replace(config, forward=forward)), torch.device("cpu")).update


def compare(title: str, loops: dict[str, Callable[[], None]], repeats: int) -> None:
    """A table of the loops, with ratios to the one called OURS."""
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for repeat in range(repeats + 1):
        for name, step in loops.items():
            hooked = name.startswith("Hooked")
            with nullcontext() if hooked else as_train_does():
                step()
                steps = 1 if hooked else STEPS_PER_REPEAT
                started = time.perf_counter()
                for _ in range(steps):
                    step()
                if repeat:  # the first one warms up
                    seconds[name].append((time.perf_counter() - started) / steps)
    print(f"\n{title:55} {'ms (range)':>20} {'x ours (range)':>22}")
    for name, times in seconds.items():
        ratios = [a / b for a, b in zip(times, seconds[OURS], strict=True)]
        ms = f"{1e3 * statistics.median(times):.1f} ({1e3 * min(times):.1f}-{1e3 * max(times):.1f})"
        print(f"{name:55} {ms:>20} {f'{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})':>22}")


def main(p: int = 113, repeats: int = 7) -> None:
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {repeats} repeats")
    addition = {
        "HookedTransformer, float64 loss, train and test pass": training_step(p, "hooked", with_test_pass=True),
        "HookedTransformer, train pass only": training_step(p, "hooked"),
        OURS: training_step(p, "table"),
        "its matrix products alone": matrix_products(p),
    }
    compare(f"modular addition, p = {p}", addition, repeats)
    for variant in presets.SORTING:
        compare(
            f"sorting: {variant}", {"HookedTransformer": sorting_step(variant, "hooked"), OURS: sorting_step(variant, "table")}, repeats
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
