import pytest
import torch

from interp_utils.analysis import neurons
from tests import planted


def test_gromovs_neurons_are_one_cluster_each():
    W_a, W_b, _, frequency = planted.gromov(13, 24)
    clusters = neurons.frequency_clusters(planted.gromov_hidden(W_a, W_b))
    # (cos x + cos y)^2 = 1 + cos 2x / 2 + cos 2y / 2 + cos(x + y) + cos(x - y): three quarters of
    # k's... products, a quarter at 2k.
    assert clusters.frequency.equal(frequency)
    assert torch.allclose(clusters.variance_explained, torch.full((24,), 0.8, dtype=torch.float64))
    assert not clusters.clustered.any()
    assert neurons.frequency_clusters(
        planted.gromov_hidden(W_a, W_b), threshold=0.79
    ).clustered.all()


def test_a_product_of_cosines_is_all_its_frequency_and_dead_neurons_have_none():
    p, n = 10, planted.numbers(10)
    activations = torch.zeros(p, p, 3, dtype=torch.float64)
    activations[..., 0] = torch.outer(
        1 + torch.cos(planted.angle(p, 3) * n), 2 + torch.sin(planted.angle(p, 3) * n)
    )
    activations[..., 1] = torch.outer(
        (-1) ** n, (-1) ** n
    )  # the alternating frequency of an even p
    clusters = neurons.frequency_clusters(activations)
    assert clusters.frequency.tolist() == [3, 5, 0]
    assert torch.allclose(
        clusters.variance_explained, torch.tensor([1.0, 1, 0], dtype=torch.float64)
    )
    assert clusters.clustered.tolist() == [True, True, False]
    assert torch.allclose(
        neurons.polynomial(activations, clusters.frequency), activations, atol=1e-10
    )


def test_polynomial_is_the_least_squares_fit():
    p, k = 7, 2
    activations = torch.randn(
        p, p, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    n = planted.numbers(p)
    terms = [
        torch.ones(p, dtype=torch.float64),
        torch.cos(planted.angle(p, k) * n),
        torch.sin(planted.angle(p, k) * n),
    ]
    design = torch.stack([torch.outer(x, y).flatten() for x in terms for y in terms], 1)
    target = activations.flatten(0, 1)
    fitted = (design @ torch.linalg.lstsq(design, target).solution).view(p, p, 2)
    assert torch.allclose(neurons.polynomial(activations, torch.tensor([k, k])), fitted, atol=1e-10)
    only_mean = neurons.polynomial(activations, torch.tensor([k, 0]))[..., 1]
    assert torch.allclose(only_mean, activations[..., 1].mean().expand(p, p))


def test_terms_are_those_alone_and_the_products():
    p, k, n = 11, 3, planted.numbers(11)
    a, b = planted.angle(p, k) * n[:, None], planted.angle(p, k) * n[None, :]
    alone, product = 3 * torch.cos(a) - torch.sin(b), torch.cos(a) * torch.sin(b)
    both = alone + 2 * product
    activations = torch.stack([alone, product + 0 * a, both, torch.ones(p, p)], -1).double()
    found = neurons.terms(activations, torch.tensor([k, k, k, 0]))
    # Over the grid cos^2 has mean 1/2, a product of two 1/4: 5 for what is alone, 1 for products.
    shares = torch.tensor([0.0, 1.0, 1 / 6, 0.0], dtype=torch.float64)
    torch.testing.assert_close(found.products, shares)
    torch.testing.assert_close(found.alone, torch.tensor([1, 0, 5 / 6, 0], dtype=torch.float64))


def test_terms_add_up_to_what_the_frequency_explains():
    activations = planted.random(9, 9, 4)
    clusters = neurons.frequency_clusters(activations)
    found = neurons.terms(activations, clusters.frequency)
    torch.testing.assert_close(found.alone + found.products, clusters.variance_explained)


@pytest.mark.parametrize(("p", "k"), [(11, 4), (13, 5)])
def test_harmonics_are_multiples_of_the_frequency_mod_p(p, k):
    n = planted.numbers(p)
    w = planted.angle(p, k)
    a, b = w * n[:, None], w * n[None, :]
    neuron = 5 + torch.cos(a) * torch.cos(b) + torch.sin(2 * a) + 0 * b
    shares = neurons.harmonics(neuron[..., None].double(), k)  # 2 k is p - 2 k, which is 3 here
    expected = torch.zeros(4, 4, dtype=torch.float64)
    expected[1, 1], expected[2, 0] = 1 / 3, 2 / 3
    torch.testing.assert_close(shares, expected)
