"""x^a + y^b mod p: addition of u = x^a and v = y^b (Patel et al., section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils.tasks.checks import plain_numbers
from interp_utils.tasks.layout import Layout, Operation
from interp_utils.tasks.modular import Train, modulus, sums_task
from interp_utils.tasks.splits import Split
from interp_utils.tasks.task import Task

__all__ = ["PowerSum", "exponentiated_addition", "powers"]


@dataclass(frozen=True, eq=False)
class PowerSum(Task):
    """exponents: a and b of (x^a + y^b) mod p."""

    exponents: tuple[int, int] = (1, 1)
    kind: ClassVar[str] = "power_sum"

    def about(self) -> dict[str, Any]:
        return super().about() | {"exponents": list(self.exponents)}

    @classmethod
    def stored_fields(
        cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> dict[str, Any]:
        return super().stored_fields(about, tensors) | {"exponents": tuple(about["exponents"])}


@plain_numbers
def exponentiated_addition(
    p: int,
    a: int,
    b: int,
    frac_train: float = 0.3,
    seed: int = 0,
    split: Split = "random",
    layout: Layout | None = None,
    train: Train | None = None,
) -> PowerSum:
    """(x^a + y^b) mod p on all pairs 0 <= x, y < p, as tokens [x, y, "="]; any exponents from 1,
    any p >= 2.

    Other arguments, and errors, are those of `modular_addition`, which is the case a = b = 1.
    Source: Patel et al., section 3.3.
    """
    operation = Operation(powers(p, a), powers(p, b), torch.arange(p))
    params = {"p": p, "a": a, "b": b, "frac_train": frac_train, "seed": seed, "split": split}
    name = "exponentiated_addition"
    return sums_task(name, operation, p, params, layout, train, make=PowerSum, exponents=(a, b))


@plain_numbers
def powers(p: int, exponent: int) -> Int[Tensor, "p"]:
    """x^exponent mod p for x = 0 .. p - 1, by modular exponentiation: exact for any exponent.

    Raises ValueError for a p below 2 or an exponent below 1.
    """
    if type(exponent) is not int or exponent < 1:
        raise ValueError(f"an exponent must be an integer of at least 1, got {exponent!r}")
    return torch.tensor([pow(x, exponent, p) for x in range(modulus(p))])
