"""A model with several answers to each input: logits of all heads side by side, split by the number
of classes of each.

Logits may be on the grid, "a b c", or by input, "n c"; labels and masks are by input, a-major. A
head axis has the heads' order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils import devices
from interp_utils.losses import cross_entropy

Measure = Literal["accuracy", "loss"]


def split(logits: Float[Tensor, "*grid c"], n_classes: Sequence[int]) -> tuple[Tensor, ...]:
    """The logits of each head, as views. Raises ValueError unless the classes add up."""
    if sum(n_classes) != logits.shape[-1]:
        raise ValueError(
            f"heads of {list(n_classes)} classes need {sum(n_classes)} logits side by side, got "
            f"{logits.shape[-1]}"
        )
    return logits.split(list(n_classes), -1)


def predictions(
    logits: Float[Tensor, "*grid c"], n_classes: Sequence[int], zero_padded: bool = False
) -> Int[Tensor, "*grid head"]:
    """The class with the largest logit, of each head.

    zero_padded: as if every head were as wide as the widest, its missing logits zero, so that a
    head whose logits are all negative answers
    with a class that it does not have: the released code of Syrkis and Søgaard 2024, which so
    reports lower accuracies.
    """
    answers = []
    for head in split(logits, n_classes):
        top = head.max(-1)
        outside = (
            (top.values < 0)
            if zero_padded and head.shape[-1] < max(n_classes)
            else torch.zeros_like(top.values, dtype=torch.bool)
        )
        answers.append(top.indices.masked_fill(outside, head.shape[-1]))
    return torch.stack(answers, -1)


def losses(
    logits: Float[Tensor, "*grid c"], labels: Int[Tensor, "n head"], n_classes: Sequence[int]
) -> Float[Tensor, "n head"]:
    """Cross-entropy of each head's softmax on each input, in nats; a guess costs ln of the head's
    classes.
    """
    by_input = logits.flatten(0, -2)
    _check(by_input, labels, n_classes)
    split(by_input, n_classes)  # raises where the classes do not add up
    return cross_entropy(by_input, labels, n_classes)


def mean_losses(
    logits: Float[Tensor, "*grid c"],
    labels: Int[Tensor, "n head"],
    n_classes: Sequence[int],
    mask: Bool[Tensor, "n"] | None = None,
) -> Float[Tensor, "head"]:
    """Mean loss of each head over the inputs of the mask, in nats; float64. Raises ValueError for
    an empty mask.
    """
    return devices.double(losses(*_selected(logits, labels, mask), n_classes)).mean(0)


def accuracies(
    logits: Float[Tensor, "*grid c"],
    labels: Int[Tensor, "n head"],
    n_classes: Sequence[int],
    mask: Bool[Tensor, "n"] | None = None,
    zero_padded: bool = False,
) -> Float[Tensor, "head"]:
    """Fraction of the inputs of the mask whose largest logit is the label's, of each head; float64.
    zero_padded: see `predictions`.
    """
    rows, answers = _selected(logits, labels, mask)
    _check(rows, answers, n_classes)
    return devices.double(predictions(rows, n_classes, zero_padded) == answers).mean(0)


def ablation_matrix(
    ablations: Iterable[Callable[[], Float[Tensor, "*grid c"]]],
    labels: Int[Tensor, "n head"],
    n_classes: Sequence[int],
    mask: Bool[Tensor, "n"] | None = None,
    measure: Measure = "accuracy",
) -> Float[Tensor, "component head"]:
    """What is left of each head after each ablation: its accuracy, or its mean loss in nats.

    ablations: functions that return logits, called one after another, so that there is one set of
    them at a time: [partial(ablation.without_neurons, model, cluster, "mean") for cluster in
    clusters].
    Raises ValueError for another measure.
    """
    measures = {"accuracy": accuracies, "loss": mean_losses}
    if measure not in measures:
        raise ValueError(f"measure must be one of {list(measures)}, got {measure!r}")
    rows = tqdm(list(ablations), desc="ablating", unit="component")
    return torch.stack([measures[measure](ablated(), labels, n_classes, mask) for ablated in rows])


def _selected(logits: Tensor, labels: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    rows, labels = logits.flatten(0, -2), labels.to(logits.device)
    if mask is None:
        return rows, labels
    if len(mask) != len(labels) or len(rows) != len(labels):
        raise ValueError(
            f"logits, labels and mask must have one row per input, got {len(rows)}, {len(labels)} "
            f"and {len(mask)}"
        )
    if not mask.any():
        raise ValueError("the mask selects no input")
    mask = mask.to(logits.device)
    return rows[mask], labels[mask]


def _check(logits: Tensor, labels: Tensor, n_classes: Sequence[int]) -> None:
    if labels.shape != (len(logits), len(n_classes)):
        raise ValueError(
            f"{len(logits)} inputs with {len(n_classes)} heads need labels of that shape, got "
            f"{tuple(labels.shape)}; "
            f"a task with one label per input has labels[:, None]"
        )


class SequenceAccuracy(NamedTuple):
    """Share of the inputs whose every answer is right, and share of the answers that are right."""

    whole: float
    token: float


def sequence_accuracy(
    logits: Float[Tensor, "n ctx c"], labels: Int[Tensor, "n ctx"]
) -> SequenceAccuracy:
    """Accuracy at the positions that are asked: those whose label is not negative."""
    labels = labels.to(logits.device)
    asked = labels >= 0
    right = logits.argmax(-1) == labels
    whole, token = (right | ~asked).all(1), right[asked]
    return SequenceAccuracy(
        devices.double(whole).mean().item(), devices.double(token).mean().item()
    )
