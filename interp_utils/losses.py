"""Cross-entropy that keeps its digits. Every loss takes logits and labels and returns nats per
input, or per input and head.

A head is a range of adjacent logits with a softmax of its own; a task with several labels per input
has one for each.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils import devices


def cross_entropy(
    logits: Float[Tensor, "batch c"],
    labels: Int[Tensor, "batch *head"],
    n_classes: Sequence[int] | None = None,
) -> Float[Tensor, "batch *head"]:
    """-log softmax(logits)[label], in nats, with full relative precision however small it is.

    With d_j = logit_j - logit_label the loss is log1p(S), S = sum over j != label of exp(d_j), and
    its gradient exp(d_j) / (1 + S); neither subtracts nearly equal numbers, as log-softmax does. In
    float32 both are within 1e-5 (relative) at margins up to 60; float64 log-softmax has no digit
    left past 40.
    n_classes: of each head, for labels "batch head"; their logits are side by side.
    """
    labels = labels.to(logits.device)
    if labels.ndim == 1:
        return _RelativeCrossEntropy.apply(logits, labels[:, None], (logits.shape[1],)).squeeze(1)
    return _RelativeCrossEntropy.apply(logits, labels, tuple(n_classes))


def cross_entropy_float64(
    logits: Float[Tensor, "batch c"],
    labels: Int[Tensor, "batch *head"],
    n_classes: Sequence[int] | None = None,
) -> Float[Tensor, "batch *head"]:
    """-log softmax(logits)[label] by log-softmax in float64: the published loss (Nanda et al. 2023,
    released code). On the CPU where the logits' device has no float64.
    """
    logits = devices.double(logits)
    labels = labels.to(logits.device)
    if labels.ndim == 1:
        return torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    heads = zip(logits.split(list(n_classes), 1), labels.unbind(1), strict=True)
    return torch.stack([cross_entropy_float64(own, label) for own, label in heads], 1)


LOSSES = {"relative": cross_entropy, "float64_log_softmax": cross_entropy_float64}


def predictions(
    logits: Float[Tensor, "batch c"], labels: Int[Tensor, "batch *head"], n_classes: Sequence[int]
) -> Int[Tensor, "batch *head"]:
    """The class of the top logit, for each head where there are several."""
    if labels.ndim == 1:
        return logits.argmax(1)
    return torch.stack([own.argmax(1) for own in logits.split(list(n_classes), 1)], 1)


class _RelativeCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits: Tensor, labels: Tensor, n_classes: tuple[int, ...]) -> Tensor:
        heads = len(n_classes)
        sizes = torch.tensor(n_classes, device=logits.device)
        head = torch.arange(heads, device=logits.device).repeat_interleave(
            sizes, output_size=sum(n_classes)
        )  # "c"
        columns = labels + sizes.cumsum(0) - sizes  # "batch head": of the labels

        def to_classes(of_head: Tensor) -> Tensor:
            return of_head if heads == 1 else of_head.index_select(1, head)

        right = logits.gather(1, columns)
        # What leads, so that nothing overflows; the label itself in most cases, and then nothing is
        # rounded.
        top = torch.stack([own.amax(1) for own in logits.split(list(n_classes), 1)], 1)
        exps = (logits - to_classes(top)).exp_().scatter_(1, columns, 0)
        others = (
            exps.sum(1, keepdim=True)
            if heads == 1
            else exps @ torch.nn.functional.one_hot(head, heads).to(exps.dtype)
        )
        total = others + (right - top).exp()
        ctx.save_for_backward(exps, others, total, columns)
        ctx.to_classes = to_classes
        return torch.where(top > right, (top - right) + total.log(), others.log1p())

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        exps, others, total, columns = ctx.saved_tensors
        scale = grad / total
        return (exps * ctx.to_classes(scale)).scatter_(1, columns, -others * scale), None, None
