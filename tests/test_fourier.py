import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from interp_utils import fourier
from tests import planted

moduli = st.integers(2, 60)
seeds = st.integers(0, 10_000)


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def angles(p, k):
    return 2 * math.pi * k / p


def planted_logits(p, k, phase=0.0, classes=None):
    """cos(w_k(a + b - c) + phase) in float64."""
    n, c = torch.arange(p, dtype=torch.float64), torch.arange(classes or p, dtype=torch.float64)
    return torch.cos(angles(p, k) * (n[:, None, None] + n[:, None] - c) + phase)


@given(moduli)
def test_basis_is_orthonormal_and_says_what_its_rows_are(p):
    basis = fourier.fourier_basis(p, torch.float64)
    assert torch.allclose(basis @ basis.T, torch.eye(p, dtype=torch.float64), atol=1e-12)
    names, frequencies = fourier.component_names(p), fourier.component_frequencies(p).tolist()
    assert len(names) == p == len(frequencies) and max(frequencies) == p // 2
    for row, name, frequency in zip(basis, names, frequencies, strict=True):
        function = {"const": lambda x: 1.0, "cos": math.cos, "sin": math.sin}[name.split()[0]]
        literal = np.array([function(angles(p, frequency) * n) for n in range(p)])
        assert name == "const" or name.split()[1] == str(frequency)
        assert np.allclose(row, literal / np.linalg.norm(literal), atol=1e-12)


@given(moduli, seeds, st.integers(0, 2))
def test_transform_inverts_and_keeps_norms_along_any_axis(p, seed, dim):
    shape = [3, 3, 3]
    shape[dim] = p
    x = random(*shape, seed=seed)
    components = fourier.transform(x, dim)
    assert components.shape == x.shape
    assert torch.allclose(fourier.inverse(components, dim), x, atol=1e-12)
    power = fourier.power(x, dim)
    assert power.shape[dim] == p // 2 + 1
    assert torch.allclose(power.sum(dim), x.square().sum(dim))  # Parseval


@given(moduli, seeds)
def test_power_is_torch_ffts(p, seed):
    x = random(p, 4, seed=seed)
    spectrum = torch.fft.rfft(x, dim=0).abs().square() / p
    twice = torch.full((p // 2 + 1, 1), 2.0, dtype=torch.float64)
    twice[0] = 1
    if p % 2 == 0:
        twice[-1] = 1
    assert torch.allclose(fourier.power(x), twice * spectrum, atol=1e-10)


@given(moduli, seeds)
def test_2d_transform_is_torch_ffts(p, seed):
    x = random(p, p, 2, seed=seed)
    components = fourier.transform_2d(x)
    assert torch.allclose(fourier.inverse_2d(components), x, atol=1e-12)
    power = fourier.by_frequency(fourier.by_frequency(components.square(), 0), 1)
    full = torch.fft.fft2(x, dim=(0, 1)).abs().square() / p**2
    frequency = torch.minimum(torch.arange(p), p - torch.arange(p))  # k and p - k are one frequency
    folded = torch.zeros_like(power)
    for a in range(p):
        for b in range(p):
            folded[frequency[a], frequency[b]] += full[a, b]
    assert torch.allclose(power, folded, atol=1e-10)


@given(moduli, seeds, st.integers(0, 59))
def test_power_does_not_see_a_shift_of_the_tokens(p, seed, shift):
    x = random(p, 3, seed=seed)
    assert torch.allclose(fourier.power(x.roll(shift, 0)), fourier.power(x), atol=1e-10)


@given(moduli, st.data())
def test_directions_are_unit_cosines_and_sines_of_sum_and_difference(p, data):
    k = data.draw(st.integers(1, p // 2))
    for sign, directions in ((1, fourier.sum_directions), (-1, fourier.difference_directions)):
        found = directions(p, k, torch.float64)
        assert len(found) == (1 if 2 * k == p else 2)
        n = torch.arange(p, dtype=torch.float64)
        for direction, function in zip(found, (torch.cos, torch.sin), strict=False):
            literal = function(angles(p, k) * (n[:, None] + sign * n))
            # norm^2 of cos w(a + b) on the grid is p^2 / 2, and p^2 for the alternating frequency
            assert math.isclose(literal.norm() ** 2, p**2 if 2 * k == p else p**2 / 2, rel_tol=1e-9)
            assert torch.allclose(direction, literal / literal.norm(), atol=1e-12)


@given(moduli, seeds, st.sampled_from([1, -1]))
def test_sum_components_are_the_inner_products_with_every_direction(p, seed, sign):
    grid = random(p, p, 2, seed=seed)
    components = fourier.sum_components(grid, sign)
    directions = fourier.sum_directions if sign == 1 else fourier.difference_directions
    literal = [torch.ones(p, p, dtype=torch.float64) / p]
    literal += [
        direction for k in range(1, p // 2 + 1) for direction in directions(p, k, torch.float64)
    ]
    expected = torch.stack([(direction[..., None] * grid).sum((0, 1)) for direction in literal])
    assert torch.allclose(components, expected, atol=1e-10)


@given(moduli, st.data())
def test_planted_frequency_is_found_by_every_rule(p, data):
    k = data.draw(st.integers(1, p // 2))
    logits = planted_logits(p, k)
    assert fourier.key_frequencies(logits.float()) == [k]
    assert fourier.key_frequencies(logits, "logit_similarity") == [k]
    assert math.isclose(fourier.frequency_scores(logits, "logit_similarity")[k], 1, rel_tol=1e-9)
    assert fourier.key_frequencies(logits, "neurons") == [k]
    assert fourier.key_frequencies(logits[0], "W_L") == [k]
    assert fourier.key_frequencies(logits[:, 0], "W_E") == [k]


@pytest.mark.parametrize("p", [11, 12])
def test_every_single_frequency_is_found_the_last_included(p):
    for k in range(1, p // 2 + 1):
        assert fourier.key_frequencies(planted_logits(p, k)) == [k]
        same_for_all_classes = planted_logits(p, k)[:, :, :1].expand(p, p, 3)
        assert fourier.key_frequencies(same_for_all_classes) == [k]


def test_threshold_is_relative_to_the_largest():
    logits = (
        planted_logits(13, 2)
        + 0.3 * planted_logits(13, 5)
        + 0.2 * planted_logits(13, 6)
        + 0.05 * planted_logits(13, 1)
    )
    assert fourier.key_frequencies(logits) == [2, 5, 6]
    assert fourier.key_frequencies(logits, threshold=0.25) == [2, 5]
    assert fourier.key_frequencies(logits, threshold=0.01) == [1, 2, 5, 6]
    assert fourier.key_frequencies(logits[0], "W_L") == [2, 5]


def test_logits_rule_does_not_see_differences():
    p, n = 11, torch.arange(11, dtype=torch.float64)
    difference = torch.cos(angles(p, 4) * (n[:, None] - n))[..., None].expand(p, p, p)
    assert fourier.key_frequencies(difference + 0.1 * planted_logits(p, 2)) == [2]


@given(st.integers(3, 20), seeds)
def test_neuron_variance_is_the_literal_sum_of_eight_terms(p, seed):
    activations = random(p, p, 3, seed=seed)
    found = fourier.neuron_variance_by_frequency(activations)
    centred = activations - activations.mean((0, 1))
    basis, frequency = fourier.fourier_basis(p, torch.float64), fourier.component_frequencies(p)
    for k in range(1, p // 2 + 1):
        own = [i for i in range(p) if frequency[i] in (0, k)]
        explained = sum(
            (torch.outer(basis[i], basis[j])[..., None] * centred).sum((0, 1)).square()
            for i in own
            for j in own
            if (i, j) != (0, 0)
        )
        assert torch.allclose(found[k], explained / centred.square().sum((0, 1)), atol=1e-10)


def test_dead_neurons_have_no_frequency():
    activations = planted_logits(7, 3)
    activations[..., 2] = 0.0
    activations[..., 4] = 5.0
    share = fourier.neuron_variance_by_frequency(activations.float())
    assert share[1:].isnan().all(0).nonzero().flatten().tolist() == [2, 4]
    assert torch.allclose(share[3, [0, 1, 3]], torch.ones(3), atol=1e-5)
    scores = fourier.frequency_scores(activations.float(), "neurons")
    assert scores.tolist() == [0, 0, 0, 5]


def test_table_shows_where_rules_disagree():
    logits = planted_logits(13, 2) + 0.5 * planted_logits(13, 6)
    table = fourier.key_frequency_table(logits=logits, W_E=planted_logits(13, 4)[0])
    assert table.index.tolist() == [2, 4, 6]
    assert table["logits", "key"].tolist() == [True, False, True]
    assert table["W_E", "key"].tolist() == [False, True, False]
    assert np.allclose(table["logits", "score"], [1, 0, 0.5])


@pytest.mark.parametrize("p", [11, 12])
def test_shares_of_frequencies_are_of_the_variance(p):
    x = random(p, 3) + 5
    power = fourier.power(x - x.mean(0)).sum(1)
    shares = fourier.frequency_shares(x)
    assert shares[0] == 0 and torch.allclose(shares[1:], power[1:] / power[1:].sum())
    assert torch.allclose(fourier.frequency_shares(x.T, dim=-1), shares)
    one = torch.cos(angles(p, 4) * torch.arange(p, dtype=torch.float64)) + 7
    assert fourier.frequency_shares(one)[4].item() == pytest.approx(1)
    assert fourier.frequency_shares(torch.ones(p)).isnan().all()


def test_an_embeddings_score_is_that_of_the_larger_of_cosine_and_sine():
    """A cosine of norm 1 alone beats a cosine and a sine of norm 0.8 each."""
    components = torch.zeros(11, 4, dtype=torch.float64)
    components[3, 0] = 1.0  # cos 2
    components[9, 1] = components[10, 2] = 0.8  # cos 5, sin 5
    scores = fourier.frequency_scores(fourier.inverse(components), "W_E")
    assert scores.argmax() == 2 and (scores[5] / scores[2]).item() == pytest.approx(0.8)


def test_scores_of_the_constant_are_zero():
    """However large it is: index k is frequency k, and the constant is none."""
    x = planted_logits(11, 3) + 100
    for rule, tensor in (("logits", x), ("neurons", x), ("W_L", x[0]), ("W_E", x[0])):
        scores = fourier.frequency_scores(tensor, rule)
        assert len(scores) == 6 and scores[0] == 0 and scores.argmax() == 3
        assert fourier.key_frequencies(tensor, rule) == [3]


def test_frequency_plane_of_a_circle_is_that_circle():
    p, k = 12, 5
    n = torch.arange(p, dtype=torch.float64)
    directions = torch.linalg.qr(random(8, 2)).Q.T
    circle = (
        3 * torch.stack([torch.cos(angles(p, k) * n), torch.sin(angles(p, k) * n)], 1) @ directions
    )
    plane = fourier.frequency_plane(circle + 7, k)
    assert torch.allclose(
        (plane - plane.mean(0)).norm(dim=1), torch.full((p,), 3.0, dtype=torch.float64)
    )
    with pytest.raises(ValueError, match="alternates"):
        fourier.frequency_plane(circle, 6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: fourier.key_frequencies(torch.zeros(3, 4, 5)),
            ValueError,
            r"expected a tensor on the \(a, b\) grid.*\(3, 4, 5\)",
        ),
        (
            lambda: fourier.key_frequencies(torch.rand(3, 3)),
            ValueError,
            r'rule "logits" reads a tensor of 3 axes.*\(3, 3\)',
        ),
        (
            lambda: fourier.key_frequencies(torch.ones(5, 5, 5)),
            ValueError,
            "do not vary with the tokens",
        ),
        (
            lambda: fourier.key_frequencies(torch.zeros(5, 5, 5)),
            ValueError,
            "do not vary with the tokens",
        ),
        (
            lambda: fourier.key_frequencies(torch.full((3, 3, 3), torch.nan)),
            ValueError,
            "got NaN or infinity",
        ),
        (
            lambda: fourier.key_frequencies(torch.rand(3, 3, 4), "logit_similarity"),
            ValueError,
            "as many classes as tokens",
        ),
        (
            lambda: fourier.key_frequencies(object()),
            TypeError,
            "read off a tensor, got object: pass model.logits from model = CachedModel",
        ),
        (lambda: fourier.sum_directions(7, 4), ValueError, r"frequencies mod 7 are 1 .. 3, got 4"),
        (lambda: fourier.sum_directions(7, 0), ValueError, r"frequencies mod 7 are 1 .. 3, got 0"),
        (
            lambda: fourier.frequency_scores(torch.rand(3, 3), "W_Q"),
            ValueError,
            "rule must be one of .*'W_L'.*, got 'W_Q'",
        ),
        (
            lambda: fourier.transform(torch.arange(5)),
            TypeError,
            r"got torch.int64; call .float\(\)",
        ),
        (lambda: fourier.fourier_basis(0), ValueError, "p of at least 1, got 0"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_logits_of_a_difference_are_no_logits_of_a_sum():
    """A planted clock on a - b; in its own coordinates (b reversed) it has its frequencies."""
    p, n = 13, torch.arange(13)
    logits = planted.clock(p, {2: 1.0, 5: 0.7})
    differences = logits[:, -n % p]  # of b and -b
    for rule in ("logits", "logit_similarity"):
        assert fourier.key_frequencies(logits, rule) == [2, 5]
        with pytest.raises(ValueError, match=r"vary with a - b and not with a \+ b: pass them in"):
            fourier.key_frequencies(differences, rule)
        assert fourier.key_frequencies(differences[:, -n % p], rule) == [2, 5]
    fourier.key_frequencies(planted.random(p, p, p))  # of a model that has learned nothing


@pytest.mark.parametrize(("p", "k"), [(11, 4), (12, 4), (12, 6)])
def test_in_its_order_a_frequency_is_a_single_wave(p, k):
    order = fourier.wave_order(p, k)
    assert order.sort().values.tolist() == list(range(p))
    cosine = torch.cos(2 * math.pi * k * order.double() / p)
    turns = (cosine.diff().sign().where(cosine.diff().abs() > 1e-9, 0)).tolist()
    moving = [turn for turn in turns if turn]
    assert sum(one != other for one, other in itertools.pairwise(moving)) <= 1
