import math

import pytest
import torch

from interp_utils.analysis import algorithm, answers, fourier, sparsity
from tests import planted


@pytest.mark.parametrize("p", [10, 11, 12, 15])
def test_cosine_fit_recovers_planted_amplitudes(p):
    amplitudes = {1: 3.0, 4: -2.0, p // 2: 0.5}
    logits = planted.clock(p, amplitudes)
    fit = algorithm.cosine_fit(logits, list(amplitudes))
    expected = [amplitudes.get(k, 0.0) for k in range(p // 2 + 1)]
    shifted = algorithm.cosine_fit(logits + 7, list(amplitudes)).coefficients
    assert math.isclose(shifted[0], 7) and torch.allclose(shifted[1:], fit.coefficients[1:])
    assert torch.allclose(fit.coefficients, torch.tensor(expected, dtype=torch.float64), atol=1e-10)
    assert torch.allclose(fit.approximation, logits, atol=1e-10) and math.isclose(
        fit.variance_explained, 1
    )
    partial, small = (algorithm.cosine_fit(x, [1]) for x in (logits, 1e-3 * logits))
    assert math.isclose(small.variance_explained, partial.variance_explained), "whatever the scale"
    energy = {k: A**2 * (p**3 if 2 * k == p else p**3 / 2) for k, A in amplitudes.items()}
    assert math.isclose(partial.variance_explained, energy[1] / sum(energy.values()), rel_tol=1e-9)


def test_cosine_fit_is_least_squares():
    p, keys = 7, [1, 3]
    logits = torch.randn(p, p, p, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    design = torch.stack([planted.clock(p, {k: 1.0}).flatten() for k in keys], 1)
    solution = torch.linalg.lstsq(design, logits.flatten()[:, None]).solution.flatten()
    assert torch.allclose(
        algorithm.cosine_fit(logits, keys).coefficients[keys], solution, atol=1e-10
    )


def test_gini():
    assert math.isclose(sparsity.gini(torch.ones(10)), 0, abs_tol=1e-6)
    one = torch.zeros(10)
    one[3] = 5.0
    assert math.isclose(sparsity.gini(one), 0.9, rel_tol=1e-6)
    x = torch.rand(30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pairwise = (x[:, None] - x).abs().mean() / (2 * x.mean())
    assert math.isclose(sparsity.gini(x), pairwise, rel_tol=1e-9)
    for bad in (torch.zeros(3), torch.tensor([1.0, -1.0])):
        with pytest.raises(ValueError, match="values of at least 0, not all of them 0"):
            sparsity.gini(bad)


def test_distance_irrelevance_tells_clock_from_pizza():
    p, amplitudes = 59, {4: 1.0, 13: 1.0, 22: 1.0}
    noise = 1e-3 * torch.randn(
        p, p, p, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    by_sum = torch.sin(planted.numbers(p))[planted.labels(p)].view(p, p, 1)
    assert algorithm.distance_irrelevance(planted.clock(p, amplitudes) + by_sum + noise) > 0.9
    assert algorithm.distance_irrelevance(planted.pizza(p, amplitudes) + noise) < 0.1


def test_distance_irrelevance_is_its_literal_formula():
    p = 6
    logits = torch.randn(p, p, p, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    right = [[logits[i, (i + d) % p, (2 * i + d) % p] for i in range(p)] for d in range(p)]
    spread = sum(torch.stack(row).std(correction=0) for row in right) / p
    everything = torch.stack([x for row in right for x in row]).std(correction=0)
    assert math.isclose(algorithm.distance_irrelevance(logits), spread / everything, rel_tol=1e-9)


def test_gromovs_solution_has_single_frequencies():
    W_a, W_b, W_out, _ = planted.gromov(13, 24)
    for weights in (W_a, W_b, W_out.T):
        assert torch.allclose(
            sparsity.inverse_participation_ratio(weights), torch.ones(24, dtype=torch.float64)
        )
    flat = torch.zeros(1, 13, dtype=torch.float64)
    flat[0, 0] = 1.0  # an impulse has a flat spectrum
    assert math.isclose(sparsity.inverse_participation_ratio(flat).item(), 1 / 7, rel_tol=1e-9)


def test_fourier_density_of_planted_embeddings():
    p, n = 11, planted.numbers(11)
    both = torch.stack([torch.cos(planted.angle(p, 3) * n), torch.sin(planted.angle(p, 3) * n)], 1)
    noise = 1e-9 * torch.randn(
        p, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    density = sparsity.fourier_density(both + noise)
    assert math.isclose(density.ffd, 2 / 10)
    everything = torch.linalg.qr(
        torch.randn(p, p, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ).Q
    dense = sparsity.fourier_density(everything)
    assert math.isclose(dense.ffd, 1) and math.isclose(dense.fcr, 1)
    # A cosine without its sine: ratio 0 at that frequency, 1 at the four others.
    lonely = fourier.inverse(
        torch.eye(p, dtype=torch.float64).index_fill(0, torch.tensor([6]), 0.0)
    )
    assert math.isclose(sparsity.fourier_density(lonely).fcr, 4 / 5, rel_tol=1e-9)
    uneven = 10 * torch.rand(p, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    norms = fourier.transform(uneven).norm(dim=1)[1:]
    cosines, sines = norms[0::2].tolist(), norms[1::2].tolist()
    pairs = list(zip(cosines, sines, strict=True))
    large = [[x > eta * max(of) for x in of] for eta in (0.5, 0.8) for of in (cosines, sines)]
    for eta, (c, s) in {0.5: large[:2], 0.8: large[2:]}.items():
        density = sparsity.fourier_density(uneven, eta)
        assert math.isclose(density.ffd, sum(c + s) / 10)
    assert math.isclose(density.fcr, sum(min(pair) / max(pair) for pair in pairs) / 5)
    with pytest.raises(ValueError, match="odd p, got 10"):
        sparsity.fourier_density(torch.rand(10, 2))


def test_values_that_do_not_vary_are_refused():
    flat = torch.ones(3, 3, 3)
    for measure in (algorithm.distance_irrelevance, lambda x: algorithm.variance_explained(x, x)):
        with pytest.raises(ValueError, match="differ between pairs|no variance to explain"):
            measure(flat)


def test_distance_irrelevance_is_refused_where_the_answer_is_a_difference():
    noise = torch.rand(13, 13, 13, generator=torch.Generator().manual_seed(0)) / 10
    clock = planted.clock(13, {2: 1.0, 5: 0.5}) + noise
    algorithm.distance_irrelevance(clock)
    by_difference = clock[:, -torch.arange(13) % 13]
    with pytest.raises(ValueError, match=r"vary with a - b .*as_sums"):
        algorithm.distance_irrelevance(by_difference)


def test_sequence_accuracy_counts_what_is_asked():
    labels = torch.tensor([[-1, 2, 0], [-1, 1, -1], [1, 0, 1]])
    logits = torch.nn.functional.one_hot(torch.tensor([[0, 2, 0], [2, 1, 0], [1, 3, 1]]), 4).float()
    whole, token = answers.sequence_accuracy(logits, labels)
    assert (whole, token) == (pytest.approx(2 / 3), pytest.approx(5 / 6))
