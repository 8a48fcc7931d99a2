import math

import numpy as np
import pytest
import torch

from interp_utils.analysis import sinusoids
from tests import planted
from tests.planted import random


@pytest.mark.parametrize("p", [11, 12])
def test_attention_fit_recovers_planted_coefficients(p):
    n, w = planted.numbers(p), planted.angle(p, 3)
    row = 0.3 * torch.cos(w * n) - 0.1 * torch.sin(w * n)
    attention = 0.5 + row[:, None] - row
    fit = sinusoids.fit_attention(attention, 3)
    assert math.isclose(fit.variance_explained, 1)
    assert torch.allclose(fit.coefficients, torch.tensor([0.5, 0.3, -0.1], dtype=torch.float64))
    assert torch.allclose(fit.fitted, attention)
    assert sinusoids.fit_attention(attention, 4).variance_explained < 1e-10


def test_line_fit_recovers_a_planted_line_and_is_least_squares():
    difference = random(7, 9)
    fit = sinusoids.fit_line(difference, 0.4 + 0.05 * difference)
    assert fit.offset == pytest.approx(0.4) and fit.slope == pytest.approx(0.05)
    assert fit.variance_explained == pytest.approx(1)
    attention = (3 * difference).sigmoid()
    fit = sinusoids.fit_line(difference, attention)
    slope, offset = np.polyfit(difference.flatten(), attention.flatten(), 1)
    assert fit.slope == pytest.approx(slope) and fit.offset == pytest.approx(offset)
    assert torch.allclose(fit.fitted, offset + slope * difference)
    assert 0.5 < fit.variance_explained < 1
    constant = sinusoids.fit_line(difference, torch.full_like(difference, 0.5))
    assert constant.slope == 0 and math.isnan(constant.variance_explained)


@pytest.mark.parametrize(("p", "keys"), [(11, [2, 5]), (12, [1, 6])])
def test_rank_deficient_read_out_is_recovered(p, keys):
    n, u, v = planted.numbers(p), random(2, 7), random(2, 7, seed=1)
    W_L = sum(
        u[i][:, None] * torch.cos(planted.angle(p, k) * n)
        + v[i][:, None] * torch.sin(planted.angle(p, k) * n)
        for i, k in enumerate(keys)
    )
    found = sinusoids.read_out_directions(W_L, keys)
    assert torch.allclose(found.u, u) and found.residual < 1e-10
    for i, k in enumerate(keys):
        assert torch.allclose(
            found.v[i], torch.zeros(7, dtype=torch.float64) if 2 * k == p else v[i], atol=1e-10
        )
    other = (
        W_L
        - u[0][:, None] * torch.cos(planted.angle(p, keys[0]) * n)
        - v[0][:, None] * torch.sin(planted.angle(p, keys[0]) * n)
    )
    assert math.isclose(
        sinusoids.read_out_directions(W_L, keys[:1]).residual,
        other.norm() / W_L.norm(),
        rel_tol=1e-9,
    )


def test_single_cosine_shares():
    p, k, n = 11, 4, planted.numbers(11)
    sums = planted.angle(p, k) * (n[:, None] + n)
    activations = torch.stack([torch.cos(sums), torch.sin(sums) + 2, random(p, p)], -1)
    one = torch.eye(3, dtype=torch.float64)
    assert sinusoids.single_cosine_shares(one[0], activations, k) == pytest.approx((1, 0))
    assert sinusoids.single_cosine_shares(one[1], activations, k) == pytest.approx((0, 1))
    assert sum(sinusoids.single_cosine_shares(one[2], activations, k)) < 0.3


def test_off_directions_removes_their_span():
    activations, directions = random(5, 5, 8), random(3, 8, seed=1)
    off = sinusoids.off_directions(activations, directions)
    assert (off @ directions.T).abs().max() < 1e-10
    on = activations - off
    assert torch.allclose(
        sinusoids.off_directions(on, directions), torch.zeros_like(on), atol=1e-10
    )


def test_directions_may_be_zero_or_repeated():
    activations, directions = random(5, 5, 8), random(3, 8, seed=1)
    redundant = torch.cat(
        [directions, directions[:1] - directions[1:2], torch.zeros(2, 8, dtype=torch.float64)]
    )
    assert torch.allclose(
        sinusoids.off_directions(activations, redundant),
        sinusoids.off_directions(activations, directions),
    )


def test_attention_fit_of_the_alternating_frequency_has_no_sine():
    n = planted.numbers(8)
    row = 0.2 * torch.cos(planted.angle(8, 4) * n)
    fit = sinusoids.fit_attention(0.5 + row[:, None] - row, 4)
    assert torch.allclose(
        fit.coefficients, torch.tensor([0.5, 0.2], dtype=torch.float64)
    ) and math.isclose(fit.variance_explained, 1)


def test_keys_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"frequencies mod 11 are 1 .. 5, got \[6\]"):
        sinusoids.read_out_directions(random(3, 11), [6])
