"""The cost of replacing a model's neurons by each reading, and the neurons as rho-set circuits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_utils.analysis import cosets, irreps, ladder, progress, rho_sets
from interp_utils.analysis.group_structure import Group
from interp_utils.measures.group_readings import Parts
from interp_utils.measures.group_sides import mean_by_energy
from interp_utils.precision import exactly

FEW = 0.05  # the least share of energy for which a cluster of vectors a counts
SPANNED = 0.01  # the least share of energy for which a dimension of the vectors a counts


@exactly
@torch.no_grad()
def climb(model: Parts, group: Group) -> dict[str, dict[str, float]]:
    """Loss and accuracy over all pairs, test accuracy, and log10(loss / full loss) of every rung
    of the ladder (`analysis.ladder`). What skips the MLP is kept exactly.
    """
    skip = model.logits - _read_out(model, model.pre)
    full = progress.mean_loss(model.logits, model.labels)
    mean = model.pre.mean((0, 1))
    rows = {}
    for name, x, y in ladder.sides(model.pre, group):
        logits = skip + _read_out(model, (mean + own + y for own in x))
        loss = progress.mean_loss(logits, model.labels)
        rows[name] = {
            "loss": loss,
            "accuracy": progress.accuracy(logits, model.labels),
            "decades": math.log10(loss / full),
        }
        if model.train is not None and not model.train.all():
            rows[name]["test accuracy"] = progress.accuracy(logits, model.labels, mask=~model.train)
    return rows


def _read_out(model: Parts, pre: Iterable[Tensor]) -> Tensor:
    """Logits "x y z" of pre-activations, x by x: no grid of neurons is made."""
    return torch.stack([model.act(of_x) @ model.W_L for of_x in pre])


@exactly
def circuit_of(model: Parts, group: Group, irrep: int) -> rho_sets.Circuit:
    """The neurons whose x side has most energy in this irrep, as b^T rho(x) a + a^T rho(y) c.

    Raises ValueError for an irrep that is not of the real kind, or one without such neurons.
    """
    if group.irreps.indicators[irrep] != 1:
        raise ValueError(f"{group.irreps.names[irrep]} is not a real irrep: it has no lines")
    x, y = cosets.sides(model.pre)
    energy = x.square().sum(0)
    live = energy >= 1e-4 * energy.max()
    own = live & (ladder.dominant_irrep(x, group) == irrep)
    if not own.any():
        raise ValueError(f"no neuron has most of its energy in {group.irreps.names[irrep]}")
    functions = (x, y, model.W_L.T - model.W_L.T.mean(0))
    return rho_sets.circuit(*(irreps.coefficients(u[:, own], group.rho[irrep]) for u in functions))


@exactly
@torch.no_grad()
def circuits(model: Parts, group: Group) -> dict[str, dict[str, Any]]:
    """Each irrep's neurons as rho-set circuits, by the irrep's name. Irreps of dimension 1, and
    irreps with less than 1 % of the energy of all x sides, are left out.

    vectors a:   clusters of a (cos^2 > .98) that have at least 5 % of the irrep's energy.
    largest a:   the share of energy in the largest cluster.
    largest a by chance: what 1 % of random directions that spread alike reach (`null_largest`).
    one a:       the largest eigenvalue of the mean of a a^T: 1 for one a, 1 / d for random ones.
    spread of a: all eigenvalues of this mean, from large to small.
    a spans:     how many of the eigenvalues are at least .01.
    dimension:   the dimension of the irrep.
    a agrees:    mean cos^2 between the x side's a and the y side's.
    read-out:    mean |cos(C, A B)|.
    pairs:       the share of the best orbit's pairs (b, c) that the largest cluster occupies.
    on pairs:    the share of that cluster's energy on this orbit's pairs.
    """
    x, _ = cosets.sides(model.pre)
    energy = x.square().sum(0)
    dominant = ladder.dominant_irrep(x, group)
    found = {}
    for row, name in enumerate(group.irreps.names):
        flat = group.irreps.dimensions[row] == 1 or group.irreps.indicators[row] != 1
        if not flat and energy[dominant == row].sum() >= 0.01 * energy.sum():
            found[name] = _circuit_row(circuit_of(model, group, row), group, row)
    return found


def _circuit_row(circuit: rho_sets.Circuit, group: Group, irrep: int) -> dict[str, Any]:
    cluster = rho_sets.clusters(circuit.a, circuit.energy)
    shares = rho_sets.cluster_energies(cluster, circuit.energy)
    spread = rho_sets.concentration(circuit.a, circuit.energy)
    null = rho_sets.null_largest(circuit.a, circuit.energy)
    row = {
        "neurons": float(len(circuit.energy)),
        "vectors a": float((shares >= FEW).sum()),
        "largest a": shares.max().item(),
        "largest a by chance": null.quantile(0.99).item(),
        "one a": spread[0].item(),
        "spread of a": spread.tolist(),
        "a spans": float((spread >= SPANNED).sum()),
        "dimension": float(circuit.a.shape[1]),
        "a agrees": mean_by_energy(circuit.agree, circuit.energy),
        "read-out": mean_by_energy(circuit.read_out, circuit.energy),
    }
    own = cluster == shares.argmax()
    best = _best_occupancy(_only(circuit, own), group, irrep)
    if best is not None:
        row |= {"pairs": (best > 0).double().mean().item(), "on pairs": best.sum().item()}
    return row


@exactly
@torch.no_grad()
def largest_occupancy(model: Parts, group: Group, irrep: int) -> Float[Tensor, "line line"]:
    """The share of energy on each pair of special lines (b, c), for the neurons of one irrep whose
    a is in the largest cluster, and for the orbit of lines that has most of their energy.

    Raises ValueError as `circuit_of` does, and for an irrep without special lines.
    """
    circuit = circuit_of(model, group, irrep)
    cluster = rho_sets.clusters(circuit.a, circuit.energy)
    own = cluster == rho_sets.cluster_energies(cluster, circuit.energy).argmax()
    best = _best_occupancy(_only(circuit, own), group, irrep)
    if best is None:
        raise ValueError(f"{group.irreps.names[irrep]} has no special line")
    return best


def _only(circuit: rho_sets.Circuit, neurons: Bool[Tensor, "neuron"]) -> rho_sets.Circuit:
    return rho_sets.Circuit(*(values[neurons] for values in circuit))


def _best_occupancy(circuit: rho_sets.Circuit, group: Group, irrep: int) -> Tensor | None:
    lines = group.lines[irrep]
    occupied = [
        rho_sets.occupancy(circuit.b, circuit.c, circuit.energy, lines, orbit)
        for orbit in lines.orbits.unique().tolist()
    ]
    return max(occupied, key=lambda energy: energy.sum()) if occupied else None
