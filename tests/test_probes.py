"""Linear probes on planted activations: what is there is found, and nothing where nothing is."""

import math

import pytest
import torch

from interp_utils.analysis import probes
from tests import planted

N = 1155


def on_a_circle(q, d=12, noise=0.3, seed=0):
    """n mod q as a point on a circle, in a random plane of d dimensions."""
    n = torch.arange(N)
    angle = 2 * math.pi * n / q
    plane, _ = torch.linalg.qr(planted.random(d, 2, seed=seed))
    points = torch.stack([angle.cos(), angle.sin()], 1).double() @ plane.T.double()
    return points + noise * planted.random(N, d, seed=seed + 1).double() / math.sqrt(d), n % q


MASK = torch.arange(N) % 11 > 2


@pytest.mark.parametrize("q", [2, 3, 5, 7])
def test_a_planted_residue_is_read(q):
    x, classes = on_a_circle(q)
    found = probes.probe(x, classes, fit=MASK)
    assert found.accuracy > 0.95 and found.chance == pytest.approx(1 / q, abs=0.02)
    null = probes.shuffled_accuracies(x, classes, fit=MASK, n_shuffles=8)
    assert null.max() < found.chance + 0.2 and null.std() > 0
    assert found.directions.shape == (q, 12) and found.offsets.shape == (q,)
    said = (x[~MASK] @ found.directions.T + found.offsets).argmax(1)
    assert (said == classes[~MASK]).double().mean().item() == found.accuracy


def test_what_is_not_there_is_not_read():
    x, _ = on_a_circle(3)
    found = probes.probe(x, torch.arange(N) % 7, fit=MASK)
    null = probes.shuffled_accuracies(x, torch.arange(N) % 7, fit=MASK)
    assert found.accuracy <= null.max() + 0.05


def test_it_is_the_ridge_regression_of_normal_equations():
    x, classes = on_a_circle(3, d=4)
    ridge = 0.1
    found = probes.probe(x, classes, fit=MASK, ridge=ridge)
    own, y = x[MASK], torch.eye(3).double()[classes[MASK]]
    own, y = own - own.mean(0), y - y.mean(0)
    # As plain least squares, of which the penalty is more rows.
    scale = own.square().mean()
    rows = torch.cat([own, (ridge * scale * len(own)).sqrt() * torch.eye(4).double()])
    expected = torch.linalg.lstsq(rows, torch.cat([y, torch.zeros(4, 3).double()])).solution
    torch.testing.assert_close(found.directions, expected.T, rtol=1e-8, atol=1e-10)


def test_without_its_directions_a_residue_cannot_be_read_and_others_can():
    x3, by_three = on_a_circle(3, seed=3)
    x5, by_five = on_a_circle(5, seed=8)
    x = torch.cat([x3, x5], 1)
    read = probes.probe(x, by_three, fit=MASK)
    left = probes.without_directions(x, read.means)
    after = probes.probe(left, by_three, fit=MASK)
    null = probes.shuffled_accuracies(left, by_three, fit=MASK)
    assert read.accuracy > 0.95 and after.accuracy <= null.max() + 0.05
    assert probes.probe(left, by_five, fit=MASK).accuracy > 0.95
    # What the probe itself follows is not all that another could read.
    still = probes.without_directions(x, read.directions)
    assert probes.probe(still, by_three, fit=MASK).accuracy > 0.7
    # As many directions at random do not take it away.
    others = probes.without_directions(x, planted.random(3, 24, seed=5).double())
    assert probes.probe(others, by_three, fit=MASK).accuracy > 0.95


def test_what_is_taken_away_is_the_span_and_the_mean_stays():
    x, _ = on_a_circle(3, d=5)
    directions = torch.tensor([[1.0, 1, 0, 0, 0], [0, 0, 2, 0, 0], [1, 1, 2, 0, 0]]).double()
    left = probes.without_directions(x, directions)
    torch.testing.assert_close(left.mean(0), x.mean(0))
    assert ((left - x.mean(0)) @ directions.T).abs().max() < 1e-12
    torch.testing.assert_close(left[:, 3:], x[:, 3:])
    torch.testing.assert_close(left[:, 0] - left[:, 1], x[:, 0] - x[:, 1])
    torch.testing.assert_close(probes.without_directions(left, directions), left)
    grid = probes.without_directions(x.view(33, 35, 5).float(), directions.float())
    assert grid.dtype == torch.float32
    torch.testing.assert_close(grid.view(N, 5), left.float(), rtol=1e-5, atol=1e-6)


def whitened(x, classes, mask):
    """LEACE as it is stated: whiten, take the classes' span away, and colour again."""
    own = x[mask]
    covariance = (own - own.mean(0)).T @ (own - own.mean(0)) / len(own)
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors @ values.sqrt().diag() @ vectors.T
    y = torch.eye(int(classes.max()) + 1, dtype=x.dtype)[classes[mask]]
    shared = root.inverse() @ (own - own.mean(0)).T @ (y - y.mean(0)) / len(own)
    basis, scales, _ = torch.linalg.svd(shared, full_matrices=False)
    basis = basis[:, scales > 1e-9 * scales.max()]
    return x - (x - own.mean(0)) @ (root @ basis @ basis.T @ root.inverse()).T


def test_erased_is_leace_and_leaves_nothing_to_read():
    x3, by_three = on_a_circle(3, seed=3)
    x5, by_five = on_a_circle(5, seed=8)
    x = torch.cat([x3, x5], 1) @ planted.random(24, 24, seed=2).double()  # directions correlate
    left = probes.erased(x, by_three, fit=MASK)
    torch.testing.assert_close(left, whitened(x, by_three, MASK), rtol=1e-6, atol=1e-8)
    assert probes.probe(left, by_three, fit=MASK).means.abs().max() < 1e-8
    null = probes.shuffled_accuracies(left, by_three, fit=MASK)
    assert probes.probe(left, by_three, fit=MASK).accuracy <= null.max() + 0.05
    assert probes.probe(left, by_five, fit=MASK).accuracy > 0.95
    # It changes less than taking the means' span away, and random classes change hardly anything.
    span = probes.without_directions(x, probes.probe(x, by_three, fit=MASK).means)
    scale = (x - x.mean(0)).square().sum()
    at_random = by_three[torch.randperm(N, generator=torch.Generator().manual_seed(0))]
    rest = probes.erased(x, at_random, fit=MASK)
    assert (rest - x).square().sum() < 0.2 * scale
    assert probes.probe(rest, by_three, fit=MASK).accuracy > 0.95
    assert probes.probe(span, by_three, fit=MASK).means.abs().max() < 1e-8


def test_bad_input_is_named():
    x, classes = on_a_circle(3)
    with pytest.raises(ValueError, match="`fit` selects 1155 of 1155"):
        probes.probe(x, classes, fit=torch.ones(N, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"classes must be 0 .. 2, each of them among the inputs"):
        probes.probe(x, classes, fit=classes < 2)
