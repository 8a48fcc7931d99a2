"""Cross-entropy that keeps its digits, and other losses. Each takes logits and labels and returns
nats per input, or per input and answer; `cosine_loss` is no cross-entropy, and has no unit.

A model gives one answer to each input, or several. The logits of several answers stand side by
side: each answer has a range of adjacent logits, and a softmax of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.precision import at_least_float32


@at_least_float32
def cross_entropy(
    logits: Float[Tensor, "batch c"],
    labels: Int[Tensor, "batch *answer"],
    n_classes: int | Sequence[int] | None = None,
) -> Float[Tensor, "batch *answer"]:
    """-log softmax(logits)[label], in nats, with full relative precision however small it is.

    With d_j = logit_j - logit_label the loss is log1p(S), S = sum over j != label of exp(d_j), and
    its gradient exp(d_j) / (1 + S); neither subtracts nearly equal numbers, as log-softmax does. In
    float32 both are within 1e-5 (relative) at margins up to 60; float64 log-softmax has no digit
    left past 40.
    n_classes: the number for each answer, for labels "batch answer"; labels "batch" need none.
    """
    labels = labels.to(logits.device)
    sizes = class_counts(logits, labels, n_classes)
    if labels.ndim == 1:
        return _RelativeCrossEntropy.apply(logits, labels[:, None], sizes).squeeze(1)
    return _RelativeCrossEntropy.apply(logits, labels, sizes)


@at_least_float32
def cross_entropy_float64(
    logits: Float[Tensor, "batch c"],
    labels: Int[Tensor, "batch *answer"],
    n_classes: int | Sequence[int] | None = None,
) -> Float[Tensor, "batch *answer"]:
    """-log softmax(logits)[label] by log-softmax in float64: the published loss (Nanda et al. 2023,
    released code). Computed on the CPU where the logits' device has no float64.
    """
    return _by_answer(torch.nn.functional.log_softmax, devices.double(logits), labels, n_classes)


@at_least_float32
def cross_entropy_log_softmax(
    logits: Float[Tensor, "batch c"],
    labels: Int[Tensor, "batch *answer"],
    n_classes: int | Sequence[int] | None = None,
) -> Float[Tensor, "batch *answer"]:
    """-log softmax(logits)[label] by log-softmax in the precision of the logits, as
    torch.nn.functional.cross_entropy has it: in float32 a loss below 6e-8 is 0, and the label's
    logit has then no gradient while the others still have theirs.
    """
    return _by_answer(torch.nn.functional.log_softmax, logits, labels, n_classes)


@at_least_float32
def stablemax_cross_entropy(
    logits: Float[Tensor, "batch c"],
    labels: Int[Tensor, "batch *answer"],
    n_classes: int | Sequence[int] | None = None,
) -> Float[Tensor, "batch *answer"]:
    """-log of StableMax, s(z_label) / sum_j s(z_j) with s(z) = z + 1 for z >= 0 and 1 / (1 - z)
    below, in float64; on the CPU where the logits' device has no float64.

    With larger logits this loss falls as 1 / z, more slowly than that of softmax, exp(-z).

    Source: Prieto et al., Grokking at the Edge of Numerical Stability (arXiv 2501.04697).
    """
    return _by_answer(_log_stablemax, devices.double(logits), labels, n_classes)


def _log_stablemax(logits: Float[Tensor, "batch c"], dim: int) -> Float[Tensor, "batch c"]:
    logs = logits.clamp(min=0).log1p() - (-logits).clamp(min=0).log1p()  # log s(z)
    return logs - logs.logsumexp(dim, keepdim=True)


@at_least_float32
def cosine_loss(
    logits: Float[Tensor, "batch c"],
    labels: Int[Tensor, "batch *answer"],
    n_classes: int | Sequence[int] | None = None,
) -> Float[Tensor, "batch *answer"]:
    """1 - logit[label], from 0 to 2, of logits that are cosine similarities with a code of each
    class. Other classes take no part.

    Source: Olin-Ammentorp and Bazhenov, Deep Phasor Networks (arXiv 2106.11908).
    """
    labels = labels.to(logits.device)
    sizes = torch.tensor(class_counts(logits, labels, n_classes), device=logits.device)
    of_answers = labels[:, None] if labels.ndim == 1 else labels
    losses = 1 - logits.gather(1, of_answers + sizes.cumsum(0) - sizes)
    return losses[:, 0] if labels.ndim == 1 else losses


def _by_answer(
    log_probabilities: Callable[..., Tensor],
    logits: Float[Tensor, "batch c"],
    labels: Int[Tensor, "batch *answer"],
    n_classes: int | Sequence[int] | None,
) -> Float[Tensor, "batch *answer"]:
    """Minus the log probability of each answer's label."""
    labels = labels.to(logits.device)
    sizes = class_counts(logits, labels, n_classes)
    of_answers = labels[:, None] if labels.ndim == 1 else labels
    losses = [
        -log_probabilities(own, dim=1).gather(1, label[:, None])[:, 0]
        for own, label in zip(logits.split(sizes, 1), of_answers.unbind(1), strict=True)
    ]
    return losses[0] if labels.ndim == 1 else torch.stack(losses, 1)


LOSSES = {
    "relative": cross_entropy,
    "float64_log_softmax": cross_entropy_float64,
    "log_softmax": cross_entropy_log_softmax,
    "stablemax": stablemax_cross_entropy,
    "cosine": cosine_loss,
}


def class_counts(
    logits: Float[Tensor, "*batch c"],
    labels: Int[Tensor, "n *answer"],
    n_classes: int | Sequence[int] | None,
) -> list[int]:
    """The number of classes of each answer. n_classes None: all logits belong to one answer.

    Raises ValueError where logits, labels and numbers of classes do not fit each other.
    """
    width = logits.shape[-1]
    if n_classes is None and labels.ndim > 1:
        raise ValueError(
            f"labels of shape {tuple(labels.shape)} are of {labels.shape[1]} answers: pass "
            f"n_classes, the number of classes of each (task.n_classes)"
        )
    sizes = _as_list(width if n_classes is None else n_classes)
    if sum(sizes) != width:
        raise ValueError(
            f"answers of {sizes} classes need {sum(sizes)} logits side by side, got {width}"
        )
    answers = 1 if labels.ndim == 1 else labels.shape[1]
    if len(sizes) != answers:
        raise ValueError(
            f"{len(sizes)} answers need labels of shape (inputs, {len(sizes)}), got "
            f"{tuple(labels.shape)}; a task with one answer has labels of shape (inputs,)"
        )
    return sizes


def _as_list(n_classes: int | Sequence[int]) -> list[int]:
    return [n_classes] if isinstance(n_classes, Integral) else list(n_classes)


class _RelativeCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits: Tensor, labels: Tensor, n_classes: list[int]) -> Tensor:
        answers = len(n_classes)
        sizes = torch.tensor(n_classes, device=logits.device)
        answer = torch.arange(answers, device=logits.device).repeat_interleave(
            sizes, output_size=sum(n_classes)
        )  # "c"
        columns = labels + sizes.cumsum(0) - sizes  # "batch answer": of the labels
        right = logits.gather(1, columns)
        # Subtracting the largest logit avoids overflow. In most cases it is the label's, and then
        # nothing is rounded.
        top = torch.stack([own.amax(1) for own in logits.split(n_classes, 1)], 1)
        exps = (logits - _to_classes(top, answer)).exp_().scatter_(1, columns, 0)
        if answers == 1:
            others = exps.sum(1, keepdim=True)
        else:
            others = exps @ torch.nn.functional.one_hot(answer, answers).to(exps.dtype)
        total = others + (right - top).exp()
        ctx.save_for_backward(exps, others, total, columns, answer)
        return torch.where(top > right, (top - right) + total.log(), others.log1p())

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        exps, others, total, columns, answer = ctx.saved_tensors
        scale = grad / total
        gradient = (exps * _to_classes(scale, answer)).scatter_(1, columns, -others * scale)
        return gradient, None, None


def _to_classes(of_answer: Tensor, answer: Tensor) -> Tensor:
    """From "batch answer" to "batch c". answer: of which answer each class is."""
    return of_answer if of_answer.shape[1] == 1 else of_answer.index_select(1, answer)
