"""Multiplication tables of finite groups: they are made from a name, or checked if they come from
elsewhere.

A table is `table[x, y] = x o y` on the elements 0 .. n - 1. All properties of a group are computed
from its table.
"""

from __future__ import annotations

import itertools
import re

import torch
from jaxtyping import Int
from torch import Tensor

LARGEST = 1000  # elements of a group made from a name: their pairs are a million inputs


def group_table(name: str) -> Int[Tensor, "g g"]:
    """The multiplication table of the group of this name: C7, D4, S5, A4, Q8, or a product S3xC3.

    C_n: addition mod n. D_n, of order 2n: r^i s^j is element i + n j, with s r s = r^-1.
    S_n, A_n: (even) permutations as tuples in lexicographic order, (x o y)(i) = x(y(i)): y first.
    Q8: 1, -1, i, -i, j, -j, k, -k. Products: (g, h) is element g |H| + h.
    Element 0 is the identity.
    Published tables of "p, then q" (Chughtai et al. 2023, sympy) are the transposes of these.
    Raises ValueError for any other name, and for groups of more than 1,000 elements.
    """
    tables = [_factor(part, name) for part in name.replace("_", "").split("x")]
    table = tables[0]
    for factor in tables[1:]:
        table = direct_product(table, factor)
    return table


def _factor(part: str, name: str) -> Tensor:
    match = re.fullmatch(r"([CDSAQ])([1-9]\d{0,3})", part)
    if match is None:
        raise ValueError(
            "a group's name is C, D, S, A or Q with a number, or several joined by x, "
            f"such as C7, D4, S5, A4, Q8, S3xC3; got {name!r}"
        )
    letter, n = match[1], int(match[2])
    if letter == "Q" and n != 8:
        raise ValueError(f"the quaternion group known here is Q8, got {name!r}")
    order = {"C": n, "D": 2 * n, "S": _factorial(n), "A": max(1, _factorial(n) // 2), "Q": 8}
    if order[letter] > LARGEST:
        raise ValueError(f"{part} has more than {LARGEST} elements; choose a smaller group")
    return {"C": _cyclic, "D": _dihedral, "S": _symmetric, "A": _alternating, "Q": _quaternion}[
        letter
    ](n)


def _factorial(n: int) -> int:
    """n!, or any number beyond the largest group for a large n."""
    product = 1
    for factor in range(2, min(n, 10) + 1):
        product *= factor
    return product


def _cyclic(n: int) -> Tensor:
    x = torch.arange(n)
    return (x[:, None] + x) % n


def _dihedral(n: int) -> Tensor:
    turn, flip = torch.arange(2 * n) % n, torch.arange(2 * n) // n
    turns = turn[:, None] + torch.where(flip[:, None] == 1, -turn, turn)
    return turns % n + n * ((flip[:, None] + flip) % 2)


def _symmetric(n: int) -> Tensor:
    return _of_permutations(list(itertools.permutations(range(n))))


def _alternating(n: int) -> Tensor:
    return _of_permutations([p for p in itertools.permutations(range(n)) if _is_even(p)])


def _is_even(permutation: tuple[int, ...]) -> bool:
    pairs = itertools.combinations(permutation, 2)
    return sum(first > second for first, second in pairs) % 2 == 0


def _of_permutations(permutations: list[tuple[int, ...]]) -> Tensor:
    index = {permutation: place for place, permutation in enumerate(permutations)}
    rows = [[index[tuple(x[i] for i in y)] for y in permutations] for x in permutations]
    return torch.tensor(rows)


def _quaternion(n: int) -> Tensor:
    """From i j = k, j k = i, k i = j and i^2 = j^2 = k^2 = -1."""
    table = torch.empty(n, n, dtype=torch.long)
    for x, y in itertools.product(range(n), repeat=2):
        unit_x, unit_y = x // 2, y // 2
        sign = x % 2 + y % 2
        if 0 in (unit_x, unit_y):
            unit = unit_x + unit_y
        elif unit_x == unit_y:
            unit = 0
            sign += 1
        else:
            unit = 6 - unit_x - unit_y
            sign += (unit_y - unit_x) % 3 == 2
        table[x, y] = 2 * unit + sign % 2
    return table


def direct_product(g: Int[Tensor, "g g"], h: Int[Tensor, "h h"]) -> Int[Tensor, "gh gh"]:
    """The table of pairs (x, y), at x |H| + y, multiplied in each place."""
    n, m = len(g), len(h)
    x, y = torch.arange(n * m, device=g.device) // m, torch.arange(n * m, device=g.device) % m
    return g[x[:, None], x] * m + h.to(g.device)[y[:, None], y]


def check_table(table: Int[Tensor, "g h"]) -> int:
    """The order of a group with this table.

    Raises TypeError for a table that is not of integers, and ValueError for a table that is not a
    group's: not square, not closed, without identity or inverses, or not associative. The message
    names the entry, row, element or triple that shows this. All n^3 triples are tried.
    """
    if table.is_floating_point() or table.is_complex() or table.dtype == torch.bool:
        raise TypeError(f"a multiplication table holds integers, got {table.dtype}")
    if table.ndim != 2 or table.shape[0] != table.shape[1] or table.shape[0] == 0:
        raise ValueError(f"a multiplication table is square, got shape {tuple(table.shape)}")
    n = len(table)
    outside = ((table < 0) | (table >= n)).nonzero().tolist()
    if outside:
        x, y = outside[0]
        raise ValueError(
            f"not closed: {x} o {y} = {table[x, y].item()}, and the elements are 0 .. {n - 1}"
        )
    table = table.long()
    e = identity(table)
    inverse = (table == e) & (table == e).T
    without = (~inverse.any(1)).nonzero().flatten().tolist()
    if without:
        raise ValueError(f"element {without[0]} has no inverse: no y has x o y = {e} = y o x")
    _check_rows(table)
    for a in range(n):
        wrong = (table[table[:, a]] != table[:, table[a]]).nonzero().tolist()
        if wrong:
            x, y = wrong[0]
            left, right = table[table[x, a], y].item(), table[x, table[a, y]].item()
            raise ValueError(
                f"not associative: ({x} o {a}) o {y} = {left}, but {x} o ({a} o {y}) = {right}"
            )
    return n


def _check_rows(table: Tensor) -> None:
    """Raises ValueError for a row or column that lacks an element, and so has another one twice."""
    elements = torch.arange(len(table), device=table.device)
    for kind, lines in (("row", table), ("column", table.T)):
        wrong = (lines.sort(1).values != elements).any(1).nonzero().flatten().tolist()
        if wrong:
            missing = sorted(set(elements.tolist()) - set(lines[wrong[0]].tolist()))
            raise ValueError(
                f"{kind} {wrong[0]} has no {missing[0]}; a group's {kind}s hold every element once"
            )


def identity(table: Int[Tensor, "g g"]) -> int:
    """The element e with e o x = x = x o e. Raises ValueError where there is none."""
    x = torch.arange(len(table), device=table.device)
    found = ((table == x).all(1) & (table == x[:, None]).all(0)).nonzero().flatten().tolist()
    if not found:
        raise ValueError("no element e has e o x = x = x o e for all x: there is no identity")
    return found[0]


def inverses(table: Int[Tensor, "g g"]) -> Int[Tensor, "g"]:
    """x^-1 of every element of a group."""
    return (table == identity(table)).long().argmax(1)


def element_orders(table: Int[Tensor, "g g"]) -> Int[Tensor, "g"]:
    """The smallest k >= 1 with x^k = e, for every element x."""
    e = identity(table)
    x = torch.arange(len(table), device=table.device)
    power, orders = x.clone(), torch.ones_like(x)
    while (power != e).any():
        orders += power != e
        power = torch.where(power != e, table[power, x], power)
    return orders
