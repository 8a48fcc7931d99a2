"""Models planted by hand, whose measures are known exactly. float64."""

import math

import torch
from torch import Tensor

from interp_utils import tasks


def random(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers: a tensor with nothing in it."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def numbers(p: int) -> Tensor:
    return torch.arange(p, dtype=torch.float64)


def angle(p: int, k: int) -> float:
    return 2 * math.pi * k / p


def labels(p: int) -> Tensor:
    n = torch.arange(p)
    return ((n[:, None] + n) % p).flatten()


def clock(p: int, amplitudes: dict[int, float]) -> Tensor:
    """Logits sum of A_k cos w_k(a + b - c): what Nanda's algorithm computes."""
    n = numbers(p)
    d = n[:, None, None] + n[:, None] - n
    return sum(amplitude * torch.cos(angle(p, k) * d) for k, amplitude in amplitudes.items())


def pizza(p: int, amplitudes: dict[int, float]) -> Tensor:
    """Logits sum of A_k |cos w_k(a - b) / 2| cos w_k(a + b - c) (Zhong et al. 2023)."""
    n = numbers(p)
    difference, d = n[:, None] - n, n[:, None, None] + n[:, None] - n
    return sum(
        A * torch.cos(angle(p, k) * difference / 2).abs()[..., None] * torch.cos(angle(p, k) * d)
        for k, A in amplitudes.items()
    )


def gromov(p: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gromov's analytic two-layer solution: W_a, W_b "neuron p", W_out "p neuron", and frequency
    "neuron".

    Hidden units (W_a[a] + W_b[b])^2 with random phases phi_a, phi_b, read out with phase phi_a +
    phi_b.
    """
    generator = torch.Generator().manual_seed(seed)
    frequency = torch.arange(width) % (p // 2) + 1
    phase_a, phase_b = (
        2 * math.pi * torch.rand(2, width, 1, generator=generator, dtype=torch.float64)
    )
    turns = 2 * math.pi / p * frequency[:, None] * numbers(p)
    W_a, W_b = torch.cos(turns + phase_a), torch.cos(turns + phase_b)
    return W_a, W_b, torch.cos(turns + phase_a + phase_b).T, frequency


def gromov_hidden(W_a: Tensor, W_b: Tensor) -> Tensor:
    """Hidden activations on the grid, "p p neuron"."""
    return (W_a.T[:, None] + W_b.T[None, :]).square()


def primes_below(limit: int) -> list[int]:
    """By trial division."""
    return [n for n in range(2, limit) if all(n % d for d in range(2, math.isqrt(n) + 1))]


def remainder_task(p: int) -> tasks.Task:
    """Every n below p^2 as its high digit, its low digit and "="; n mod q for every prime q < p."""
    moduli, n = primes_below(p), torch.arange(p * p)
    return tasks.Task(
        name="planted_remainders",
        tokens=torch.stack([n // p, n % p, torch.full_like(n, p)], 1),
        labels=torch.stack([n % q for q in moduli], 1),
        train_mask=n % 3 > 0,
        n_classes=tuple(moduli),
        d_vocab=p + 1,
        operands=tuple(tasks.Operand(i, torch.arange(p)) for i in (0, 1)),
        params={"p": p, "primes": moduli},
    )


def remainder_logits(labels: Tensor, n_classes: tuple[int, ...]) -> Tensor:
    """Packed logits that are right everywhere: 3 for each head's label, 0 for its other classes."""
    columns = [
        3 * torch.nn.functional.one_hot(head, q).double()
        for head, q in zip(labels.T, n_classes, strict=True)
    ]
    return torch.cat(columns, 1)
