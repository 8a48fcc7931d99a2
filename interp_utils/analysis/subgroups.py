"""All subgroups of a finite group, their classes, and their linear characters, from its table."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils.group_tables import check_table, element_orders, group_table, identity, inverses
from interp_utils.precision import exactly

CosetSide = Literal["left", "right"]
# By order: a group that is not cyclic and has another name than D5, D6, ...
OTHER_NAMES = {4: "D2", 6: "S3", 8: "Q8", 12: "A4", 24: "S4", 60: "A5", 120: "S5"}


@exactly
def subgroups(table: Int[Tensor, "g g"]) -> Bool[Tensor, "subgroup g"]:
    """Every subgroup as the mask of its elements, by order, then by elements.

    The cyclic subgroups are found first, then those that they generate together, until none is new.
    Groups with many thousands of subgroups take long.
    """
    check_table(table)
    rows, e = table.tolist(), identity(table)
    cyclic = sorted({_closure(rows, e, (x,)) for x in range(len(rows))}, key=len)
    generators = {closed: _generator(rows, e, closed) for closed in cyclic}
    of_each = {closed: (generators[closed],) for closed in cyclic}
    waiting, seen = list(cyclic), set()
    while waiting:
        subgroup = waiting.pop()
        for other in cyclic:
            union = subgroup | other
            if len(union) == len(subgroup) or union in seen:
                continue
            seen.add(union)
            joined = (*of_each[subgroup], generators[other])
            closed = _closure(rows, e, joined)
            if closed not in of_each:
                of_each[closed] = joined
                waiting.append(closed)
    found = sorted(of_each, key=lambda closed: (len(closed), sorted(closed)))
    masks = torch.zeros(len(found), len(rows), dtype=torch.bool)
    for row, closed in enumerate(found):
        masks[row, sorted(closed)] = True
    return masks


def _closure(rows: list[list[int]], e: int, generators: tuple[int, ...]) -> frozenset[int]:
    """The subgroup that elements generate."""
    found, waiting = {e}, [e]
    while waiting:
        row = rows[waiting.pop()]
        new = {row[generator] for generator in generators} - found
        found |= new
        waiting.extend(new)
    return frozenset(found)


def _generator(rows: list[list[int]], e: int, cyclic: frozenset[int]) -> int:
    return next(x for x in sorted(cyclic) if len(_closure(rows, e, (x,))) == len(cyclic))


@exactly
def subgroup_classes(
    table: Int[Tensor, "g g"], found: Bool[Tensor, "subgroup g"]
) -> Int[Tensor, "subgroup"]:
    """The conjugacy class of every subgroup; classes are numbered by their first subgroups.

    found: all subgroups, or a set of them that is closed under conjugation.
    """
    inverse = inverses(table)
    numbers: dict[bytes, int] = {}
    classes = []
    for mask in found:
        key = mask.numpy().tobytes()
        if key not in numbers:
            number = len(set(numbers.values()))
            elements = mask.nonzero().flatten()
            conjugates = table[table[:, elements], inverse[:, None]]  # x h x^-1 "x h"
            masks = torch.zeros(len(table), len(table), dtype=torch.bool)
            masks.scatter_(1, conjugates, True)
            numbers |= {other.numpy().tobytes(): number for other in masks}
        classes.append(numbers[key])
    return torch.tensor(classes)


@exactly
def subgroup_name(table: Int[Tensor, "g g"], subgroup: Bool[Tensor, "g"]) -> str:
    """The name of a subgroup of a known kind (C4, D5, S4, A5, S3xC2 as D6), else its order and how
    many elements of each order it has: "20: 1, 5 of order 2, 10 of order 4, 4 of order 5".

    Known kinds are recognised by these numbers, in which all groups of up to 15 elements differ.
    """
    elements = subgroup.nonzero().flatten()
    profile = _profile(element_orders(table)[elements])
    order = len(elements)
    names = [f"C{order}"]
    if order % 2 == 0 and order > 6:
        names.append(f"D{order // 2}")
    if order in OTHER_NAMES:
        names.append(OTHER_NAMES[order])
    for name in names:
        kind = group_table("C2xC2" if name == "D2" else name)
        if _profile(element_orders(kind)) == profile:
            return name
    counts = [f"{count} of order {k}" for k, count in sorted(profile.items()) if k > 1]
    return ", ".join([f"{order}: 1", *counts])


def _profile(orders: Int[Tensor, "x"]) -> dict[int, int]:
    values, counts = orders.unique(return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


@exactly
def sign_characters(
    subgroup: Bool[Tensor, "g"], found: Bool[Tensor, "subgroup g"]
) -> Float[Tensor, "character g"]:
    """The homomorphisms of a subgroup to 1 and -1, the trivial one first; 0 off the subgroup.

    Each is 1 on a subgroup of index 2 and -1 on the rest. found: all subgroups.
    """
    order = subgroup.sum()
    halves = found[(found.sum(1) * 2 == order) & ~(found & ~subgroup).any(1)]
    return torch.cat([subgroup.double()[None], 2 * halves.double() - subgroup.double()])


@exactly
def coset_labels(
    table: Int[Tensor, "g g"], subgroup: Bool[Tensor, "g"], side: CosetSide
) -> Int[Tensor, "g"]:
    """The smallest element of each element's coset: gH for side "left", Hg for "right"."""
    check_side(side)
    elements = subgroup.nonzero().flatten()
    return (table[:, elements] if side == "left" else table[elements].T).amin(1)


def check_side(side: str) -> None:
    """Raises ValueError unless side is "left" or "right"."""
    if side not in get_args(CosetSide):
        raise ValueError(f"side must be one of {get_args(CosetSide)}, got {side!r}")
