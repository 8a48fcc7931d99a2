"""Characters, projectors, matrices, subgroups: all from the table alone."""

import math

import pytest
import torch

from interp_utils import fourier
from interp_utils.analysis import irreps, isotypic, subgroups
from interp_utils.analysis.characters import (
    complex_characters,
    conjugacy_classes,
    real_irreps,
    trivial_on,
)
from interp_utils.experiments.groups.row import on_factors
from interp_utils.group_tables import group_table, inverses
from tests import planted

BLOCKS = {
    "C7": (7, 4), "D4": (5, 5), "S3": (3, 3), "S4": (5, 5), "A4": (4, 3), "A5": (5, 5),
    "S5": (7, 7), "Q8": (5, 5), "C3xC3": (9, 5), "S3xC3": (9, 6),
}  # fmt: skip
SUBGROUPS = {
    "S3": (6, 4), "D4": (10, 8), "Q8": (6, 6), "A4": (10, 5), "S4": (30, 11), "A5": (59, 9),
    "S5": (156, 19), "D59": (62, 4), "C12": (6, 6), "C64": (7, 7),
}  # fmt: skip
# Of S5: identity, (12), (12)(34), (123), (123)(45), (1234), (12345), by size of class and order.
S5_TABLE = {
    "trivial": (1, 1, 1, 1, 1, 1, 1),
    "sign": (1, -1, 1, 1, -1, -1, 1),
    "standard": (4, 2, 0, 1, -1, 0, -1),
    "standard_sign": (4, -2, 0, 1, 1, 0, -1),
    "5a": (5, -1, 1, -1, -1, 1, 0),
    "5b": (5, 1, 1, -1, 1, -1, 0),
    "6d": (6, 0, -2, 0, 0, 0, 1),
}


@pytest.mark.parametrize(("name", "counts"), BLOCKS.items())
def test_every_group_has_its_number_of_irreps(name, counts):
    table = group_table(name)
    chi, blocks = complex_characters(table), real_irreps(table)
    assert (len(chi), len(blocks.names)) == counts
    assert len(set(blocks.names)) == len(blocks.names) and blocks.names[0] == "trivial"
    assert blocks.ranks.sum() == len(table)
    assert torch.allclose(blocks.characters[0], torch.ones(1).double())
    assert torch.allclose(chi @ chi.conj().T / len(table), torch.eye(len(chi)).to(chi), atol=1e-9)


def test_the_character_table_of_s5_is_the_printed_one():
    table, blocks = group_table("S5"), real_irreps(group_table("S5"))
    classes = conjugacy_classes(table)
    sizes = torch.bincount(classes)[classes]
    square, fourth = table.diagonal(), table.diagonal()[table.diagonal()]
    of_size = {1: sizes == 1, 10: sizes == 10, 15: sizes == 15, 24: sizes == 24}
    three = (sizes == 20) & (table[square, torch.arange(120)] == 0)
    four, six = (sizes == 30) & (fourth == 0), (sizes == 20) & ~three
    masks = [of_size[1], of_size[10], of_size[15], three, six, four, of_size[24]]
    firsts = torch.stack([mask.nonzero()[0, 0] for mask in masks])
    for name, printed in S5_TABLE.items():
        row = blocks.characters[blocks.index(name)]
        assert torch.allclose(row[firsts], torch.tensor(printed).double(), atol=1e-9), name


@pytest.mark.parametrize("n", [7, 8, 12, 59])
def test_characters_of_cyclic_groups_are_cosines_in_order(n):
    blocks = real_irreps(group_table(f"C{n}"))
    k, x = torch.arange(n // 2 + 1)[:, None], torch.arange(n)
    cosines = torch.cos(2 * math.pi / n * (k * x % n).double())
    pair = (k > 0) & (2 * k != n)
    assert torch.allclose(blocks.characters, torch.where(pair, 2 * cosines, cosines), atol=1e-9)
    assert blocks.names[1:] == tuple(f"k = {k}" for k in range(1, n // 2 + 1))
    assert blocks.indicators.tolist() == (~pair.flatten()).long().tolist()


@pytest.mark.parametrize("n", [5, 6])
def test_characters_of_dihedral_groups_have_their_closed_form(n):
    blocks = real_irreps(group_table(f"D{n}"))
    for k in range(1, (n + 1) // 2):
        row = blocks.characters[blocks.index(f"k = {k}")]
        turns = 2 * torch.cos(2 * math.pi * k / n * torch.arange(n).double())
        assert torch.allclose(row, torch.cat([turns, torch.zeros(n).double()]), atol=1e-9)


def test_the_quaternions_irrep_is_quaternionic():
    blocks = real_irreps(group_table("Q8"))
    assert blocks.indicators.tolist() == [1, 1, 1, 1, -1]
    assert blocks.ranks.tolist() == [1, 1, 1, 1, 4]


@pytest.mark.parametrize("name", BLOCKS)
def test_projectors_project_and_add_to_the_identity(name):
    table = group_table(name)
    blocks = real_irreps(table)
    P = isotypic.projectors(table, blocks)
    assert torch.allclose(P @ P, P, atol=1e-12) and torch.allclose(P, P.mT, atol=1e-12)
    assert torch.allclose(P.sum(0), torch.eye(len(table)).double(), atol=1e-12)
    assert P.diagonal(0, 1, 2).sum(1).round().long().equal(blocks.ranks)


def test_projectors_of_cyclic_groups_are_those_of_the_fourier_module():
    table = group_table("C11")
    f = planted.random(11, 4)
    own = isotypic.energies(f, table, real_irreps(table))
    assert torch.allclose(own, fourier.power(f), atol=1e-12)


def test_shares_add_to_one_and_refuse_zeros():
    table = group_table("S4")
    blocks = real_irreps(table)
    W = planted.random(24, 7)
    assert torch.allclose(isotypic.share(W, table, blocks).sum(0), torch.ones(7).double())
    assert math.isclose(isotypic.weight_shares(W, table, blocks).sum().item(), 1)
    assert isotypic.weight_shares(blocks.characters[3][:, None], table, blocks)[3] > 1 - 1e-12
    with pytest.raises(ValueError, match="all weights are zero"):
        isotypic.weight_shares(torch.zeros(24, 2), table, blocks)


def test_functions_on_another_number_of_elements_are_refused(as_a_user):
    table = group_table("S4")
    with pytest.raises(ValueError, match="need as many rows, got 23"):
        isotypic.share(planted.random(23, 7), table, real_irreps(table))


@pytest.mark.parametrize("name", ["C7", "D4", "S4", "A5", "Q8", "S3xC3"])
def test_matrices_of_every_irrep_represent_the_group(name):
    table = group_table(name)
    blocks = real_irreps(table)
    for row in range(len(blocks.names)):
        rho = irreps.matrices(table, blocks, row)  # raises unless it is a representation
        factor = {1: 1, 0: 2, -1: 2}[blocks.indicators[row].item()]
        assert rho.shape[1] == factor * blocks.dimensions[row]
        u = planted.random(len(table), 3)
        A = irreps.coefficients(u, rho, blocks.indicators[row].item())
        part = isotypic.projectors(table, blocks)[row] @ u
        assert torch.allclose(irreps.evaluate(A, rho), part, atol=1e-10)


def test_rank_of_coefficients_is_read_as_planted_in_any_basis():
    table = group_table("S5")
    blocks = real_irreps(table)
    readings = []
    for seed in (0, 1):
        rho = irreps.matrices(table, blocks, "standard", seed=seed)
        A = torch.diag(torch.tensor([3.0, 1.0, 0.0, 0.0])).double()
        u = irreps.evaluate(A[None], irreps.matrices(table, blocks, "standard", seed=0))
        readings.append(irreps.rank_one_share(irreps.coefficients(u, rho)))
    assert torch.allclose(torch.cat(readings), torch.tensor(0.9).double(), atol=1e-10)


def test_a_character_is_of_full_rank():
    table = group_table("S5")
    blocks = real_irreps(table)
    rho = irreps.matrices(table, blocks, "standard")
    A = irreps.coefficients(blocks.characters[blocks.index("standard")][:, None], rho)
    assert math.isclose(irreps.rank_one_share(A).item(), 1 / 4, rel_tol=1e-10)


def test_every_frequency_of_a_cyclic_group_is_of_rank_one():
    table = group_table("C7")
    blocks = real_irreps(table)
    rho = irreps.matrices(table, blocks, "k = 2")
    A = irreps.coefficients(planted.random(7, 5), rho, 0)
    assert torch.allclose(irreps.rank_one_share(A, 0), torch.ones(5).double())


@pytest.mark.parametrize(("name", "counts"), SUBGROUPS.items())
def test_every_group_has_its_number_of_subgroups(name, counts):
    table = group_table(name)
    found = subgroups.subgroups(table)
    classes = subgroups.subgroup_classes(table, found)
    assert (len(found), classes.max().item() + 1) == counts
    for mask in found[:: max(1, len(found) // 8)]:
        elements = mask.nonzero().flatten()
        assert mask[table[elements][:, elements]].all(), "closed"


def test_subgroups_are_named():
    table = group_table("S5")
    found = subgroups.subgroups(table)
    names = [subgroups.subgroup_name(table, mask) for mask in found]
    counts = {"S4": 5, "A5": 1, "D6": 10, "A4": 5, "D5": 6, "D2": 20, "S3": 20, "C6": 10}
    assert {name: names.count(name) for name in counts} == counts
    assert names.count("20: 1, 5 of order 2, 10 of order 4, 4 of order 5") == 6


@pytest.mark.parametrize("side", ["left", "right"])
def test_cosets_are_what_their_side_says(side):
    table = group_table("S4")
    H = next(mask for mask in subgroups.subgroups(table) if mask.sum() == 6)
    labels = subgroups.coset_labels(table, H, side)
    inverse = inverses(table)
    for x in range(0, 24, 5):
        quotient = table[inverse[x]] if side == "left" else table[:, inverse[x]]
        assert (labels == labels[x]).equal(H[quotient]), "x^-1 y in H, or y x^-1 in H"


def test_linear_characters_to_signs():
    table = group_table("S4")
    found = subgroups.subgroups(table)
    whole = subgroups.sign_characters(torch.ones(24, dtype=torch.bool), found)
    assert len(whole) == 2 and (whole[0] == 1).all()
    assert whole[1][table].equal(whole[1][:, None] * whole[1])
    klein = group_table("C2xC2")
    every = subgroups.sign_characters(torch.ones(4, dtype=torch.bool), subgroups.subgroups(klein))
    assert len(every) == 4 and torch.allclose(every @ every.T / 4, torch.eye(4).double())


LINES = {
    ("S5", "standard"): [5, 10, 10, 15], ("S5", "5a"): [6, 10, 15, 15],
    ("S5", "6d"): [10, 10, 15, 15], ("A5", "3a"): [6, 10, 15], ("A5", "4a"): [5, 10],
    ("A5", "5a"): [6, 10], ("D15", "k = 1"): [15, 15],
}  # fmt: skip


@pytest.mark.parametrize("which", LINES, ids=lambda which: " ".join(which))
def test_every_irrep_has_its_special_lines(which):
    name, irrep = which
    table = group_table(name)
    rho = irreps.matrices(table, real_irreps(table), irrep)
    lines = irreps.special_lines(rho, subgroups.subgroups(table))
    assert sorted(torch.bincount(lines.orbits).tolist()) == LINES[which]
    gram = (lines.vectors @ lines.vectors.T).square().fill_diagonal_(0)
    assert gram.max() < 1 - 1e-8, "each line once"
    for vector, H in list(zip(lines.vectors, lines.subgroups, strict=True))[::7]:
        assert torch.allclose((rho[H] @ vector @ vector).abs(), torch.ones(1).double())


def test_random_directions_are_rarely_near_a_special_line():
    published = {("S5", "standard"): 0.018, ("A5", "3a"): 0.15, ("D15", "k = 1"): 1.0}
    for (name, irrep), share in published.items():
        table = group_table(name)
        rho = irreps.matrices(table, real_irreps(table), irrep)
        lines = irreps.special_lines(rho, subgroups.subgroups(table))
        assert math.isclose(irreps.null_share_on_lines(lines), share, rel_tol=0.15)


def test_irreps_of_a_product_are_of_one_factor_or_of_both():
    """S3 x C3 has the irreps of S3 (trivial on C3), those of C3, and their products."""
    irreps = real_irreps(group_table("S3xC3"))
    places = torch.arange(18).view(6, 3)
    on_first, on_last = (trivial_on(irreps, own) for own in (places[:, 0], places[0]))
    dimensions = irreps.dimensions
    assert sorted(dimensions[on_last].tolist()) == [1, 1, 2], "S3's three"
    assert irreps.ranks[on_first].sum() == 3, "C3's functions"
    assert (on_first & on_last).sum() == 1, "the trivial one is of both"
    assert irreps.ranks[~on_first & ~on_last].sum() == 18 - 6 - 3 + 1

    names, similarity = irreps.names, dict.fromkeys(irreps.names, 0.0)
    only = similarity | {names[on_last.nonzero().max()]: 0.5}
    assert on_factors("S3xC3", only, irreps)["logits on one factor"] == 1
    both = similarity | {names[int((~on_first & ~on_last).nonzero()[0])]: 0.5}
    found = on_factors("S3xC3", both, irreps)
    assert found["logits on one factor"] == 0
    assert found["on one factor by chance"] == pytest.approx((5 + 2) / 17)
    assert on_factors("S5", {}, irreps) == {}
