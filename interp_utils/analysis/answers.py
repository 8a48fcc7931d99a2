"""What a model answers, and how wrong the answers are: one answer to an input, several answers, or
one at each position of a sequence.

Logits may be on the grid, "a b c", or by input, "n c"; labels and masks are by input, in the
grid's order. The logits of several answers stand side by side, n_classes for each; an axis "answer"
is in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils import devices
from interp_utils.losses import class_counts, cross_entropy
from interp_utils.precision import at_least_float32

Measure = Literal["accuracy", "loss"]
Classes = int | Sequence[int] | None  # how many each answer has; an int or None for one answer


@at_least_float32
def split(
    logits: Float[Tensor, "*grid c"], n_classes: int | Sequence[int]
) -> tuple[Float[Tensor, "*grid _"], ...]:
    """The logits of each answer, as views. Raises ValueError unless the classes add up."""
    sizes = [n_classes] if isinstance(n_classes, Integral) else list(n_classes)
    if sum(sizes) != logits.shape[-1]:
        raise ValueError(
            f"answers of {sizes} classes need {sum(sizes)} logits side by side, got "
            f"{logits.shape[-1]}"
        )
    return logits.split(sizes, -1)


@at_least_float32
def predictions(
    logits: Float[Tensor, "*grid c"], n_classes: Classes = None, *, zero_padded: bool = False
) -> Int[Tensor, "*grid_and_answer"]:
    """The class with the largest logit: "*grid" for one answer, "*grid answer" for several.

    zero_padded: every answer is given as many logits as the widest, and the missing ones are zero.
    An answer whose own logits are all negative then becomes a class that it does not have. The
    released code of Syrkis and Søgaard 2024 pads in this way, and so reports lower accuracies.
    """
    if n_classes is None or isinstance(n_classes, Integral):
        return split(logits, logits.shape[-1] if n_classes is None else n_classes)[0].argmax(-1)
    classes = []
    for own in split(logits, n_classes):
        top = own.max(-1)
        missing = zero_padded and own.shape[-1] < max(n_classes)
        classes.append(
            top.indices.masked_fill(top.values < 0, own.shape[-1]) if missing else top.indices
        )
    return torch.stack(classes, -1)


@at_least_float32
def losses(
    logits: Float[Tensor, "*grid c"], labels: Int[Tensor, "n *answer"], n_classes: Classes = None
) -> Float[Tensor, "n *answer"]:
    """Cross-entropy of each input, and each of its answers, in nats; a guess costs ln of the number
    of classes.
    """
    rows, own = selected(logits, labels)
    return cross_entropy(rows, own, n_classes)


@at_least_float32
def mean_losses(
    logits: Float[Tensor, "*grid c"],
    labels: Int[Tensor, "n *answer"],
    n_classes: Classes = None,
    *,
    mask: Bool[Tensor, "n"] | None = None,
) -> Float[Tensor, "*answer"]:
    """Mean loss of each answer over the inputs of the mask, in nats; float64. Raises ValueError for
    an empty mask.
    """
    rows, own = selected(logits, labels, mask=mask)
    return devices.double(cross_entropy(rows, own, n_classes)).mean(0)


@at_least_float32
def accuracies(
    logits: Float[Tensor, "*grid c"],
    labels: Int[Tensor, "n *answer"],
    n_classes: Classes = None,
    *,
    mask: Bool[Tensor, "n"] | None = None,
    zero_padded: bool = False,
) -> Float[Tensor, "*answer"]:
    """Fraction of the inputs of the mask whose largest logit is the label's, for each answer;
    float64. zero_padded: see `predictions`.
    """
    rows, own = selected(logits, labels, mask=mask)
    sizes = class_counts(rows, own, n_classes)
    found = predictions(rows, sizes if own.ndim == 2 else None, zero_padded=zero_padded)
    return devices.double(found == own).mean(0)


def mean_loss(
    logits: Float[Tensor, "*grid c"],
    labels: Int[Tensor, "n"],
    *,
    mask: Bool[Tensor, "n"] | None = None,
) -> float:
    """Mean cross-entropy over the inputs of the mask, in nats, of a model with one answer. Raises
    ValueError for an empty mask.
    """
    _check_one_answer(labels)
    return mean_losses(logits, labels, mask=mask).item()


def accuracy(
    logits: Float[Tensor, "*grid c"],
    labels: Int[Tensor, "n"],
    *,
    mask: Bool[Tensor, "n"] | None = None,
) -> float:
    """Fraction of the inputs of the mask whose largest logit is the label's, of a model with one
    answer.
    """
    _check_one_answer(labels)
    return accuracies(logits, labels, mask=mask).item()


def ablation_matrix(
    ablations: Iterable[Callable[[], Float[Tensor, "*grid c"]]],
    labels: Int[Tensor, "n *answer"],
    n_classes: Classes = None,
    *,
    mask: Bool[Tensor, "n"] | None = None,
    measure: Measure = "accuracy",
    progress: bool = True,
) -> Float[Tensor, "component *answer"]:
    """What is left of each answer after each ablation: its accuracy, or its mean loss in nats.

    ablations: functions that return logits. They are called one after another, so only one set of
    logits exists at a time: [partial(ablation.without_neurons, model, cluster, "mean") for cluster
    in clusters].
    Raises ValueError for another measure.
    """
    measures = {"accuracy": accuracies, "loss": mean_losses}
    if measure not in measures:
        raise ValueError(f"measure must be one of {get_args(Measure)}, got {measure!r}")
    rows = tqdm(list(ablations), desc="ablating", unit="component", disable=not progress)
    return torch.stack(
        [measures[measure](ablated(), labels, n_classes, mask=mask) for ablated in rows]
    )


class SequenceAccuracy(NamedTuple):
    """Share of the inputs with every answer right, and share of the answers that are right."""

    whole: float
    token: float


@at_least_float32
def sequence_accuracy(
    logits: Float[Tensor, "n ctx c"], labels: Int[Tensor, "n ctx"]
) -> SequenceAccuracy:
    """Accuracy at the positions that are asked, whose labels are not negative."""
    labels = labels.to(logits.device)
    asked = labels >= 0
    right = logits.argmax(-1) == labels
    whole, token = (right | ~asked).all(1), right[asked]
    return SequenceAccuracy(
        devices.double(whole).mean().item(), devices.double(token).mean().item()
    )


@at_least_float32
def selected(
    logits: Float[Tensor, "*grid c"],
    labels: Int[Tensor, "n *answer"],
    *,
    mask: Bool[Tensor, "n"] | None = None,
) -> tuple[Float[Tensor, "m c"], Int[Tensor, "m *answer"]]:
    """The rows of logits and labels that a mask selects, on the logits' device. Raises
    TypeError/ValueError where the three do not fit each other.
    """
    _check_tensor(logits, "logits", "model.logits")
    check_mask(mask)
    rows = logits.flatten(0, -2)
    lengths = [len(rows), len(labels)]
    if mask is not None:
        lengths.append(len(mask))
    if len(set(lengths)) > 1:
        raise ValueError(
            "logits, labels and mask must have one row per input, got "
            f"{', '.join(map(str, lengths))} rows"
        )
    labels = labels.to(logits.device)
    if mask is None:
        return rows, labels
    mask = mask.to(logits.device)
    if not mask.any():
        raise ValueError("the mask selects no input")
    return rows[mask], labels[mask]


def _check_one_answer(labels: Tensor) -> None:
    if labels.ndim != 1:
        raise ValueError(
            f"labels of shape {tuple(labels.shape)} are of several answers: use "
            "answers.mean_losses and answers.accuracies, with n_classes=task.n_classes"
        )


def check_mask(mask: object) -> None:
    """Raises TypeError unless a mask is None, or a tensor of booleans on one axis."""
    if mask is None:
        return
    if not isinstance(mask, Tensor):
        raise TypeError(
            f"mask must be a tensor of booleans, one per input, got {type(mask).__name__}; key "
            "frequencies are the argument before it, keys"
        )
    if mask.dtype != torch.bool or mask.ndim != 1:
        raise TypeError(
            f"mask must be a tensor of booleans, one per input, got {mask.dtype} of shape "
            f"{tuple(mask.shape)}"
        )


def _check_tensor(x: object, name: str, instead: str) -> None:
    """Raises TypeError unless x is a tensor, saying what came and what to pass instead."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(x).__name__}: pass {instead}")
