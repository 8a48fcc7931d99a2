"""Pre-activations replaced by what each reading says they are, from the weakest to the strongest.

Every rung keeps the mean, and replaces x side and y side of each neuron. The cost in loss says how
exact the reading is, on one scale for all readings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.analysis import cosets, irreps
from interp_utils.analysis.cosets import Families
from interp_utils.analysis.group_structure import Group
from interp_utils.analysis.isotypic import energies, projectors
from interp_utils.analysis.subgroups import subgroup_classes
from interp_utils.precision import exactly

RUNGS = ("additive", "irrep", "rank one", "line", "coset", "irrep, coset", "shuffled")
Side = Float[Tensor, "g neuron"]


@exactly
def rungs(pre: Float[Tensor, "x y neuron"], group: Group) -> Iterator[tuple[str, Tensor]]:
    """Name and replaced pre-activations, "x y neuron", of every rung that the group has.

    additive:     mean + x side + y side.
    irrep:        each side replaced by its part in the irrep in which it has most energy.
    rank one:     that part replaced by its best b^T rho(g) a.
    line:         b (y side: c) moved to the nearest special line.
    coset:        each side replaced by its averages over the best cosets (`cosets.families`).
    irrep, coset: both, in this order.
    shuffled:     as coset, with another conjugate of each subgroup: a control, which must fail. A
                  normal subgroup has no other conjugate and stays.
    A group without subgroups of small index has no rungs of cosets.
    """
    mean = pre.mean((0, 1))
    for name, x, y in sides(pre, group):
        yield name, mean + x[:, None] + y


@exactly
def sides(pre: Float[Tensor, "x y neuron"], group: Group) -> Iterator[tuple[str, Side, Side]]:
    """Name, replaced x side and replaced y side of every rung; `rungs` adds them to the mean."""
    x, y = cosets.sides(pre)
    for name in RUNGS:
        if group.families is not None or name in ("additive", "irrep", "rank one", "line"):
            yield name, *(_replaced(side, name, group, flip) for side, flip in ((x, 0), (y, 1)))


@exactly
def evaluate(
    pre: Float[Tensor, "x y neuron"], group: Group, measure: Callable[[Tensor], float]
) -> dict[str, float]:
    """A measure, say the loss of the model with replaced pre-activations, on every rung.

    measure takes pre-activations "x y neuron".
    """
    return {name: measure(replaced) for name, replaced in rungs(pre, group)}


def _replaced(side: Side, name: str, group: Group, flip: int) -> Side:
    if name == "additive":
        return side
    if name == "coset":
        return on_best_cosets(side, group.families)
    if name == "shuffled":
        other = other_conjugate(group.table, group.families)
        best = cosets.best_family(side, group.families).family
        return cosets.on_cosets(side, group.families, other[best])
    dominant = dominant_part(side, group)
    if name == "irrep":
        return dominant
    if name == "irrep, coset":
        return on_best_cosets(dominant, group.families)
    return _rank_one(dominant, group, flip, on_lines=name == "line")


@exactly
def dominant_irrep(side: Side, group: Group) -> Int[Tensor, "neuron"]:
    """The irrep in which each function has most of its energy."""
    return energies(side, group.table, group.irreps).argmax(0)


@exactly
def dominant_part(side: Side, group: Group) -> Side:
    """Each function's part in the irrep in which it has most energy."""
    parts = torch.zeros_like(side)
    dominant = dominant_irrep(side, group)
    P = projectors(group.table, group.irreps)
    for row in dominant.unique().tolist():
        own = dominant == row
        parts[:, own] = P[row] @ side[:, own]
    return parts


@exactly
def on_best_cosets(side: Side, families: Families) -> Side:
    """Each function replaced by its averages over the cosets that fit it best."""
    return cosets.on_cosets(side, families, cosets.best_family(side, families).family)


@exactly
def other_conjugate(table: Int[Tensor, "g g"], of: Families) -> Int[Tensor, "family"]:
    """For each family the next one of a conjugate subgroup, with the same side and twist."""
    classes = subgroup_classes(table, of.subgroups).tolist()
    keys = [
        (number, side, twist.numpy().tobytes())
        for number, side, twist in zip(classes, of.sides, of.twists, strict=True)
    ]
    alike: dict[tuple, list[int]] = {}
    for family, key in enumerate(keys):
        alike.setdefault(key, []).append(family)
    next_one = {
        family: members[(place + 1) % len(members)]
        for members in alike.values()
        for place, family in enumerate(members)
    }
    return torch.tensor([next_one[family] for family in range(len(keys))])


def _rank_one(side: Side, group: Group, flip: int, on_lines: bool) -> Side:
    """The best b^T rho(g) a (flip 0) or a^T rho(g) c (flip 1); on_lines: with b or c on a line."""
    parts = torch.zeros_like(side)
    dominant = dominant_irrep(side, group)
    for row in dominant.unique().tolist():
        own, nu = dominant == row, group.irreps.indicators[row].item()
        A = irreps.coefficients(side[:, own], group.rho[row], nu)
        U, s, V = torch.linalg.svd(A)
        k = irreps.MULTIPLICITY[nu]
        outer = V[:, :k].mT if flip else U[:, :, :k]
        inner = U[:, :, :k] if flip else V[:, :k].mT
        if on_lines and k == 1 and len(group.lines[row].vectors):
            outer = _on_lines(outer[:, :, 0], group.lines[row])[:, :, None]
        left, right = (inner, outer) if flip else (outer, inner)
        parts[:, own] = irreps.evaluate(left * s[:, None, :k] @ right.mT, group.rho[row])
    return parts


def _on_lines(vectors: Tensor, lines: irreps.Lines) -> Tensor:
    nearest = lines.vectors[irreps.nearest_line(vectors, lines).line]
    return nearest * (nearest * vectors).sum(1, keepdim=True).sign()
