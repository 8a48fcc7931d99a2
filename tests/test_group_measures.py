"""All readings of a model on one row, on planted networks and on a model from elsewhere."""

import math

import pytest
import torch

from interp_utils import CachedModel, ModelConfig, models, tasks
from interp_utils.analysis import cosets, rho_sets
from interp_utils.analysis.group_structure import describe
from interp_utils.group_tables import group_table
from interp_utils.measures import group_circuits, group_readings, group_sides
from interp_utils.measures.group_readings import Parts
from tests import planted, planted_groups


@pytest.fixture(scope="module")
def s5():
    return describe(group_table("S5"))


def as_parts(network, table, noise=0.0) -> Parts:
    pre = network.pre + noise * planted.random(*network.pre.shape)
    labels = table.flatten()
    return Parts(
        pre.relu() @ network.W_L + network.bias,
        pre,
        pre.relu(),
        network.W_L,
        network.x,
        labels,
        torch.arange(len(labels)) % 5 > 0,
        None,
        torch.relu,
    )


def test_a_planted_rho_set_network_is_exact_in_every_reading(s5):
    network = planted_groups.rho_set_network(s5, "standard", 5)
    model = as_parts(network, s5.table)
    row = group_readings.measure(model, s5)
    assert row["key irreps"] == ["standard"] and row["sum of d^2"] == 16
    ones = [
        "accuracy", "test accuracy", "additive share", "irrep share", "rank one", "share99",
        "F_coset", "F_coset x", "F_coset y", "F_coset z", "x on right", "y on left", "W_L on keys",
        "W_E on keys", "isotypic FVE", "irrep-pure", "on cosets", "both", "rank one of both",
        "cosets beyond chance", "irrep share on cosets",
    ]  # fmt: skip
    for name in ones:
        low = 0.4 if name == "isotypic FVE" else 1 - 1e-9  # one-sided parts of the logits remain
        assert low <= row[name] <= 1 + 1e-9, name
    assert row["excluded, isotypic"] > math.log(120) > row["restricted, isotypic"]
    assert math.isclose(row["irreps of neurons"]["standard"], 1)
    (circuit,) = group_circuits.circuits(model, s5).values()
    assert (circuit["neurons"], circuit["vectors a"]) == (25, 1)
    for name in ("largest a", "one a", "a agrees", "read-out", "pairs", "on pairs"):
        assert math.isclose(circuit[name], 1, rel_tol=1e-9), name


def test_every_pair_of_lines_of_the_orbit_is_occupied_alike(s5):
    model = as_parts(planted_groups.rho_set_network(s5, "standard", 5), s5.table)
    occupied = group_circuits.largest_occupancy(model, s5, s5.irreps.index("standard"))
    assert occupied.shape == (5, 5) and math.isclose(occupied.sum().item(), 1)
    assert occupied.min() > 0
    with pytest.raises(ValueError, match="no neuron has most of its energy in 6d"):
        group_circuits.largest_occupancy(model, s5, s5.irreps.index("6d"))


def test_sides_swap_with_the_table(s5):
    x, _ = cosets.sides(planted_groups.rho_set_network(s5, "standard", 5).pre)
    mirrored = describe(s5.table.T)
    for group, right in ((s5, 1.0), (mirrored, 0.0)):
        assert group_sides.share_on(x, group, "right") == right
        assert group_sides.share_on(x, group, "left") == 1 - right


def test_the_ladder_costs_nothing_but_for_its_control(s5):
    model = as_parts(planted_groups.rho_set_network(s5, "standard", 5), s5.table)
    rungs = group_circuits.climb(model, s5)
    shuffled = rungs.pop("shuffled")
    assert shuffled["accuracy"] < 0.5 and shuffled["decades"] > 0
    assert all(abs(rung["decades"]) < 1e-6 for rung in rungs.values())


def test_two_vectors_a_are_two_circuits(s5):
    one, other = (planted_groups.rho_set_network(s5, "standard", 5, seed) for seed in (0, 1))
    both = planted_groups.Network(
        torch.cat([one.x, other.x], 1),
        torch.cat([one.y, other.y], 1),
        torch.cat([one.W_L, other.W_L]),
        one.bias,
    )
    (circuit,) = group_circuits.circuits(as_parts(both, s5.table), s5).values()
    assert circuit["vectors a"] == 2 and circuit["one a"] < 0.95
    assert (circuit["a spans"], circuit["dimension"]) == (2, 4)
    assert circuit["largest a"] > circuit["largest a by chance"]


def test_vectors_a_that_fill_a_plane_are_clusters_by_chance_alone(s5):
    plane = torch.nn.functional.normalize(planted.random(300, 2), dim=1)
    a = torch.cat([plane, torch.zeros(300, 2).double()], 1)
    energy = planted.random(300).square()
    shares = rho_sets.cluster_energies(rho_sets.clusters(a, energy), energy)
    null = rho_sets.null_largest(a, energy)
    assert (shares > 0.05).sum() > 3, "which would be several vectors a"
    assert null.min() < shares.max() < null.max()
    fixed = a[torch.arange(300) % 4]  # four of them
    largest = rho_sets.cluster_energies(rho_sets.clusters(fixed, energy), energy).max()
    assert largest > rho_sets.null_largest(fixed, energy).quantile(0.99)


def test_noise_is_no_reading(s5):
    network = planted_groups.rho_set_network(s5, "standard", 5)
    noisy = network._replace(x=planted.random(120, 25), y=planted.random(120, 25, seed=1))
    row = group_readings.measure(as_parts(noisy, s5.table), s5, keys=[2])
    assert row["F_coset"] == row["share99"] == row["irrep-pure"] == 0
    assert row["cosets beyond chance"] == 0
    assert row["irrep share"] < 0.5 and row["rank one"] < 0.6 and row["accuracy"] < 0.05
    untold = group_readings.measure(as_parts(network, s5.table, noise=2.0), s5)
    assert untold["additive share"] < 0.9


@pytest.mark.parametrize("name", ["C7", "Q8", "S3xC3", "S3"])
def test_any_group_and_any_model_can_be_measured(name):
    task = tasks.group_composition(name, frac_train=0.5)
    config = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=16).for_task(task)
    model = group_readings.parts(CachedModel(models.build(config), task))
    group = describe(task.table)
    row = group_readings.measure(model, group, keys=[1])
    numbers = [value for value in row.values() if isinstance(value, float)]
    assert len(numbers) > 15 and 0 <= row["irrep share"] <= 1
    assert math.isclose(sum(row["irreps of neurons"].values()), 1)
    assert set(group_circuits.climb(model, group)) >= {"additive", "irrep", "rank one"}
    group_circuits.circuits(model, group)


def test_a_model_with_another_layout_gives_the_same_row():
    table = group_table("S3")
    task = tasks.group_composition(table, frac_train=0.5)
    config = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=16).for_task(task)
    model = models.build(config)
    order = [3, 1, 0, 5, 2, 4]
    layout = tasks.Layout(["a", "b", 6], tokens=order, outputs=order)
    other = tasks.group_composition(table, frac_train=0.5, layout=layout)
    moved = models.build(config)
    with torch.no_grad():
        for new, old in zip(moved.parameters(), model.parameters(), strict=True):
            new.copy_(old)
        moved.W_E[order] = model.W_E[:6]
        moved.W_U[:, order] = model.W_U
    group = describe(table)
    rows = [
        group_readings.measure(group_readings.parts(CachedModel(m, t)), group, keys=[1, 2])
        for m, t in ((model, task), (moved, other))
    ]
    for name, value in rows[0].items():
        if isinstance(value, float):
            assert math.isclose(value, rows[1][name], rel_tol=1e-5, abs_tol=1e-6), name


def test_what_is_no_group_is_refused():
    task = tasks.remainders(7)
    config = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=16).for_task(task)
    model = CachedModel(models.build(config), task)
    with pytest.raises(ValueError, match="is not a composition in a group"):
        group_readings.parts(model)
