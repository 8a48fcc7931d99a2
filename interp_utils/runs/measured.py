"""A row of metrics: the losses and accuracies of a model's logits on its task."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis import answers
from interp_utils.tasks import Task

LossFn = Callable[..., Tensor]  # takes logits, labels, numbers of classes, as in `losses.LOSSES`


def of_task(logits: Float[Tensor, "n c"], task: Task, loss_fn: LossFn) -> dict[str, Tensor]:
    """Losses (nats) and accuracies for train and test, as float64 scalars on the device; for "all"
    where it is not known which inputs were for training.

    A task with several answers per input has, beside the totals, a column for each answer:
    "test_accuracy/7" is for the answer with 7 classes (`Task.answer_names`). Totals are the
    weighted sum of losses, which training minimises, and the mean accuracy over answers.
    """
    losses = devices.double(loss_fn(logits, task.labels, task.n_classes))
    n_classes = task.n_classes if task.labels.ndim == 2 else None
    right = devices.double(answers.predictions(logits, n_classes) == task.labels)
    splits = {"all": torch.ones_like(task.train_mask)}
    if task.split_known:
        splits = {"train": task.train_mask, "test": task.test_mask}
    means = {
        f"{split}_{name}": values[mask.to(values.device)].mean(0)
        for name, values in (("loss", losses), ("accuracy", right))
        for split, mask in splits.items()
    }
    weights = torch.tensor(task.answer_weights, dtype=losses.dtype, device=losses.device)
    totals = {
        name: (mean * weights).sum() if name.endswith("loss") else mean.mean()
        for name, mean in means.items()
    }
    if losses.ndim == 1:
        return totals
    of_answers = {name: zip(task.answer_names, mean, strict=True) for name, mean in means.items()}
    return totals | {
        f"{name}/{answer}": value for name, own in of_answers.items() for answer, value in own
    }


def of_sequences(
    split: str,
    losses: Float[Tensor, "answer"],
    right: Bool[Tensor, "answer"],
    asked: Bool[Tensor, "n ctx"],
) -> dict[str, Tensor]:
    """Mean loss of an answer (nats), share of sequences whose answers are all right, and share of
    right answers, as float64 scalars on the device.

    losses, right: one entry for every answer, in the order of the mask `asked`.
    """
    wrong = torch.zeros(asked.shape, dtype=torch.bool, device=right.device)
    wrong[asked.to(right.device)] = ~right
    return {
        f"{split}_loss": devices.double(losses).mean(),
        f"{split}_accuracy": 1 - devices.double(wrong.any(1)).mean(),
        f"{split}_token_accuracy": devices.double(right).mean(),
    }


def class_outputs(task: Task, device: torch.device) -> Tensor | None:
    """The model's output for each class; None where output c is class c and there are no others."""
    classes = range(sum(task.n_classes))
    outputs = tuple(classes) if task.outputs is None else task.outputs
    if outputs == tuple(classes) and task.d_vocab_out in (None, len(classes)):
        return None
    return torch.tensor(outputs, device=device)
