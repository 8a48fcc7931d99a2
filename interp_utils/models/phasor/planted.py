"""One phasor that adds mod p, by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from interp_utils.models.phasor.config import PhasorConfig
from interp_utils.models.phasor.forward import initial_weights
from interp_utils.tasks import Task


def exact(task: Task, frequencies: Sequence[int] = (1,)) -> tuple[PhasorConfig, dict[str, Tensor]]:
    """A network without hidden layers that solves (a + b) mod p, and its weights: phasor j sums the
    two operands at its frequency k, with weights 1.

    With A = 2 pi k a / p and B = 2 pi k b / p, exp(iA) + exp(iB) = 2 cos((A - B) / 2) exp(i (A + B)
    / 2): a phasor averages, up to a turn by pi, and twice its phase is A + B. For odd p the cosine
    is never 0; one frequency is enough.

    Raises ValueError for another operation, for even p, where inputs with a - b = p / 2 cancel, and
    for a frequency that has a factor in common with p: it confuses sums.
    """
    p, n = task.p, torch.arange(task.p)
    if not task.a_major().labels.view(p, p).cpu().equal((n[:, None] + n) % p):
        raise ValueError(f"this is a solution of (a + b) mod p, and {task.name} has other labels")
    if p % 2 == 0:
        raise ValueError(f"p must be odd, got {p}: the phases of a and a + p / 2 cancel at odd k")
    shared = [k for k in frequencies if math.gcd(k, p) > 1]
    if shared:
        raise ValueError(f"frequencies must have no factor in common with {p}, got {shared[0]}")
    config = PhasorConfig(
        hidden=(), inputs=tuple(frequencies), outputs=tuple(frequencies), harmonic=2
    ).for_task(task)
    W = torch.eye(len(frequencies)).repeat(len(config.positions), 1)
    return config, initial_weights(config) | {"blocks.0.W": W}
