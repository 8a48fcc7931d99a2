"""Tasks whose inputs are all pairs (a, b), a-major: n = a * p + b."""

from __future__ import annotations

import random
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_utils.tasks.task import Task

Split = Literal["random", "grokking_demo", "paper"]
PUBLISHED_SEED: dict[str, int] = {"random": 0, "grokking_demo": 598, "paper": 0}


def modular_addition(p: int, frac_train: float = 0.3, seed: int | None = None, split: Split = "random") -> Task:
    """(a + b) mod p on all pairs 0 <= a, b < p, as tokens [a, b, "="] with "=" the token p. Any p >= 2.

    frac_train: fraction of the pairs for training, in (0, 1]; int(frac_train * p^2) pairs. 1 leaves no test pair.
    split:      see `train_mask`. seed None is the split's published one.
    Raises ValueError for a p, fraction, seed or split that makes no task.
    """
    if type(p) is not int or p < 2:
        raise ValueError(f"p must be an integer of at least 2, got {p!r}")
    a, b = pairs(p, p).unbind(1)
    seed = PUBLISHED_SEED.get(split) if seed is None else seed
    return Task(
        name="modular_addition",
        tokens=torch.stack([a, b, torch.full_like(a, p)], dim=1),
        labels=(a + b) % p,
        train_mask=train_mask(p * p, frac_train, seed, split),
        n_classes=(p,),
        d_vocab=p + 1,
        grid=(p, p),
        params={"p": p, "frac_train": frac_train, "seed": seed, "split": split},
    )


def pairs(n_a: int, n_b: int) -> Int[Tensor, "n 2"]:
    """All pairs (a, b), a-major."""
    return torch.cartesian_prod(torch.arange(n_a), torch.arange(n_b))


def train_mask(n: int, frac_train: float, seed: int, split: Split) -> Bool[Tensor, "n"]:
    """True for the first int(frac_train * n) of a seeded permutation of 0 .. n - 1.

    "random":        NumPy's RandomState, whose stream is frozen: the same split in every version.
    "grokking_demo": torch.manual_seed(seed), torch.randperm, on the CPU (TransformerLens's Grokking_Demo, seed 598).
    "paper":         random.seed(seed), random.shuffle (Nanda et al. 2023, released code, seed 0).
    """
    if split not in get_args(Split):
        raise ValueError(f"split must be one of {get_args(Split)}, got {split!r}")
    if type(frac_train) not in (int, float) or not 0 < frac_train <= 1:
        raise ValueError(f"frac_train must be a number in (0, 1], got {frac_train!r}")
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer in 0 .. 2^32 - 1, got {seed!r}")
    n_train = int(frac_train * n)
    if n_train == 0:
        raise ValueError(f"frac_train = {frac_train} of {n} inputs leaves none for training; it must be at least {1 / n:.2g}")
    mask = torch.zeros(n, dtype=torch.bool)
    mask[permutation(n, seed, split)[:n_train]] = True
    return mask


def permutation(n: int, seed: int, split: Split) -> Int[Tensor, "n"]:
    """The seeded order of which `train_mask` takes the first part. No global random state is touched."""
    if split == "grokking_demo":
        return torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    if split == "paper":
        order = list(range(n))
        random.Random(seed).shuffle(order)
        return torch.tensor(order)
    return torch.from_numpy(np.random.RandomState(seed).permutation(n))
