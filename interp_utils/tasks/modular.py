"""Tasks on all pairs (a, b), a-major, whose label is a sum mod m in some coordinates of a and b."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils.tasks.checks import plain_numbers
from interp_utils.tasks.layout import Layout, Operation
from interp_utils.tasks.splits import PUBLISHED_SEED, Pairs, Split, given_mask, train_mask
from interp_utils.tasks.task import Task

__all__ = [
    "linear_combination",
    "modular_addition",
    "modular_product",
    "modular_subtraction",
    "pairs",
    "sums_task",
]

Train = Pairs | Literal["unknown"]


@plain_numbers
def modular_addition(
    p: int,
    frac_train: float = 0.3,
    seed: int | None = None,
    split: Split = "random",
    equals: bool = True,
    layout: Layout | None = None,
    train: Train | None = None,
) -> Task:
    """(a + b) mod p on all pairs 0 <= a, b < p, as tokens [a, b, "="] with "=" the token p. Any p
    >= 2.

    frac_train: fraction of the pairs for training, in (0, 1]; int(frac_train * p^2) pairs. 1 leaves
                no test pair.
    split:      see `train_mask`. seed None is the split's published one.
    equals:     False for tokens [a, b] alone, answered at b.
    layout:     for a model that was trained on another form of input (`Layout`).
    train:      the training pairs of a model that was trained elsewhere, in place of a split: a
                mask, pairs (a, b), or "unknown", for which measures of train and test are refused.
    Raises ValueError for a p, fraction, seed or split that makes no task.
    """
    n = torch.arange(modulus(p))
    seed = PUBLISHED_SEED.get(split) if seed is None else seed
    params: dict[str, Any] = {"p": p, "frac_train": frac_train, "seed": seed, "split": split}
    if not equals:
        if layout is not None:
            raise ValueError("give a layout, or equals=False, which is Layout(['a', 'b'])")
        layout, params = Layout(["a", "b"]), params | {"equals": False}
    return sums_task("modular_addition", Operation(n, n, n), p, params, layout, train)


@plain_numbers
def modular_subtraction(
    p: int,
    frac_train: float = 0.3,
    seed: int = 0,
    split: Split = "random",
    layout: Layout | None = None,
    train: Train | None = None,
) -> Task:
    """(a - b) mod p on all pairs; arguments and errors are those of `modular_addition`."""
    n = torch.arange(modulus(p))
    params = {"p": p, "frac_train": frac_train, "seed": seed, "split": split}
    return sums_task("modular_subtraction", Operation(n, -n % p, n), p, params, layout, train)


@plain_numbers
def linear_combination(
    p: int,
    alpha: int,
    beta: int,
    frac_train: float = 0.3,
    seed: int = 0,
    split: Split = "random",
    layout: Layout | None = None,
    train: Train | None = None,
) -> Task:
    """(alpha a + beta b) mod p on all pairs; other arguments are as for `modular_addition`."""
    n = torch.arange(modulus(p))
    params = {"p": p, "alpha": alpha, "beta": beta, "frac_train": frac_train, "seed": seed}
    operation = Operation(alpha % p * n % p, beta % p * n % p, n)
    made = params | {"split": split}
    return sums_task("linear_combination", operation, p, made, layout, train)


@plain_numbers
def modular_product(
    p: int,
    frac_train: float = 0.3,
    seed: int = 0,
    split: Split = "random",
    layout: Layout | None = None,
    train: Train | None = None,
) -> Task:
    """a b mod p on all pairs 1 <= a, b < p of a prime p: a sum of discrete logarithms mod p - 1.

    Zero has no logarithm and is left out: value 0 of either operand is the number 1, and class 0 is
    the answer 1. Tokens are the numbers themselves, "=" is p, and the model has p outputs, of which
    output 0 is never an answer. Other arguments are as for `modular_addition`.
    """
    require_odd_prime(p, "discrete logarithms mod p need")
    log = discrete_logarithm(p)[1:]
    operation = Operation(log, log, log.argsort())
    units = list(range(1, p))
    form = layout or Layout(["a", "b", p], tokens=units, outputs=units, d_vocab_out=p)
    params = {"p": p, "frac_train": frac_train, "seed": seed, "split": split}
    return sums_task("modular_product", operation, p - 1, params, form, train, first=(1, 1))


def discrete_logarithm(p: int) -> Int[Tensor, "p"]:
    """log of 1 .. p - 1 to the smallest primitive root of a prime p; index 0 is -1."""
    for root in range(1 if p == 2 else 2, p):
        powers = torch.ones(p - 1, dtype=torch.int64)
        for exponent in range(1, p - 1):
            powers[exponent] = powers[exponent - 1] * root % p
        if len(powers.unique()) == p - 1:
            break
    log = torch.full((p,), -1)
    log[powers] = torch.arange(p - 1)
    return log


def sums_task(
    name: str,
    operation: Operation,
    n_classes: int,
    params: dict[str, Any],
    layout: Layout | None = None,
    train: Train | None = None,
    make: type[Task] = Task,
    **fields: Any,
) -> Task:
    """classes[(u[a] + v[b]) mod m] on all pairs, for any coordinates u and v.

    params: "frac_train", "seed" and "split" of the split, and what else people should read.
    """
    labels = operation.labels
    return table_task(
        name, labels, n_classes, params, layout, train, make, operation=operation, **fields
    )


def table_task(
    name: str,
    labels: Int[Tensor, "a b"],
    n_classes: int,
    params: dict[str, Any],
    layout: Layout | None = None,
    train: Train | None = None,
    make: type[Task] = Task,
    first: tuple[int, int] = (0, 0),
    **fields: Any,
) -> Task:
    """A task whose table gives the label of every pair.

    params: as for `sums_task`. first: the numbers of value 0 of a and of b, from which the pairs of
    `train` are counted.
    """
    layout = layout or Layout()
    if not isinstance(layout, Layout):
        raise TypeError(f"layout must be a tasks.Layout, e.g. Layout({layout!r}), got {layout!r}")
    n_a, n_b = labels.shape
    a, b = pairs(n_a, n_b).unbind(1)
    tokens, operands, d_vocab = layout.write(a, b, n_a, n_b)
    known = not (isinstance(train, str) and train == "unknown")
    if not known:
        mask = torch.zeros(n_a * n_b, dtype=torch.bool)
    elif train is not None:
        mask = given_mask(train, (n_a, n_b), first)
    else:
        mask = train_mask(n_a * n_b, params["frac_train"], params["seed"], params["split"])
    if train is not None:
        _require_no_split(params)
        described = {"train": "given" if known else "unknown"}
        params = {k: v for k, v in params.items() if k not in ("frac_train", "seed", "split")}
        params |= described
    return make(
        name=name,
        tokens=tokens,
        labels=labels.flatten(),
        train_mask=mask,
        n_classes=(n_classes,),
        d_vocab=d_vocab,
        operands=operands,
        answer_pos=layout.answer_pos,
        outputs=None if layout.outputs is None else tuple(layout.outputs),
        d_vocab_out=layout.d_vocab_out,
        split_known=known,
        params=params,
        **fields,
    )


def _require_no_split(params: Mapping[str, Any]) -> None:
    """Raises ValueError where a split was asked for beside the training pairs."""
    asked = {"frac_train": 0.3, "split": "random"}
    if other := [f"{k}={params[k]!r}" for k, default in asked.items() if params[k] != default]:
        raise ValueError(
            f"train= says which pairs are for training: give train, or {' and '.join(other)}, not "
            "both"
        )


def pairs(n_a: int, n_b: int) -> Int[Tensor, "n 2"]:
    """All pairs (a, b), a-major."""
    return torch.cartesian_prod(torch.arange(n_a), torch.arange(n_b))


def require_odd_prime(p: int, what: str) -> None:
    """Raises ValueError for any other p. what: what needs it, "division needs"."""
    if modulus(p) < 3 or any(p % q == 0 for q in range(2, math.isqrt(p) + 1)):
        raise ValueError(f"{what} an odd prime p, got {p}")


def modulus(p: int) -> int:
    """p. Raises ValueError unless it is an integer of at least 2."""
    if type(p) is not int or p < 2:
        raise ValueError(f"p must be an integer of at least 2, got {p!r}")
    return p
