"""Spectra in renamed inputs against least squares, the orthogonal case, and planted chirps."""

import pytest
import torch

from interp_utils import tasks
from interp_utils.analysis import fourier, relabelling
from tests.planted import angle, random


@pytest.mark.parametrize(("p", "a"), [(13, 2), (13, 3), (13, 5), (12, 2), (17, 4)])
def test_class_means_and_within_share(p, a):
    u, values = tasks.powers(p, a), random(p, 4)
    means = relabelling.class_means(values, u)
    expected = [values[u == name].mean(0) for name in sorted(set(u.tolist()))]
    assert torch.allclose(means, torch.stack(expected))
    assert relabelling.within_share(means[u.unique(return_inverse=True)[1]], u) == pytest.approx(0)
    within = sum(
        ((values[u == name] - values[u == name].mean(0)) ** 2).sum() for name in u.unique()
    )
    assert relabelling.within_share(values, u) == pytest.approx(
        (within / ((values - values.mean(0)) ** 2).sum()).item()
    )


@pytest.mark.parametrize(("p", "a", "b"), [(13, 2, 3), (13, 5, 7), (12, 2, 3)])
def test_pairs(p, a, b):
    u, v, grid = tasks.powers(p, a), tasks.powers(p, b), random(p, p, 3)
    means = relabelling.grid_class_means(grid, u, v)
    for i, one in enumerate(sorted(set(u.tolist()))):
        for j, other in enumerate(sorted(set(v.tolist()))):
            assert torch.allclose(means[i, j], grid[u == one][:, v == other].mean((0, 1)))
    names = relabelling.pair_names(u, v)
    assert torch.allclose(relabelling.class_means(grid.flatten(0, 1), names), means.flatten(0, 1))
    task = tasks.exponentiated_addition(p, a, b, frac_train=0.2)
    assert all(len(set(task.labels[names == name].tolist())) == 1 for name in names)
    pairs = [(u[n // p].item(), v[n % p].item()) for n in range(p * p)]
    seen = {pair for pair, train in zip(pairs, task.train_mask, strict=True) if train}
    test = [
        pair not in seen for pair, train in zip(pairs, task.train_mask, strict=True) if not train
    ]
    assert relabelling.unseen_share(names, task.train_mask) == pytest.approx(sum(test) / len(test))


def test_with_bijections_a_grid_is_put_in_order_and_every_pair_is_unseen():
    p = 17
    u, v = tasks.powers(p, 3), tasks.powers(p, 5)
    grid = random(p, p, p)
    renamed = relabelling.grid_class_means(grid, u, v)
    assert all(renamed[u[x], v[y]].equal(grid[x, y]) for x in range(p) for y in range(p))
    task = tasks.exponentiated_addition(p, 3, 5)
    assert relabelling.unseen_share(relabelling.pair_names(u, v), task.train_mask) == 1
    with pytest.raises(ValueError, match="no test input"):
        relabelling.unseen_share(relabelling.pair_names(u, v), torch.ones(p * p, dtype=torch.bool))


def literal_share(values, design):
    """Share of variance that a design with a constant explains."""
    fit = design @ torch.linalg.lstsq(design, values, driver="gelsd").solution
    return 1 - (((values - fit) ** 2).sum(0) / ((values - values.mean(0)) ** 2).sum(0))


@pytest.mark.parametrize(("p", "a"), [(13, 2), (13, 3), (12, 2), (17, 4), (17, 8)])
def test_shares_are_least_squares(p, a):
    names = tasks.powers(p, a).unique()
    values = random(len(names), 3)
    shares = relabelling.frequency_shares(values[:, :1], names, p)
    pairs = random(len(names), len(names), 2, seed=1)
    of_pairs = relabelling.grid_frequency_shares(pairs, names, names, p)
    for f in range(1, p // 2 + 1):
        waves = torch.stack(
            [
                torch.ones(len(names)).double(),
                torch.cos(angle(p, f) * names.double()),
                torch.sin(angle(p, f) * names.double()),
            ],
            1,
        )
        assert shares[f].item() == pytest.approx(
            literal_share(values[:, :1], waves).item(), abs=1e-9
        )
        products = torch.einsum("ki,lj->klij", waves, waves).flatten(2).flatten(0, 1)
        assert torch.allclose(of_pairs[f], literal_share(pairs.flatten(0, 1), products), atol=1e-9)


@pytest.mark.parametrize(
    ("p", "a", "keys"),
    [(13, 1, [1, 4]), (13, 2, [2, 5]), (17, 4, [1, 3]), (17, 8, [1, 2, 5]), (12, 2, [1, 6])],
)
def test_share_on_several_is_least_squares(p, a, keys):
    names = tasks.powers(p, a).unique()
    values, planted = random(len(names), 1), torch.cos(angle(p, keys[0]) * names.double())[:, None]
    waves = [
        wave(angle(p, key) * names.double()) for key in keys for wave in (torch.cos, torch.sin)
    ]
    design = torch.stack([torch.ones(len(names)).double(), *waves], 1)
    assert relabelling.share_on(values, names, p, keys) == pytest.approx(
        literal_share(values, design).item(), abs=1e-9
    )
    assert relabelling.share_on(planted, names, p, keys) == pytest.approx(1)


def test_share_on_of_nothing_is_what_it_says():
    names, keys = torch.arange(101), [3, 7, 20]
    assert relabelling.share_on(random(101, 200), names, 101, keys) == pytest.approx(
        2 * 3 / 100, rel=0.1
    )


@pytest.mark.parametrize("p", [11, 12])
def test_with_every_name_it_is_the_fourier_basis(p):
    names, values, pairs = torch.arange(p), random(p, 3), random(p, p, 4, seed=2)
    assert torch.allclose(
        relabelling.frequency_shares(values, names, p), fourier.frequency_shares(values)
    )
    assert torch.allclose(
        relabelling.grid_frequency_shares(pairs, names, names, p),
        fourier.neuron_variance_by_frequency(pairs),
    )


def test_a_planted_chirp_is_flat_in_x_and_one_frequency_in_u():
    """Gauss sums: for a = 2 a single frequency in u = x^2 has the same power at every frequency of
    x.
    """
    p, k = 113, 5
    u = tasks.powers(p, 2)
    chirp = torch.stack(
        [torch.cos(angle(p, k) * u.double()), torch.sin(angle(p, k) * u.double())], 1
    )
    in_x = fourier.power(chirp).sum(1)[1:]
    assert torch.allclose(in_x, in_x.mean().expand_as(in_x))
    in_u = relabelling.frequency_shares(relabelling.class_means(chirp, u), u.unique(), p)
    assert in_u[k].item() == pytest.approx(1) and in_u.argmax() == k
    assert relabelling.within_share(chirp, u) == pytest.approx(0)


@pytest.mark.parametrize(("size", "p"), [(13, 13), (12, 12), (13, 7), (13, 2)])
def test_without_a_frequency(size, p):
    """Names may repeat: digits x = 0 .. 12 taken mod 7, say."""
    names, values = torch.arange(size), random(size, 3)
    for f in range(1, p // 2 + 1):
        waves = torch.stack(
            [torch.cos(angle(p, f) * names.double()), torch.sin(angle(p, f) * names.double())], 1
        )
        design = waves - waves.mean(0)
        fit = design @ torch.linalg.lstsq(design, values, driver="gelsd").solution
        rest = relabelling.without_frequency(values, names, p, f)
        assert torch.allclose(rest, values - fit) and torch.allclose(rest.mean(0), values.mean(0))
        assert relabelling.frequency_shares(rest, names, p)[f] < 1e-12
    for wrong in (0, p // 2 + 1):
        with pytest.raises(ValueError, match=f"frequencies mod {p} are 1"):
            relabelling.without_frequency(values, names, p, wrong)


def test_waves_that_are_one_on_these_names_count_once():
    """On even names mod 12, frequencies 1 and 5 are the same waves: together they explain what one
    of them does.
    """
    names, values = torch.arange(0, 12, 2), random(6, 3)
    one = relabelling.frequency_shares(values, names, 12)[1].item()
    assert 0.05 < one < 0.8
    assert relabelling.share_on(values, names, 12, [1]) == pytest.approx(one)
    assert relabelling.share_on(values, names, 12, [1, 5]) == pytest.approx(one)


def test_best_shares_are_of_each_neuron_that_varies():
    """A product of one frequency has one, the sum of two frequencies half, a constant none."""
    p = 11
    names = torch.arange(p)
    waves = {f: torch.cos(angle(p, f) * names.double()) for f in (2, 3)}
    product, other = (waves[f][:, None] * waves[f] for f in (2, 3))
    grid = torch.stack([product, product + other, torch.ones(p, p).double()], -1)
    found = relabelling.best_frequency_shares(grid, names, names, p)
    assert found.tolist() == pytest.approx([1, 0.5])
