"""Polynomials and quotients mod p: the operations of Power et al. 2022, whether or not they are
sums.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils.tasks.checks import plain_numbers
from interp_utils.tasks.layout import Layout, Operation
from interp_utils.tasks.modular import Train, modulus, require_odd_prime, table_task
from interp_utils.tasks.powers import powers
from interp_utils.tasks.splits import Split
from interp_utils.tasks.task import Task

__all__ = ["modular_polynomial", "modular_quotient"]

Terms = Mapping[tuple[int, int], int]  # (power of a, power of b) -> coefficient
FACTOR = r"(?:\d+|[ab](?:\^\d+)?)"
TERM = re.compile(rf"([+-]?)\s*({FACTOR}(?:\s*{FACTOR})*)\s*")


@plain_numbers
def modular_polynomial(
    p: int,
    formula: str,
    frac_train: float = 0.3,
    seed: int = 0,
    split: Split = "random",
    layout: Layout | None = None,
    train: Train | None = None,
) -> Task:
    """A polynomial in a and b, mod p, on all pairs 0 <= a, b < p: "a^2 + a b + b^2", "a^3 + a b".

    formula: terms with signs; each term a product of whole numbers, a, b and their powers, as
             above.
    Where no term has both a and b, the label is a sum u(a) + v(b), and the task states it. Other
    arguments are as for `modular_addition`. Raises ValueError for any other formula.
    """
    terms, n = polynomial(formula), torch.arange(modulus(p))
    mixed = [powers_of for powers_of in terms if all(powers_of)]
    operation = None if mixed else Operation(_of_a(p, terms), _of_b(p, terms), n)
    params = {"p": p, "formula": formula, "frac_train": frac_train, "seed": seed, "split": split}
    labels = values(p, terms)
    return table_task("modular_polynomial", labels, p, params, layout, train, operation=operation)


@plain_numbers
def modular_quotient(
    p: int,
    frac_train: float = 0.3,
    seed: int = 0,
    split: Split = "random",
    layout: Layout | None = None,
    train: Train | None = None,
) -> Task:
    """a / b mod p on all pairs 0 <= a < p, 1 <= b < p of a prime p, as in Power et al. 2022.

    Value 0 of b is the number 1; tokens are the numbers themselves, "=" is p. The task states no
    operation: a = 0 has no logarithm, and without it the quotient would be a difference of discrete
    logarithms mod p - 1. Other arguments are as for `modular_addition`.
    """
    require_odd_prime(p, "division by 1 .. p - 1 needs")
    inverses = torch.tensor([pow(b, -1, p) for b in range(1, p)])
    labels = torch.arange(p)[:, None] * inverses % p
    form = layout or Layout(["a", "b", p], tokens=(list(range(p)), list(range(1, p))))
    params = {"p": p, "frac_train": frac_train, "seed": seed, "split": split}
    return table_task("modular_quotient", labels, p, params, form, train, first=(0, 1))


def polynomial(formula: str) -> Terms:
    """The terms of a formula. Raises ValueError, naming the part that could not be read."""
    terms: dict[tuple[int, int], int] = {}
    rest = formula.strip()
    while rest:
        found = TERM.match(rest)
        if found is None or (terms and not found[1]):
            raise ValueError(
                f"a formula has terms such as 2, a, 3 a^2 b, with + or - between; {formula!r} "
                f"cannot be read from {rest!r}"
            )
        coefficient, exponents = -1 if found[1] == "-" else 1, {"a": 0, "b": 0}
        for factor in re.findall(FACTOR, found[2]):
            if factor[0].isdigit():
                coefficient *= int(factor)
            else:
                exponents[factor[0]] += int(factor[2:] or 1)
        place = exponents["a"], exponents["b"]
        terms[place] = terms.get(place, 0) + coefficient
        rest = rest[found.end() :]
    if not terms:
        raise ValueError('an empty formula; give one such as "a^2 + a b + b^2"')
    return terms


def values(p: int, terms: Terms) -> Int[Tensor, "a b"]:
    """The polynomial's value at every pair, mod p."""
    table = torch.zeros(p, p, dtype=torch.int64)
    for (i, j), coefficient in terms.items():
        product = _power(p, i)[:, None] * _power(p, j) % p
        table = (table + coefficient % p * product) % p
    return table


def _of_a(p: int, terms: Terms) -> Int[Tensor, "p"]:
    """The terms in a, and the constant."""
    return values(p, {powers_of: c for powers_of, c in terms.items() if not powers_of[1]})[:, 0]


def _of_b(p: int, terms: Terms) -> Int[Tensor, "p"]:
    return values(p, {powers_of: c for powers_of, c in terms.items() if powers_of[1]})[0]


def _power(p: int, exponent: int) -> Int[Tensor, "p"]:
    return powers(p, exponent) if exponent else torch.ones(p, dtype=torch.int64)
