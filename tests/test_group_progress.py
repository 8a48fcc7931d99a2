"""Restricted and excluded loss by irrep: planted logits, modular addition, and its controls."""

import math

import pytest
import torch

from interp_utils import progress
from interp_utils.analysis import group_neurons, group_progress
from interp_utils.analysis.characters import real_irreps
from interp_utils.analysis.isotypic import projectors
from interp_utils.group_tables import group_table
from tests import planted, planted_groups


@pytest.fixture(scope="module")
def s4():
    table = group_table("S4")
    return table, real_irreps(table)


def of_characters(table, blocks, sizes):
    X = sum(size * blocks.characters[blocks.index(name)] for name, size in sizes.items())
    return X[planted_groups.quotients(table)]


SIZES = {"standard": 3.0, "2d": 2.0, "sign": 0.5}


def test_planted_characters_come_back(s4):
    table, blocks = s4
    logits = of_characters(table, blocks, SIZES)
    fit = group_progress.character_fit(logits, table, blocks)
    expected = torch.tensor([SIZES.get(name, 0.0) for name in blocks.names]).double()
    assert torch.allclose(fit.coefficient, expected, atol=1e-10)
    assert math.isclose(fit.variance_explained, 1, rel_tol=1e-10)
    keys = group_progress.key_irreps(logits, table, blocks)
    assert [blocks.names[key] for key in keys] == ["sign", "2d", "standard"]
    assert math.isclose(group_progress.logit_shares(logits, table, blocks).sum().item(), 1)
    for level in ("characters", "isotypic"):
        restricted = group_progress.restrict(logits, table, blocks, keys, level=level)
        assert torch.allclose(restricted, logits, atol=1e-10)
        full = progress.mean_loss(logits, table.flatten())
        losses = group_progress.losses(logits, table.flatten(), table, blocks, keys, level=level)
        assert math.isclose(losses.restricted, full, rel_tol=1e-8)
        assert math.isclose(losses.excluded, math.log(24), rel_tol=1e-8)


def test_only_the_keys_given_are_kept_or_taken(s4):
    table, blocks = s4
    logits = of_characters(table, blocks, SIZES)
    keys = [blocks.index("standard")]
    own = of_characters(table, blocks, {"standard": 3.0})
    for level in ("characters", "isotypic"):
        kept = group_progress.restrict(logits, table, blocks, keys, level=level)
        left = group_progress.exclude(logits, table, blocks, keys, level=level)
        assert torch.allclose(kept, own, atol=1e-10)
        assert torch.allclose(left, logits - own, atol=1e-10)
    wrong = [blocks.index("standard_sign")]
    losses = group_progress.losses(logits, table.flatten(), table, blocks, wrong)
    assert losses.restricted > 0.99 * math.log(24) and losses.excluded < 0.01


@pytest.mark.parametrize("p", [7, 8])
def test_on_cyclic_groups_losses_are_those_of_modular_addition(p):
    table = group_table(f"C{p}")
    blocks = real_irreps(table)
    logits = 3 * planted.random(p, p, p) + planted.clock(p, {1: 5.0, 3: 4.0})
    labels, keys = planted.labels(p), [1, 3]
    mask = torch.arange(p * p) % 3 > 0
    for level, variant in (("isotypic", "sum"), ("characters", "sum_3d")):
        own = group_progress.losses(logits, labels, table, blocks, keys, level=level, mask=mask)
        expected = progress.excluded_loss(logits, labels, keys, mask=mask, variant=variant)
        assert math.isclose(own.excluded, expected, rel_tol=1e-10)
    own = group_progress.losses(logits, labels, table, blocks, keys)
    expected = progress.restricted_loss(logits, labels, keys)
    assert math.isclose(own.restricted, expected, rel_tol=1e-10)
    single = progress.single_excluded_losses(logits, labels, mask=mask)
    for key in range(1, p // 2 + 1):
        own = group_progress.losses(logits, labels, table, blocks, [key], mask=mask)
        assert math.isclose(own.excluded, single[key].item(), rel_tol=1e-10)


def test_on_cyclic_groups_hidden_losses_are_those_of_projected_neurons():
    p, keys = 7, [2]
    table = group_table("C7")
    hidden, W_L = planted.random(p, p, 9), planted.random(9, p, seed=1)
    own = group_progress.hidden_losses(
        hidden, W_L, planted.labels(p), table, real_irreps(table), keys
    )
    kept = progress.project(hidden, keys)
    assert math.isclose(
        own.restricted, progress.mean_loss(kept @ W_L, planted.labels(p)), rel_tol=1e-10
    )
    left = (hidden - kept) @ W_L
    assert math.isclose(own.excluded, progress.mean_loss(left, planted.labels(p)), rel_tol=1e-10)


def test_neurons_shares_are_as_planted(s4):
    table, blocks = s4
    chi = {name: blocks.characters[blocks.index(name)] for name in blocks.names}
    of_x, of_y, of_product = (
        chi["standard"][:, None].expand(24, 24),
        chi["2d"].expand(24, 24),
        chi["standard_sign"][table],
    )
    hidden = torch.stack([of_x, of_y, of_product, 3 * of_x + 4 * of_y + 1], -1)
    shares = group_neurons.neuron_shares(hidden, table, blocks)
    assert math.isclose(shares.x[blocks.index("standard"), 0].item(), 1)
    assert math.isclose(shares.y[blocks.index("2d"), 1].item(), 1)
    assert math.isclose(shares.product[blocks.index("standard_sign"), 2].item(), 1)
    assert math.isclose(shares.x[blocks.index("standard"), 3].item(), 9 / 25)
    assert math.isclose(shares.y[blocks.index("2d"), 3].item(), 16 / 25)
    energy = torch.ones(4).double()
    everything = list(range(1, 5))
    assert math.isclose(shares.explained(everything, energy), 1)
    assert math.isclose(shares.explained([blocks.index("2d")], energy), (1 + 16 / 25) / 4)


def test_two_sided_shares_are_as_planted_and_add_to_one(s4):
    table, blocks = s4
    rows = [blocks.index(name) for name in ("2d", "standard")]
    product = blocks.characters[rows[0]][:, None] * blocks.characters[rows[1]]
    hidden = torch.stack([product, *planted.random(3, 24, 24)], -1)
    shares = group_neurons.two_sided_shares(hidden, table, blocks)
    assert math.isclose(shares[rows[0], rows[1], 0].item(), 1)
    assert torch.allclose(shares.sum((0, 1)), torch.ones(4).double())
    P = projectors(table, blocks)
    centred = hidden - hidden.mean((0, 1))
    part = torch.einsum("xu,uvn,vy->xyn", P[3], centred, P[2])
    expected = part.square().sum((0, 1)) / centred.square().sum((0, 1))
    assert torch.allclose(shares[3, 2], expected, atol=1e-12)


def test_no_irrep_is_key_where_the_labels_are_of_no_group(s4):
    table, blocks = s4
    order = torch.randperm(24, generator=torch.Generator().manual_seed(5))
    right = torch.nn.functional.one_hot(table, 24).double()
    relabelled = torch.nn.functional.one_hot(table[:, order], 24).double()  # y alone is renamed
    found = group_progress.character_fit(right, table, blocks)
    control = group_progress.character_fit(relabelled, table, blocks)
    assert math.isclose(found.variance_explained, 1, rel_tol=1e-10)
    assert control.variance_explained < 0.1


def test_what_does_not_fit_is_refused(s4):
    table, blocks = s4
    logits = of_characters(table, blocks, SIZES)
    with pytest.raises(ValueError, match=r"of shape \(24, 24, 24\), got \(24, 24, 23\)"):
        group_progress.character_fit(logits[..., 1:], table, blocks)
    with pytest.raises(ValueError, match="pairs of 24 elements"):
        group_progress.by_product(logits[1:], table)
    for keys in ([1, 1], [5], [-1]):
        with pytest.raises(ValueError, match="key irreps must be different rows 0 .. 4"):
            group_progress.restrict(logits, table, blocks, keys)


def test_another_level_is_refused(s4, as_a_user):
    table, blocks = s4
    logits = of_characters(table, blocks, SIZES)
    with pytest.raises(ValueError, match="level must be"):
        group_progress.restrict(logits, table, blocks, [1], level="hidden")
