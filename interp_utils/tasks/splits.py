"""Which inputs are for training."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

__all__ = ["Split", "permutation", "train_mask"]

Columns = tuple[Tensor | np.ndarray, Tensor | np.ndarray]  # all a, all b
Pairs = Tensor | np.ndarray | Sequence[Sequence[int]] | Columns
Split = Literal["random", "grokking_demo", "paper"]
PUBLISHED_SEED: dict[str, int] = {"random": 0, "grokking_demo": 598, "paper": 0}


def train_mask(n: int, frac_train: float, seed: int, split: Split) -> Bool[Tensor, "n"]:
    """True for the first int(frac_train * n) of a seeded permutation of 0 .. n - 1.

    "random":        NumPy's RandomState, whose stream is frozen: the same split in every version.
    "grokking_demo": torch.manual_seed(seed), torch.randperm, on the CPU (TransformerLens's
                     Grokking_Demo, seed 598).
    "paper":         random.seed(seed), random.shuffle (Nanda et al. 2023, released code, seed 0).
    """
    _check_split(split)
    if type(frac_train) not in (int, float) or not 0 < frac_train <= 1:
        raise ValueError(f"frac_train must be a number in (0, 1], got {frac_train!r}")
    check_seed(seed)
    n_train = int(frac_train * n)
    if n_train == 0:
        raise ValueError(
            f"frac_train = {frac_train} of {n} inputs leaves none for training; it must be at "
            f"least {1 / n:.2g}"
        )
    mask = torch.zeros(n, dtype=torch.bool)
    mask[permutation(n, seed, split)[:n_train]] = True
    return mask


def permutation(n: int, seed: int, split: Split) -> Int[Tensor, "n"]:
    """The seeded order of which `train_mask` takes the first part. No global random state is
    touched.
    """
    _check_split(split)
    if split == "grokking_demo":
        return torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    if split == "paper":
        order = list(range(n))
        random.Random(seed).shuffle(order)
        return torch.tensor(order)
    return torch.from_numpy(np.random.RandomState(seed).permutation(n))


def check_seed(seed: int) -> None:
    """Raises ValueError unless it is a seed of NumPy's RandomState."""
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer in 0 .. 2^32 - 1, got {seed!r}")


def _check_split(split: str) -> None:
    if split not in get_args(Split):
        raise ValueError(f"split must be one of {get_args(Split)}, got {split!r}")


def given_mask(
    train: Pairs, grid: tuple[int, int], first: tuple[int, int] = (0, 0)
) -> Bool[Tensor, "n"]:
    """The training pairs of a model that was trained elsewhere, as a mask over the grid, a-major.

    train: a mask, flat or on the grid; the pairs (a, b) themselves, "k 2"; or (all a, all b).
    first: the least a and b that there are.
    Raises ValueError for anything else, or a pair that is not on the grid.
    """
    n = grid[0] * grid[1]
    expected = f"train must be a mask of {n} pairs, pairs (a, b) of shape (k, 2), or 'unknown'"
    if isinstance(train, str):
        raise ValueError(f"{expected}; got {train!r}")
    given = torch.as_tensor(_rows(train))
    if given.dtype == torch.bool and given.numel() == n and given.ndim <= 2:
        return given.detach().cpu().flatten().clone()
    whole = given.ndim == 2 and given.shape[1] == 2 and not given.is_floating_point()
    if not whole or given.dtype == torch.bool:
        raise ValueError(f"{expected}; got {given.dtype} of shape {tuple(given.shape)}")
    a, b = (given.long().cpu() - torch.tensor(first)).unbind(1)
    outside = (a < 0) | (a >= grid[0]) | (b < 0) | (b >= grid[1])
    if outside.any():
        wrong = given[outside][0].tolist()
        ranges = " and ".join(f"{low} .. {low + n - 1}" for low, n in zip(first, grid, strict=True))
        raise ValueError(f"train has the pair {wrong}, which is not on the grid of {ranges}")
    mask = torch.zeros(n, dtype=torch.bool)
    mask[a * grid[1] + b] = True
    return mask


def _rows(train: Any) -> Any:
    """Pairs as rows, where they were given as two columns. Raises ValueError where both fit."""
    columns = isinstance(train, tuple) and len(train) == 2
    if not columns or any(getattr(each, "ndim", None) != 1 for each in train):
        return train
    a, b = (torch.as_tensor(each) for each in train)
    if len(a) == len(b) == 2:
        raise ValueError(
            f"train may be the pairs {a.tolist()} and {b.tolist()}, or these as a and b: give the "
            "pairs as rows of one tensor"
        )
    return torch.stack([a, b], 1) if len(a) == len(b) else train
