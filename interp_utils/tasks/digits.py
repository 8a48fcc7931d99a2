"""Numbers as digits in a base, the highest first."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils.tasks.checks import plain_numbers

__all__ = ["from_digits", "n_digits", "to_digits"]


@plain_numbers
def n_digits(n: int, base: int) -> int:
    """How many digits n has in a base; 0 has one. Raises ValueError for a base below 2."""
    check_base(base)
    if type(n) is not int or n < 0:
        raise ValueError(f"a number with digits must be an integer of at least 0, got {n!r}")
    count = 1
    while n >= base:
        n, count = n // base, count + 1
    return count


def to_digits(n: Int[Tensor, "*n"], base: int, width: int) -> Int[Tensor, "*n width"]:
    """The digits of each number, with zeros in front up to the width.

    Raises ValueError for a base below 2, and for a number that is negative or does not fit.
    """
    check_base(base)
    rest, digits = n.long(), []
    for _ in range(width):
        digits.append(rest % base)
        rest = rest // base
    misfit = (rest != 0) | (n < 0)
    if misfit.any():
        raise ValueError(
            f"{int(n[misfit].flatten()[0])} does not fit {width} digits in base {base}, which "
            f"take 0 .. {base**width - 1}; give it more"
        )
    return torch.stack(digits[::-1], -1)


def from_digits(digits: Int[Tensor, "*n width"], base: int) -> Int[Tensor, "*n"]:
    """The number that each row of digits spells. Raises ValueError for what is no digit."""
    check_base(base)
    if ((digits < 0) | (digits >= base)).any():
        raise ValueError(
            f"digits in base {base} are 0 .. {base - 1}, got {int(digits.min())} .. "
            f"{int(digits.max())}"
        )
    number = torch.zeros_like(digits[..., 0])
    for digit in digits.unbind(-1):
        number = number * base + digit
    return number


def check_base(base: int) -> int:
    """The base. Raises ValueError unless it is an integer of at least 2."""
    if type(base) is not int or base < 2:
        raise ValueError(f"base must be an integer of at least 2, got {base!r}")
    return base
