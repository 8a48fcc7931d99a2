"""Proofs that a model is right, by the rank of its read-out: lower bounds on accuracy over the
given inputs that hold whatever the explanation was.

The logits are what does not come from the neurons, and neurons times W_L. All but a few directions
of the read-out are bounded by norms instead of computed; the fewer it takes, the shorter the proof.
Gross et al. 2024 (2406.11779) ask how short a proof can be; this bound is the suite's own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils.precision import exactly

SLACK = 1e-6  # by which a float64 margin must exceed its bound
SHARE = 0.99  # of the inputs that are answered right, which a proof is to cover
AT_A_TIME = 1024  # inputs


@exactly
def certified(
    neurons: Float[Tensor, "n neuron"],
    logits: Float[Tensor, "n c"],
    W_L: Float[Tensor, "neuron c"],
    labels: Int[Tensor, "n"],
    rank: int,
) -> Bool[Tensor, "n"]:
    """Which inputs are proved to be answered right, with the `rank` first singular directions of
    W_L (centred over classes) computed and the rest R of W_L bounded: for every other class c,

        exact[label] - exact[c] > |neurons - mean| |R[:, label] - R[:, c]|,

    where exact is logits - (neurons - mean) R. True only where the label's logit is the largest,
    for any W_L. float64, with a slack of 1e-6.
    Raises ValueError for a rank that is negative or above the number of classes, and for a label
    that is no class.
    """
    return _certified(_parts(neurons, logits, W_L), labels, rank)


@exactly
def proof_rank(
    neurons: Float[Tensor, "n neuron"],
    logits: Float[Tensor, "n c"],
    W_L: Float[Tensor, "neuron c"],
    labels: Int[Tensor, "n"],
    share: float = SHARE,
) -> int | None:
    """The least rank at which `certified` holds of this share of the inputs that are answered
    right; None where no input is.

    On addition mod p it is about twice the number of key frequencies, in a group about the sum of
    d^2 over key irreps, and needs neither: only the read-out's rank.
    Raises ValueError for a share that is not above 0 and at most 1, and for a label that is no
    class.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}")
    parts = _parts(neurons, logits, W_L)
    right = _certified(parts, labels, W_L.shape[1]).nonzero().flatten()
    if not len(right):
        return None
    return next(
        rank
        for rank in range(W_L.shape[1] + 1)
        if _is_certified(parts, labels, rank, right, share * len(right))
    )


def _is_certified(of: _Parts, labels: Tensor, rank: int, right: Tensor, least: float) -> bool:
    """Whether so many of the inputs that are answered right are certified. Most ranks are given up
    after a part of these inputs: too many are not.
    """
    rest, possible = _rest(of, rank), len(right)
    for some in right.split(AT_A_TIME):
        part = of._replace(read=of.read[some], size=of.size[some], logits=of.logits[some])
        possible -= int((~_holds(part, labels[some], *rest)).sum())
        if possible < least:
            return False
    return True


class _Parts(NamedTuple):
    """read: what the centred read-out makes of the neurons' deviations from their mean, "n c".
    size: the length of these deviations, "n 1". directions: singular vectors, "direction c".
    """

    read: Tensor
    size: Tensor
    logits: Tensor
    W_L: Tensor
    directions: Tensor


def _parts(neurons: Tensor, logits: Tensor, W_L: Tensor) -> _Parts:
    centred = W_L - W_L.mean(1, keepdim=True)
    directions = torch.linalg.svd(centred, full_matrices=True).Vh
    deviation = neurons - neurons.mean(0)
    size = deviation.norm(dim=1, keepdim=True)
    return _Parts(deviation @ centred, size, logits, centred, directions)


def _certified(of: _Parts, labels: Tensor, rank: int) -> Tensor:
    n_classes = of.logits.shape[1]
    if not 0 <= rank <= n_classes:
        raise ValueError(f"rank must be in 0 .. {n_classes}, got {rank}")
    if ((labels < 0) | (labels >= n_classes)).any():
        raise ValueError(
            f"labels must be classes 0 .. {n_classes - 1}, got {int(labels.min())} .. "
            f"{int(labels.max())}"
        )
    return _holds(of, labels, *_rest(of, rank))


def _rest(of: _Parts, rank: int) -> tuple[Tensor, Tensor]:
    """The projector on the directions that are bounded, "c c", and how far apart the classes'
    columns of the read-out are in these, "c c".
    """
    kept = of.directions[:rank]
    dropped = torch.eye(kept.shape[1], dtype=kept.dtype) - kept.T @ kept
    rest = (of.W_L @ dropped).T
    return dropped, torch.cdist(rest, rest, compute_mode="donot_use_mm_for_euclid_dist")


def _holds(of: _Parts, labels: Tensor, dropped: Tensor, apart: Tensor) -> Tensor:
    exact = of.logits - of.read @ dropped
    margin = exact.gather(1, labels[:, None]) - exact
    own = torch.nn.functional.one_hot(labels, len(apart)).bool()
    return ((margin > of.size * apart[labels] + SLACK) | own).all(1)
