"""Counts of frequencies and singular values against sums written out, planted spectra, and a growth
that fools the published count.
"""

import math

import pytest
import torch

from interp_utils.analysis import spectra
from tests.planted import angle, numbers, random


@pytest.mark.parametrize("p", [11, 12])
def test_amplitudes_are_a_dft_written_out(p):
    grid, n = random(p, p, 2), numbers(p)
    found = spectra.amplitudes(grid)
    assert found.shape == (p // 2 + 1, 2)
    for k in range(p // 2 + 1):
        of_first = []
        for j in range(p):
            turns = angle(p, j) * n[:, None] + angle(p, k) * n
            cos, sin = (
                torch.einsum("ab,abm->m", wave, grid) for wave in (turns.cos(), turns.sin())
            )
            of_first.append((cos**2 + sin**2).sqrt())
        assert torch.allclose(found[k], torch.stack(of_first).mean(0))


def test_active_by_the_text():
    spectrum = torch.ones(2, 57, dtype=torch.float64)
    spectrum[0, [3, 30, 44]] = 10
    assert spectra.active(spectrum)[0].nonzero().flatten().tolist() == [3, 30, 44]
    assert not spectra.active(spectrum)[1].any()
    values = spectrum[0].tolist()
    mean = sum(values) / 57
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / 57)
    assert spectra.active(spectrum, 5.0)[0].any() == (mean + 5 * deviation < 10)


def test_the_text_allows_no_more_than_a_fifth():
    """Cantelli: 11 of 57, whatever the spectrum. Nearly reached by 11 equal ones; 12 are not
    active.
    """
    most = [
        int(spectra.active(torch.ones(57).index_fill(0, torch.arange(n), 2.0)).sum())
        for n in range(1, 57)
    ]
    assert most == [*range(1, 12), *[0] * 45]
    assert spectra.active(random(500, 57).exp().pow(4)).sum(1).max() <= 11


def test_the_codes_count_sees_new_frequencies_where_all_grow_and_shrink():
    """A spectrum that never changes but in scale, as weight decay shrinks activations: scale-free
    measures are flat, the code's spikes.
    """
    steps, scale = 40, torch.ones(40, dtype=torch.float64)
    scale[18:22] = 5
    spectrum = random(57).abs() + 0.5
    history = scale[:, None] * spectrum
    count = spectra.active_over_time(history).sum(1)
    assert count[18:22].tolist() == [57] * 4 and count.sum() == 4 * 57
    participation = spectra.participation_ratio(history.square())
    assert torch.allclose(participation, participation[:1].expand(steps))
    assert spectra.count_for(history.square()).unique().numel() == 1
    assert spectra.active(history).sum(1).unique().numel() == 1


def test_the_codes_count_written_out():
    history = random(6, 5).abs()
    rows = [[value / sum(row) for value in row] for row in history.T.tolist()]
    entries = [value for row in rows for value in row]
    mean = sum(entries) / len(entries)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in entries) / len(entries))
    expected = [[rows[k][step] > mean + deviation for k in range(5)] for step in range(6)]
    assert spectra.active_over_time(history).tolist() == expected
    assert any(map(any, expected)) and not all(map(all, expected))


def test_printed_counts():
    """The published 0 0 10 18 10 is how counts of 0, 22 to 24 and 48 to 50 are printed."""
    printed = spectra.printed_count(torch.arange(58))
    assert printed.tolist() == [int(count**0.75) for count in range(58)]
    assert [int((printed == value).nonzero()[i]) for value in (10, 18) for i in (0, -1)] == [
        22,
        24,
        48,
        50,
    ]


def test_participation_ratio_and_count_for():
    spread = torch.zeros(2, 20, dtype=torch.float64)
    spread[0, [1, 4, 9]], spread[1, 7] = 2, 5
    assert spectra.participation_ratio(spread).tolist() == pytest.approx([3, 1])
    assert spectra.count_for(spread).tolist() == [3, 1] and spectra.count_for(
        spread, 0.6
    ).tolist() == [2, 1]
    assert spectra.count_for(torch.full((10,), 0.1)).item() == 9, (
        "nine tenths, whatever rounding says"
    )
    assert spectra.count_for(torch.full((30,), 0.1, dtype=torch.float64), 0.5).item() == 15, (
        "and half"
    )
    parts = random(30).square()
    total, largest_first = parts.sum().item(), sorted(parts.tolist(), reverse=True)
    count = next(n for n in range(1, 31) if sum(largest_first[:n]) >= 0.75 * total)
    assert spectra.count_for(parts, 0.75).item() == count
    assert spectra.participation_ratio(parts).item() == pytest.approx(
        total**2 / sum(part**2 for part in parts.tolist())
    )
    with pytest.raises(ValueError, match=r"a share must be in \(0, 1\], got 90"):
        spectra.count_for(parts, 90.0)
    with pytest.raises(ValueError, match="must not be negative"):
        spectra.count_for(-parts)


def test_singular_values_of_a_planted_matrix():
    left, right = torch.linalg.qr(random(9, 4)).Q, torch.linalg.qr(random(6, 4, seed=1)).Q
    found = spectra.singular_values(left * torch.tensor([4.0, 3, 2, 1]) @ right.T)
    assert found.values.tolist() == pytest.approx([4, 3, 2, 1, 0, 0], abs=1e-9)
    assert found.share_of_sum.tolist() == pytest.approx([0.4, 0.7, 0.9, 1, 1, 1])
    assert found.share_of_squares.tolist() == pytest.approx([16 / 30, 25 / 30, 29 / 30, 1, 1, 1])
    assert (
        spectra.count_for(found.values, 0.5) == 2
        and spectra.count_for(found.values.square(), 0.5) == 1
    )
    # The published tick: the last 0-based index whose share of the sum is below.
    for share in (0.5, 0.8):
        below = [i for i, value in enumerate(found.share_of_sum.tolist()) if value < share]
        assert max(below) == spectra.count_for(found.values, share) - 2


def test_centring_takes_the_mean_row_out():
    matrix = random(9, 6) + 3 * random(6, seed=1)
    centred = spectra.singular_values(matrix, centre=True)
    assert torch.allclose(centred.values, torch.linalg.svdvals(matrix - matrix.mean(0)))
    assert centred.values.square().sum().item() == pytest.approx(
        (9 * matrix.var(0, correction=0)).sum().item()
    )
    assert spectra.singular_values(matrix).values[0] > 1.5 * centred.values[0]


def test_compare():
    x, y = random(30), random(30, seed=1)
    mean_x, mean_y = sum(x.tolist()) / 30, sum(y.tolist()) / 30
    cross = sum((a - mean_x) * (b - mean_y) for a, b in zip(x.tolist(), y.tolist(), strict=True))
    sizes = [
        math.sqrt(sum((a - mean) ** 2 for a in v.tolist()))
        for v, mean in ((x, mean_x), (y, mean_y))
    ]
    found = spectra.compare(x, y)
    assert found.pearson == pytest.approx(cross / (sizes[0] * sizes[1]))
    assert found.half_sum**2 + found.half_difference**2 == pytest.approx(
        ((x**2).sum() + (y**2).sum()).item() / 2
    )
    same, opposite = spectra.compare(x, 2 * x + 1), spectra.compare(x, -x)
    assert same.pearson == pytest.approx(1) and opposite.pearson == pytest.approx(-1)
    assert opposite.half_sum == pytest.approx(0) and opposite.half_difference == pytest.approx(
        x.norm().item()
    )
    with pytest.raises(ValueError, match="at least two"):
        spectra.compare(x[:1], y[:1])
