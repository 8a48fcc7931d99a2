"""Many remainders at once: n mod q for every prime q below p, of all n < p^2 as two digits in base
p.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils.tasks.checks import plain_numbers
from interp_utils.tasks.controls import random_labels
from interp_utils.tasks.layout import Operand
from interp_utils.tasks.modular import modulus, pairs
from interp_utils.tasks.primes import primes_below
from interp_utils.tasks.splits import Split, train_mask
from interp_utils.tasks.task import Task

__all__ = ["Remainders", "numbers", "remainders"]

DigitOrder = Literal["low_first", "high_first"]
Labels = Literal["true", "permuted"]


@dataclass(frozen=True, eq=False)
class Remainders(Task):
    """places: the place values of the two digits, 1 and p in some order: the number is
    n = places[0] * first + places[1] * second. A modulus whose weight is 0 is masked: its loss is
    not trained on.
    """

    places: tuple[int, int] = (1, 1)
    kind: ClassVar[str] = "remainders"

    @property
    def moduli(self) -> tuple[int, ...]:
        return self.n_classes

    @property
    def masked(self) -> tuple[int, ...]:
        weight_of = zip(self.n_classes, self.answer_weights, strict=True)
        return tuple(q for q, weight in weight_of if weight == 0)

    def about(self) -> dict[str, Any]:
        return super().about() | {"places": list(self.places)}

    @classmethod
    def stored_fields(
        cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> dict[str, Any]:
        return super().stored_fields(about, tensors) | {"places": tuple(about["places"])}


@plain_numbers
def remainders(
    p: int,
    frac_train: float = 0.3,
    seed: int = 0,
    split: Split = "random",
    primes: Sequence[int] | None = None,
    digit_order: DigitOrder = "low_first",
    labels: Labels = "true",
    masked: Sequence[int] | None = None,
) -> Remainders:
    """n mod q for each prime q < p, of every n < p^2, as tokens [digit, digit, "="]: labels "n
    answer". Any p >= 3.

    The loss is the mean over the answers of their losses divided by ln q, a uniform guess's loss.
    primes:      the moduli, if not all primes below p; any distinct integers from 2.
    digit_order: "low_first" [n mod p, n // p] is the text's, "high_first" that of the code that
    made its figures.
    labels:      "permuted" is T_basis: the labels of all n in random order, those of one n
                 together.
    masked:      moduli whose losses are left out (T_masked: 2, 3, 5, 7); the mean is still over all
                 answers.
    Source: Syrkis and Søgaard 2024, "Tasks" and eq. 12. Raises ValueError for arguments that make
    no task, e.g. where there is no prime below p.
    """
    modulus(p)
    for name, value, options in (
        ("digit_order", digit_order, DigitOrder),
        ("labels", labels, Labels),
    ):
        if value not in get_args(options):
            raise ValueError(f"{name} must be one of {get_args(options)}, got {value!r}")
    moduli = primes_below(p) if primes is None else list(primes)
    if not moduli and primes is None:
        raise ValueError(f"there is no prime below p = {p}; the smallest base with one is 3")
    if (
        not moduli
        or len(set(moduli)) < len(moduli)
        or not all(type(q) is int and q >= 2 for q in moduli)
    ):
        raise ValueError(f"primes must be distinct integers from 2, got {moduli}")
    masked = list(masked or [])
    if unknown := sorted(set(masked) - set(moduli)):
        raise ValueError(f"masked names {unknown}, which are not among the moduli {moduli}")
    if len(set(masked)) == len(moduli):
        raise ValueError("masked leaves no loss to learn from; leave one of the moduli out of it")
    first, second = pairs(p, p).unbind(1)
    places = (1, p) if digit_order == "low_first" else (p, 1)
    n = places[0] * first + places[1] * second
    task = Remainders(
        name="remainders",
        tokens=torch.stack([first, second, torch.full_like(first, p)], dim=1),
        labels=n[:, None] % torch.tensor(moduli),
        train_mask=train_mask(p * p, frac_train, seed, split),
        n_classes=tuple(moduli),
        d_vocab=p + 1,
        operands=(Operand(0, torch.arange(p)), Operand(1, torch.arange(p))),
        places=places,
        weights=tuple(0.0 if q in masked else 1 / (len(moduli) * math.log(q)) for q in moduli),
        params={
            "p": p,
            "frac_train": frac_train,
            "seed": seed,
            "primes": moduli,
            "digit_order": digit_order,
            "labels": labels,
            "masked": masked,
            "split": split,
        },
    )
    return (
        task
        if labels == "true"
        else dataclasses.replace(random_labels(task, seed), name=task.name, params=task.params)
    )


def numbers(task: Remainders) -> Int[Tensor, "n"]:
    """The number n that each input of a `remainders` task spells."""
    n = torch.zeros_like(task.tokens[:, 0])
    for operand, place in zip(task.operands, task.places, strict=True):
        n = n + place * operand.values(task.tokens.cpu(), "digit", task.d_vocab).to(n.device)
    return n
