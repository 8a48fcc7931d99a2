"""Cosets, rho-sets and the ladder on planted networks, automorphisms and the wrong group."""

import math

import pytest
import torch

from interp_utils.analysis import cosets, irreps, isotypic, ladder, rho_sets
from interp_utils.analysis.group_progress import key_irreps
from interp_utils.analysis.group_structure import Group, describe, order_by_coset
from interp_utils.analysis.subgroups import coset_labels, subgroup_name
from interp_utils.group_tables import group_table, inverses
from tests import planted, planted_groups

NETWORKS = {
    ("S4", "standard", 4): 16,
    ("S5", "standard", 5): 25,
    ("S5", "5a", 6): 36,
    ("A5", "3a", 12): 144,
    ("A5", "4a", 5): 25,
}


@pytest.fixture(scope="module")
def groups() -> dict[str, Group]:
    return {name: describe(group_table(name)) for name in ("S4", "S5", "A5", "D60", "C7")}


def as_planted(groups, which):
    return groups[which[0]], planted_groups.rho_set_network(groups[which[0]], *which[1:])


@pytest.mark.parametrize("which", NETWORKS, ids=str)
def test_a_rho_set_network_classifies_every_pair(groups, which):
    group, network = as_planted(groups, which)
    assert network.x.shape[1] == NETWORKS[which]
    assert network.logits.argmax(2).equal(group.table)
    index = planted_groups.inner_quotients(group.table)
    profile = network.logits[0, 0][index[0, 0].argsort()]  # f at each x^-1 z y^-1
    assert torch.allclose(network.logits, profile[index], atol=1e-12)
    assert key_irreps(network.logits, group.table, group.irreps) == [group.irreps.index(which[1])]


@pytest.mark.parametrize("which", NETWORKS, ids=str)
def test_every_reading_of_a_rho_set_network_is_exact(groups, which):
    group, network = as_planted(groups, which)
    row = group.irreps.index(which[1])
    x, y = cosets.sides(network.pre)
    for side in (x, y, network.W_L.T):
        assert isotypic.share(side, group.table, group.irreps)[row].min() > 1 - 1e-10
    A, B, C = (irreps.coefficients(u, group.rho[row]) for u in (x, y, network.W_L.T))
    assert irreps.rank_one_share(A).min() > 1 - 1e-10
    circuit = rho_sets.circuit(A, B, C)
    assert circuit.agree.min() > 1 - 1e-10 and circuit.read_out.min() > 1 - 1e-10
    assert rho_sets.concentration(circuit.a, circuit.energy)[0] > 1 - 1e-10
    assert rho_sets.clusters(circuit.a, circuit.energy).max() == 0, "one a"
    lines = group.lines[row]
    nearest = irreps.nearest_line(circuit.b, lines)
    assert nearest.beta.min() > 0.99
    orbit = lines.orbits[nearest.line[0]].item()
    occupied = rho_sets.occupancy(circuit.b, circuit.c, circuit.energy, lines, orbit)
    assert (occupied > 0).all() and math.isclose(occupied.sum().item(), 1)


@pytest.mark.parametrize("which", list(NETWORKS)[:3], ids=str)
def test_x_lives_on_right_cosets_and_y_on_left_ones(groups, which):
    group, network = as_planted(groups, which)
    for side, where in zip(cosets.sides(network.pre), ("right", "left"), strict=True):
        best = cosets.best_family(side, group.families)
        assert {group.families.sides[family] for family in best.family.tolist()} == {where}
        assert cosets.coset_share(best.alpha, side.square().sum(0)) == 1
        assert best.alpha.min() > 1 - 1e-10


def test_transposing_the_table_swaps_the_sides(groups):
    group, network = as_planted(groups, ("S4", "standard", 4))
    mirrored = describe(group.table.T)
    pre = network.pre.transpose(0, 1)  # the same function, of pairs (y, x)
    assert network.logits.transpose(0, 1).argmax(2).equal(mirrored.table)
    for side, where in zip(cosets.sides(pre), ("right", "left"), strict=True):
        best = cosets.best_family(side, mirrored.families)
        assert {mirrored.families.sides[family] for family in best.family.tolist()} == {where}
    x, _ = cosets.sides(network.pre)
    swapped = cosets.best_family(x, mirrored.families)
    assert {mirrored.families.sides[family] for family in swapped.family.tolist()} == {"left"}
    assert swapped.alpha.min() > 1 - 1e-10


def test_sign_takes_two_neurons_and_a_bias(groups):
    group = groups["S5"]
    sign = group.irreps.characters[group.irreps.index("sign")]
    network = planted_groups.rho_set_network(group, "standard", 5)
    both = planted_groups.with_sign(network, sign)
    added = sign[:, None, None] * sign[:, None] * sign
    assert torch.allclose(both.logits - network.logits, added, atol=1e-10)
    keys = [group.irreps.index(name) for name in ("sign", "standard")]
    assert key_irreps(both.logits, group.table, group.irreps) == keys


CONSTITUENTS = {
    "S4": {"standard"},
    "20: 1, 5 of order 2, 10 of order 4, 4 of order 5": {"5a"},
    "D6": {"standard", "5b"},
    "A4": {"sign", "standard", "standard_sign"},
    "A5": {"sign"},
}


@pytest.mark.parametrize("name", CONSTITUENTS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_indicator_of_a_coset_is_constant_on_cosets_and_has_its_irreps(groups, name, side):
    group = groups["S5"]
    H = next(mask for mask in group.subgroups if subgroup_name(group.table, mask) == name)
    u = (coset_labels(group.table, H, side) == 0).double()[:, None]
    best = cosets.best_family(u, group.families)
    assert math.isclose(best.alpha.item(), 1, rel_tol=1e-12)
    assert group.families.subgroups[best.family.item()].equal(H)
    share = isotypic.share(u - u.mean(), group.table, group.irreps)[:, 0]
    found = {group.irreps.names[row] for row in range(7) if share[row] > 1e-9}
    assert found == CONSTITUENTS[name]


def test_twists_find_what_is_constant_up_to_sign(groups):
    group = groups["S5"]
    sign = group.irreps.characters[group.irreps.index("sign")]
    names = [subgroup_name(group.table, mask) for mask in group.subgroups]
    H = group.subgroups[names.index("D6")]
    u = (sign * (H.double() - 1 / 10))[:, None]
    untwisted = group.families.select((group.families.twists == 1).all(1))
    best = cosets.best_family(u, group.families)
    assert math.isclose(best.alpha.item(), 1, rel_tol=1e-12)
    assert group.families.twists[best.family.item()].equal(sign.round())
    assert cosets.best_family(u, untwisted).alpha.item() < 0.9


def test_a_character_is_irrep_pure_and_on_no_coset(groups):
    group = groups["S5"]
    chi = group.irreps.characters[group.irreps.index("standard")][:, None]
    best = cosets.best_family(chi, group.families)
    assert best.alpha.item() < 0.5 and cosets.coset_share(best.alpha, chi.square().sum(0)) == 0


def test_nulls_are_those_of_random_functions(groups):
    group = groups["S5"]
    nulls = cosets.null_alphas(group.table, group.irreps, group.families)
    expected = {
        "any": (0.18, 0.27), "standard": (0.57, 0.80), "5a": (0.46, 0.66), "sign": (1, 1),
        "6d": (0, 0),
    }  # fmt: skip
    for name, (mean, top) in expected.items():
        assert math.isclose(nulls[name].mean().item(), mean, abs_tol=0.01)
        assert math.isclose(nulls[name].quantile(0.99).item(), top, abs_tol=0.02)
    best = cosets.best_family(planted.random(120, 200, seed=3), group.families)
    assert best.alpha.max() < nulls["any"].max() + 0.05


def test_chance_levels_are_passed_by_one_in_a_hundred_and_told_where_they_tell(groups):
    group = groups["S4"]
    levels = dict(zip(group.irreps.names, group.chance.tolist(), strict=True))
    assert all(math.isnan(levels[name]) for name in ("trivial", "sign", "2d"))
    basis = isotypic.projectors(group.table, group.irreps)[group.irreps.index("standard")]
    random = cosets.best_family(basis @ planted.random(24, 4000, seed=5), group.families).alpha
    assert 0.003 < (random > levels["standard"]).double().mean() < 0.03
    of_s5 = dict(zip(groups["S5"].irreps.names, groups["S5"].chance.tolist(), strict=True))
    assert of_s5["standard"] == of_s5["6d"] == cosets.THRESHOLD


def test_alpha_is_one_less_the_variance_within_cosets(groups):
    group, u = groups["S4"], planted.random(24, 3)
    for family in range(0, len(group.families.sides), 7):
        twist, H = group.families.twists[family], group.families.subgroups[family]
        twisted = twist[:, None] * (u - u.mean(0))
        labels = coset_labels(group.table, H, group.families.sides[family])
        means = torch.stack([twisted[labels == label].mean(0) for label in labels])
        within = (twisted - means).square().sum(0) / twisted.square().sum(0)
        assert torch.allclose(cosets.alphas(u, group.families)[family], 1 - within, atol=1e-12)
        best = torch.full((3,), family)
        averaged = cosets.on_cosets(u, group.families, best)
        assert torch.allclose(averaged - u.mean(0), twist[:, None] * means, atol=1e-12)


def test_coset_share_counts_live_functions_by_energy():
    alpha = torch.tensor([0.95, 0.5, 1.0, float("nan")]).double()
    energy = torch.tensor([3.0, 1.0, 1e-12, 0.0]).double()
    assert math.isclose(cosets.coset_share(alpha, energy), 0.75)
    assert math.isnan(cosets.coset_share(alpha, torch.zeros(4).double()))


def test_additive_share_is_one_of_a_sum_and_less_of_a_product():
    x, y = planted.random(6, 4), planted.random(6, 4, seed=1)
    assert math.isclose(cosets.additive_share(x[:, None] + y), 1)
    assert cosets.additive_share(x[:, None] * y) < 0.9


def test_the_ladder_stands_under_a_rho_set_network_and_its_control_falls(groups):
    group, network = as_planted(groups, ("S5", "standard", 5))

    def accuracy(pre):
        logits = pre.relu() @ network.W_L
        return (logits.argmax(2) == group.table).double().mean().item()

    found = ladder.evaluate(network.pre, group, accuracy)
    assert list(found) == list(ladder.RUNGS)
    assert found.pop("shuffled") < 0.5
    assert set(found.values()) == {1.0}
    for name, replaced in ladder.rungs(network.pre, group):
        if name != "shuffled":
            assert torch.allclose(replaced, network.pre, atol=1e-9), name


def test_each_rung_takes_away_what_its_reading_has_not(groups):
    group = groups["S5"]
    chi = group.irreps.characters[group.irreps.index("standard")][:, None]
    line = irreps.evaluate(planted.random(1, 4, 4), group.rho[group.irreps.index("standard")])
    pre = (chi + 0 * line)[:, None] + line
    rungs = dict(ladder.rungs(pre, group))
    assert torch.allclose(rungs["additive"], pre, atol=1e-10)
    assert torch.allclose(rungs["irrep"], pre, atol=1e-10)
    assert (rungs["rank one"] - pre).norm() > 0.3 * pre.norm()
    assert (rungs["coset"] - pre).norm() > 0.1 * pre.norm()
    mixed = planted.random(24, 24, 2)
    additive = dict(ladder.rungs(mixed, groups["S4"]))["additive"]
    assert (additive - mixed).norm() > 0.3 * mixed.norm()


def test_the_ladder_of_a_cyclic_group_has_no_cosets(groups):
    n = torch.arange(7)
    pre = torch.cos(2 * math.pi / 7 * (n[:, None, None] - n[:, None] + torch.arange(3)).double())
    rungs = dict(ladder.rungs(pre, groups["C7"]))
    assert list(rungs) == ["additive", "irrep", "rank one", "line"]
    x = torch.cos(2 * math.pi / 7 * (2 * n[:, None] + torch.arange(3)).double())
    for replaced in dict(ladder.rungs(x[:, None] + x, groups["C7"])).values():
        assert torch.allclose(replaced, x[:, None] + x, atol=1e-10)


def statistics(network, group):
    x, y = cosets.sides(network.pre)
    best = cosets.best_family(x, group.families)
    row = group.irreps.index("standard")
    A = irreps.coefficients(x, group.rho[row])
    b = irreps.leading_vectors(A).left
    return torch.stack(
        [
            best.alpha,
            cosets.best_family(y, group.families).alpha,
            isotypic.share(x, group.table, group.irreps)[row],
            irreps.rank_one_share(A),
            irreps.nearest_line(b, group.lines[row]).beta,
        ]
    )


@pytest.mark.parametrize("g", [7, 33, 101])
def test_an_automorphism_changes_no_statistic(groups, g):
    group, network = as_planted(groups, ("S5", "standard", 5))
    noise = planted.random(120, 25)
    network = network._replace(x=network.x + 0.3 * noise, y=network.y + 0.2 * noise.flip(0))
    moved = group.table[group.table[g], inverses(group.table)[g]]  # x -> g x g^-1
    assert moved[group.table].equal(group.table[moved[:, None], moved])
    renamed = network._replace(x=network.x[moved], y=network.y[moved])
    assert torch.allclose(statistics(network, group), statistics(renamed, group), atol=1e-9)


def test_renaming_the_answers_alone_changes_names_only(groups):
    group, network = as_planted(groups, ("S4", "standard", 4))
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    renamed = order.argsort()[group.table]  # z is now called order^-1 z: no group's table
    with pytest.raises(ValueError, match="row|identity|associative|inverse"):
        describe(renamed)
    x, _ = cosets.sides(network.pre)
    assert cosets.best_family(x, group.families).alpha.min() > 1 - 1e-10


def test_a_wrong_group_of_the_same_order_sees_next_to_nothing(groups):
    group, network = as_planted(groups, ("S5", "standard", 5))
    wrong = groups["D60"]
    x, _ = cosets.sides(network.pre)
    share = isotypic.share(x, wrong.table, wrong.irreps)
    fair = wrong.irreps.ranks[share.argmax(0)].double() / 120
    assert share.max() < 0.4 and (share.amax(0) < 20 * fair).all()
    assert cosets.best_family(x, wrong.families).alpha.max() < 0.9
    assert cosets.coset_share(cosets.best_family(x, group.families).alpha, x.square().sum(0)) == 1


def test_elements_in_the_order_of_cosets_make_a_staircase(groups):
    group, network = as_planted(groups, ("S5", "standard", 5))
    x, _ = cosets.sides(network.pre)
    family = cosets.best_family(x[:, :1], group.families).family.item()
    ordered = x[order_by_coset(group, family), 0].view(5, 24)
    assert torch.allclose(ordered, ordered[:, :1].expand(5, 24), atol=1e-10)


def test_clusters_and_occupancy_count_what_is_planted(groups):
    group = groups["S5"]
    lines = group.lines[group.irreps.index("standard")]
    energy = torch.tensor([4.0, 3.0, 2.0, 1.0]).double()
    a = torch.eye(4).double()[[0, 1, 0, 1]] * torch.tensor([1, 1, -1, 1]).double()[:, None]
    found = rho_sets.clusters(a, energy)
    assert found.tolist() == [0, 1, 0, 1]
    assert torch.allclose(
        rho_sets.cluster_energies(found, energy), torch.tensor([0.6, 0.4]).double()
    )
    assert torch.allclose(
        rho_sets.concentration(a, energy), torch.tensor([0.6, 0.4, 0, 0]).double(), atol=1e-12
    )
    places = (lines.orbits == 0).nonzero().flatten()
    on = lines.vectors[places]
    full = rho_sets.occupancy(on[[0, 0, 1, 1]], on[[0, 1, 0, 1]], energy, lines, 0)
    assert torch.allclose(full[:2, :2], torch.tensor([[0.4, 0.3], [0.2, 0.1]]).double())
    assert (full > 0).sum() == 4
    with pytest.raises(ValueError, match="orbits of special lines"):
        rho_sets.occupancy(on[:4], on[:4], energy, lines, 99)
