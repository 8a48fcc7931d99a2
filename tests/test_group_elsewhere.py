"""A model that was trained elsewhere, from its plain tensors and its own multiplication table."""

import itertools
import math

import torch

from interp_utils import (
    cosets,
    group_circuits,
    group_progress,
    group_readings,
    group_sides,
    group_structure,
)
from interp_utils.analysis.group_structure import Group
from interp_utils.group_tables import group_table
from tests import planted_groups


def chughtais_table(n: int) -> torch.Tensor:
    """Permutations in lexicographic order, "p, then q": (p q)(i) = q(p(i))."""
    permutations = list(itertools.permutations(range(n)))
    index = {permutation: place for place, permutation in enumerate(permutations)}
    rows = [[index[tuple(q[i] for i in p)] for q in permutations] for p in permutations]
    return torch.tensor(rows)


def test_the_other_convention_is_the_transposed_table():
    assert chughtais_table(4).equal(group_table("S4").T)


def test_a_model_of_the_other_convention_is_read_on_its_own_table():
    """As a rho-set circuit; x on right cosets of its own product. On the table of this suite, its
    sides are swapped and its answers wrong.
    """
    own, ours = (group_structure.describe(t) for t in (chughtais_table(4), group_table("S4")))
    network = planted_groups.rho_set_network(own, "standard", 4)
    assert network.logits.argmax(2).equal(own.table)
    x, _ = cosets.sides(network.pre)
    for group, right, left in ((own, "right", "left"), (ours, "left", "right")):
        assert group_sides.mean_alpha(x, group, right) > 1 - 1e-9
        assert group_sides.mean_alpha(x, group, left) < 0.99
    assert accuracy(network, own) == 1 > 0.5 > accuracy(network, ours)
    fits = [of_characters(network, group) for group in (own, ours)]
    assert fits[0] > 2 * fits[1], "logits of one product are no characters of the other"


def accuracy(network: planted_groups.Network, group: Group) -> float:
    return (network.logits.argmax(2) == group.table).double().mean().item()


def of_characters(network: planted_groups.Network, group: Group) -> float:
    fit = group_progress.character_fit(network.logits, group.table, group.irreps)
    return fit.variance_explained


def test_elements_in_any_order_give_the_same_readings():
    """A table whose elements are numbered otherwise, the identity among them."""
    group = group_structure.describe(group_table("S4"))
    network = planted_groups.rho_set_network(group, "standard", 4)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(2))
    renumbered = group_structure.describe(order.argsort()[group.table[order][:, order]])
    moved = network._replace(
        x=network.x[order], y=network.y[order], W_L=network.W_L[:, order], bias=network.bias[order]
    )
    rows = []
    for own, at in ((group, network), (renumbered, moved)):
        labels = own.table.flatten()
        model = group_readings.Parts(
            at.logits, at.pre, at.pre.relu(), at.W_L, at.x, labels, None, None, torch.relu
        )
        rows.append(group_readings.measure(model, own))
        (circuit,) = group_circuits.circuits(model, own).values()
        assert circuit["neurons"] == 16 and math.isclose(circuit["pairs"], 1)
    assert rows[0]["key irreps"] == rows[1]["key irreps"] == ["standard"]
    for name, value in rows[0].items():
        if isinstance(value, float) and not math.isnan(value):
            assert math.isclose(value, rows[1][name], rel_tol=1e-8, abs_tol=1e-9), name
