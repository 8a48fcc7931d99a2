"""Frequencies of phases: against sums written out, and of phases that are known."""

import cmath
import math

import pytest
import torch

from interp_utils import models, tasks
from interp_utils.analysis import phasors
from interp_utils.models.cached import CachedModel
from interp_utils.models.phasor import exact

P = 5


def literal_power(phases, multiple, k, of_b):
    """|sum over a, b of exp(i pi m x) exp(-2 pi i (k a + of_b b) / p)|² / p⁴."""
    total = sum(
        cmath.exp(1j * math.pi * multiple * phases[a][b])
        * cmath.exp(-2j * math.pi * (k * a + of_b * b) / P)
        for a in range(P)
        for b in range(P)
    )
    return abs(total / P**2) ** 2


def random_phases(neurons=3):
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.rand(P, P, neurons, generator=generator) - 1


@pytest.mark.parametrize("multiple", [1, 2])
def test_powers_are_those_of_sums_written_out(multiple):
    phases = random_phases()
    found = phasors.spectrum(phases, multiple)
    wave = phasors.strongest_wave(phases, multiple)
    shares = phasors.share_of_sums(phases, multiple)
    for neuron in range(3):
        own = phases[..., neuron].double().tolist()
        expected = [[literal_power(own, multiple, k, j) for j in range(P)] for k in range(P)]
        of_all = [power for row in expected for power in row]
        assert found[neuron].flatten().tolist() == pytest.approx(of_all, abs=1e-6)
        largest = max(of_all)
        assert wave.power[neuron].item() == pytest.approx(largest, abs=1e-6)
        assert expected[wave.a[neuron]][wave.b[neuron]] == pytest.approx(largest)
        sums = sum(expected[k][k] for k in range(1, P)) / (1 - expected[0][0])
        assert shares[neuron].item() == pytest.approx(sums, abs=1e-5) and sums < 0.6
    assert found.sum((1, 2)).tolist() == pytest.approx([1, 1, 1], abs=1e-6)


def test_what_depends_on_a_plus_b_is_all_sums():
    n = torch.arange(P)
    of_sums = random_phases()[0][(n[:, None] + n) % P]
    assert phasors.share_of_sums(of_sums).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    of_a = random_phases()[0][n[:, None].expand(P, P)]
    assert phasors.share_of_sums(of_a).tolist() == pytest.approx([0, 0, 0], abs=1e-5)
    assert phasors.share_of_sums(torch.full((P, P, 1), 0.3)).item() == 0


def test_a_phasor_averages_and_twice_its_phase_is_the_sum():
    """Of exp(iA) + exp(iB) no wave is a function of a + b, and of its square all are."""
    task = tasks.modular_addition(31)
    config, weights = exact(task, (3,))
    phases = CachedModel(models.build(config, weights, device="cpu"), task).activation("phase", 0)
    doubled = phasors.strongest_wave(phases, 2)
    assert (doubled.a.item(), doubled.b.item()) == (3, 3)
    assert doubled.power.item() == pytest.approx(1, abs=1e-4)
    once = phasors.strongest_wave(phases)
    # sign(cos(A - B) / 2) exp(i (A + B) / 2): a square wave, whose first terms are exp(iA), exp(iB)
    assert sorted((once.a.item(), once.b.item())) == [0, 3]
    assert once.power.item() == pytest.approx(4 / math.pi**2, rel=1e-2)
    assert phasors.share_of_sums(phases).item() < 0.01


def test_no_multiple_is_refused():
    with pytest.raises(ValueError, match="multiple must be at least 1, got 0"):
        phasors.spectrum(random_phases(), 0)
