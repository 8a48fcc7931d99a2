"""Tasks whose inputs are all pairs (a, b), a-major: n = a * p + b."""

from __future__ import annotations

import dataclasses
import random
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_utils.tasks.task import Task

Split = Literal["random", "grokking_demo", "paper"]
PUBLISHED_SEED: dict[str, int] = {"random": 0, "grokking_demo": 598, "paper": 0}


def modular_addition(
    p: int,
    frac_train: float = 0.3,
    seed: int | None = None,
    split: Split = "random",
    equals: bool = True,
) -> Task:
    """(a + b) mod p on all pairs 0 <= a, b < p, as tokens [a, b, "="] with "=" the token p. Any p
    >= 2.

    frac_train: fraction of the pairs for training, in (0, 1]; int(frac_train * p^2) pairs. 1 leaves
    no test pair.
    split:      see `train_mask`. seed None is the split's published one.
    equals:     False for tokens [a, b] alone, answered at b.
    Raises ValueError for a p, fraction, seed or split that makes no task.
    """
    seed = PUBLISHED_SEED.get(split) if seed is None else seed
    n = torch.arange(_modulus(p))
    task = _pairs_task("modular_addition", p, n, n, frac_train, seed, split, {})
    if equals:
        return task
    return dataclasses.replace(
        task,
        tokens=task.tokens[:, :2].contiguous(),
        d_vocab=p,
        params={**task.params, "equals": False},
    )


def exponentiated_addition(
    p: int, a: int, b: int, frac_train: float = 0.3, seed: int = 0, split: Split = "random"
) -> Task:
    """(x^a + y^b) mod p on all pairs 0 <= x, y < p, as tokens [x, y, "="]; any exponents from 1,
    any p >= 2.

    Pairs, splits and errors are those of `modular_addition`, which is a = b = 1. Source: Patel et
    al., section 3.3.
    """
    x, y = powers(p, a), powers(p, b)
    return _pairs_task("exponentiated_addition", p, x, y, frac_train, seed, split, {"a": a, "b": b})


def powers(p: int, exponent: int) -> Int[Tensor, "p"]:
    """x^exponent mod p for x = 0 .. p - 1, by modular exponentiation: exact for any exponent.

    Raises ValueError for a p below 2 or an exponent below 1.
    """
    if type(exponent) is not int or exponent < 1:
        raise ValueError(f"an exponent must be an integer of at least 1, got {exponent!r}")
    return torch.tensor([pow(x, exponent, p) for x in range(_modulus(p))])


def _modulus(p: int) -> int:
    if type(p) is not int or p < 2:
        raise ValueError(f"p must be an integer of at least 2, got {p!r}")
    return p


def _pairs_task(
    name: str,
    p: int,
    u: Tensor,
    v: Tensor,
    frac_train: float,
    seed: int,
    split: Split,
    params: dict,
) -> Task:
    """(u[x] + v[y]) mod p on all pairs."""
    x, y = pairs(p, p).unbind(1)
    return Task(
        name=name,
        tokens=torch.stack([x, y, torch.full_like(x, p)], dim=1),
        labels=(u[x] + v[y]) % p,
        train_mask=train_mask(p * p, frac_train, seed, split),
        n_classes=(p,),
        d_vocab=p + 1,
        grid=(p, p),
        params={"p": p, **params, "frac_train": frac_train, "seed": seed, "split": split},
    )


def pairs(n_a: int, n_b: int) -> Int[Tensor, "n 2"]:
    """All pairs (a, b), a-major."""
    return torch.cartesian_prod(torch.arange(n_a), torch.arange(n_b))


def train_mask(n: int, frac_train: float, seed: int, split: Split) -> Bool[Tensor, "n"]:
    """True for the first int(frac_train * n) of a seeded permutation of 0 .. n - 1.

    "random":        NumPy's RandomState, whose stream is frozen: the same split in every version.
    "grokking_demo": torch.manual_seed(seed), torch.randperm, on the CPU (TransformerLens's
    Grokking_Demo, seed 598).
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
    if split == "grokking_demo":
        return torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    if split == "paper":
        order = list(range(n))
        random.Random(seed).shuffle(order)
        return torch.tensor(order)
    return torch.from_numpy(np.random.RandomState(seed).permutation(n))
