"""A run of checkpoints that were trained elsewhere."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils import devices, models
from interp_utils.configs import FamilyConfig, RunConfig, TrainConfig
from interp_utils.devices import Device
from interp_utils.losses import LOSSES
from interp_utils.runs import measured, storage
from interp_utils.runs.manifest import TASK, metrics_name, snapshot_name
from interp_utils.runs.metrics import Metrics
from interp_utils.runs.origin import Origin, digest
from interp_utils.runs.writer import RunWriter
from interp_utils.tasks import AnyTask, StreamTask

if TYPE_CHECKING:
    from interp_utils.runs.run import Run


def from_checkpoints(
    checkpoints: Mapping[int, Any] | Sequence[Any],
    task: AnyTask,
    config: FamilyConfig | None = None,
    *,
    out: str | Path,
    steps: Iterable | None = None,
    device: Device = None,
    progress: bool = True,
    **options: Any,
) -> Run:
    """See `Run.from_checkpoints`."""
    saved = _by_step(checkpoints, steps)
    first, last = min(saved), max(saved)
    if config is None:
        sizes = {"n_ctx": None, "d_vocab": None, "d_vocab_out": None}  # given by the task
        config = dataclasses.replace(models.config_of(saved[last]), **sizes)
    config = config.for_task(task)
    on = devices.resolve(device)
    contents: dict[str, bytes] = {}
    metrics: Metrics = {"step": []}
    start = ""
    for step in tqdm(sorted(saved), desc="importing", unit="snapshot", disable=not progress):
        try:
            weights = _taken(config, saved[step], options)
            row = _row(config, weights, task, on)
        except (TypeError, ValueError) as error:
            raise type(error)(f"checkpoint of step {step}: {error}") from None
        contents[snapshot_name(step)] = storage.tensors_to_bytes(weights)
        start = start or digest(weights)
        metrics["step"].append(step)
        for name, value in row.items():
            metrics.setdefault(name, []).append(value if math.isfinite(value) else None)
    contents[metrics_name(last)] = storage.json_bytes(metrics)
    contents[TASK] = storage.tensors_to_bytes(storage.compact(task.tensors()))
    run_config = RunConfig(config, TrainConfig(steps=max(last, 1)))
    with RunWriter(out, task, run_config, Origin(first, start, imported=True)) as writer:
        if writer.step is not None:
            raise ValueError(f"{out} already holds a run; choose a new folder")
        writer.commit(last, contents)
        return writer.run


def _by_step(
    checkpoints: Mapping[int, Any] | Sequence[Any], steps: Iterable | None
) -> dict[int, Any]:
    if isinstance(checkpoints, Mapping):
        if steps is not None:
            raise ValueError("checkpoints {step: weights} name their steps: leave steps= out")
        steps, checkpoints = list(checkpoints), list(checkpoints.values())
    if steps is None:
        raise ValueError(
            f"say at which steps these {len(checkpoints)} checkpoints were saved: steps=[...], or "
            f"pass them as {{step: weights}}"
        )
    steps = [step.item() if hasattr(step, "item") else step for step in steps]
    wrong = [s for s in steps if not isinstance(s, numbers.Integral) or type(s) is bool or s < 0]
    if wrong or len(set(steps)) < len(steps):
        raise ValueError(
            f"steps must be different whole numbers of at least 0, got {(wrong or steps)[:8]}"
        )
    if not steps or len(steps) != len(checkpoints):
        raise ValueError(
            f"expected a step for each checkpoint, and at least one of them, got "
            f"{len(checkpoints)} checkpoints and {len(steps)} steps: pass them as {{step: weights}}"
        )
    return dict(zip(steps, checkpoints, strict=True))


def _taken(config: FamilyConfig, saved: Any, options: Mapping[str, Any]) -> dict[str, Tensor]:
    """A checkpoint's weights in float32, by the names and shapes of the configuration's model."""
    initial, trained = models.initial_weights(config), models.trainable(config)
    fixed = {name: initial[name] for name in initial.keys() - set(trained)}
    weights = fixed | models.canonical_weights(config, saved, **options)
    models.check_weights(weights, models.weight_shapes(config))
    plain = {name: weight.float().cpu() for name, weight in weights.items()}
    models.say_cast(weights, plain, "the precision in which a run keeps weights")
    moved = sorted(name for name, weight in fixed.items() if not plain[name].equal(weight))
    if moved:
        raise ValueError(
            f"{', '.join(moved[:3])}: these weights were trained, but not by this "
            f"{type(config).__name__}; pass one that trains them (biases, positions)"
        )
    return plain


@torch.no_grad()
def _row(
    config: FamilyConfig, weights: Mapping[str, Tensor], task: AnyTask, device: torch.device
) -> dict[str, float]:
    """What a training would have logged for the weights, except losses between two rows."""
    trained = models.trainable(config)
    squares = sum(float(weights[name].double().square().sum()) for name in trained)
    weights = {name: weight.to(device) for name, weight in weights.items()}
    loss_fn = LOSSES[TrainConfig.loss]
    if isinstance(task, StreamTask):
        lists = task.validation.to(device)
        of_weights = models.sequence_logits_fn(config, device=device)
        logits, labels = of_weights(weights, lists.tokens, lists.asked), lists.labels[lists.asked]
        losses, right = loss_fn(logits, labels), logits.argmax(-1) == labels
        row = measured.of_sequences("validation", losses, right, lists.asked)
    else:
        task = task.to(device)
        of_weights = models.logits_fn(config, task.tokens, answer_pos=task.answer_pos)
        logits, outputs = of_weights(weights), measured.class_outputs(task, device)
        logits = logits if outputs is None else logits[:, outputs]
        row = measured.of_task(logits, task, loss_fn)
    return {name: value.item() for name, value in row.items()} | {"sum_squared_weights": squares}
