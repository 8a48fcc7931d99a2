"""A phasor network in spikes: against the exact solution of each neuron, one by one."""

import cmath
import math

import pytest
import torch

from interp_utils import models, tasks
from interp_utils.models.phasor import PhasorConfig, exact, forward
from interp_utils.models.phasor.spiking import (
    Resonator,
    Spikes,
    logits_by_cycle,
    resultants,
    spikes,
)

TASK = tasks.modular_addition(7)
RATE = complex(-0.2, 2 * math.pi)


def config_and_weights(**settings):
    config = PhasorConfig(**settings).for_task(TASK)
    generator = torch.Generator().manual_seed(1)
    return config, {
        name: torch.rand(weight.shape, generator=generator) if name.endswith(".b") else weight
        for name, weight in models.initial_weights(config).items()
    }


def response(t, s):
    """z at time t of a unit current within 0.05 of s: exp(RATE (t - .)) integrated over it."""
    start, end = s - 0.05, s + 0.05
    if t <= start:
        return 0
    until = min(t, end)
    return (cmath.exp(RATE * (t - start)) - cmath.exp(RATE * (t - until))) / RATE


def literal_spikes(incoming, end, grid=1e-3):
    """The spikes of one neuron, from (weight, time) of each spike that it reads: local maxima of
    Im z over 0.03, a quarter of a cycle after the last at least, of the exact solution on a grid.
    """
    n = round(end / grid)
    z = [sum(w * response(k * grid, s) for w, s in incoming).imag for k in range(n)]
    found = []
    for k in range(1, n - 1):
        is_top = z[k] > z[k - 1] and z[k] >= z[k + 1] and z[k] > 0.03
        if is_top and (not found or k * grid - found[-1] >= 0.25):
            found.append(k * grid)
    return found


@pytest.mark.parametrize("bias", [False, True])
def test_spikes_are_those_of_the_exact_solution(bias):
    config, weights = config_and_weights(hidden=(3,), inputs=(1, 2), outputs=(1,), bias=bias)
    if not bias:
        weights = {n: 0 * w if n.endswith(".b") else w for n, w in weights.items()}
    cycles, tokens = 3, TASK.tokens[[10, 31]]
    found = spikes(config, weights, tokens, cycles=cycles)
    for row, (a, b, _) in enumerate(tokens.tolist()):
        phases = [*weights["embed.phase"][a].tolist(), *weights["embed.phase"][b].tolist()]
        trains = [[(x + 1) / 2 % 1 + c for c in range(cycles)] for x in phases]
        for layer in range(2):
            W, own = weights[f"blocks.{layer}.W"], []
            for h in range(W.shape[1]):
                incoming = [(W[j, h].item(), s) for j, train in enumerate(trains) for s in train]
                constant = weights[f"blocks.{layer}.b"][h].item()
                incoming += [(constant, 0.5 + layer / 4 + c) for c in range(cycles)]
                own.append(literal_spikes(incoming, cycles + (layer + 1) / 4 + 0.5))
            trains = own
            for h, expected in enumerate(own):
                here = (found[layer + 1].input == row) & (found[layer + 1].neuron == h)
                times = found[layer + 1].time[here].tolist()
                assert len(times) == len(expected) >= 2
                assert times == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("x", [-0.9, -0.4, 0.0, 0.3, 0.99])
def test_one_input_is_passed_on(x):
    config, weights = config_and_weights(hidden=(), inputs=(1,), outputs=(1,))
    weights |= {"embed.phase": torch.full((8, 1), x), "blocks.0.b": torch.zeros(1)}
    weights["blocks.0.W"] = torch.tensor([[1.0], [0.0]])
    last = spikes(config, weights, TASK.tokens[:1], cycles=10)[-1]
    sums = resultants(last, 1, 1, layer=1, cycles=10)
    turned = forward.phases(sums.sum(0))[0, 0].item() - x
    assert abs((turned + 1) % 2 - 1) < 0.02, "1 % of a turn"


def test_phases_of_spikes_are_decoded_by_cycle():
    spiked = Spikes(
        torch.tensor([0, 0, 1]), torch.tensor([1, 1, 0]), torch.tensor([0.5, 1.75, 1.25]).double()
    )
    sums = resultants(spiked, 2, 2, layer=1, cycles=2)
    assert sums.shape == (2, 2, 2, 2)
    assert forward.phases(sums[0, 0])[1].item() == pytest.approx(-0.5)
    assert abs(forward.phases(sums[1, 0])[1].item()) == pytest.approx(0)
    assert abs(forward.phases(sums[1, 1])[0].item()) == pytest.approx(1)
    silent = sums[0, 1].abs().sum() + sums[0, 0][:, 0].abs().sum()
    assert silent == 0, "a neuron without a spike has no phase"
    config, _ = config_and_weights(hidden=(), inputs=(1,), outputs=(1, 2))
    alone = logits_by_cycle(config, [spiked], 2, cycles=2, mean=False)
    both = logits_by_cycle(config, [spiked], 2, cycles=2)
    assert alone[0].equal(both[0]) and not alone[1, 0].equal(both[1, 0])
    assert alone[1, 1].equal(both[1, 1]), "its only spike is in the second cycle"


def agreement(config, weights, tokens, cycles, **changes):
    static = models.logits_fn(config, tokens)(weights).argmax(1)
    found = spikes(config, weights, tokens, cycles=cycles, resonator=Resonator(**changes))
    last = logits_by_cycle(config, found, len(tokens), cycles=cycles, mean=False)[-1]
    return (last.argmax(1) == static).float().mean().item()


def test_many_phasors_agree_with_static_execution_and_one_alone_does_less():
    task = tasks.modular_addition(13)
    of_all, of_one = (agreement(*exact(task, ks), task.tokens, 10) for ks in (range(1, 7), (1,)))
    assert of_all > 0.95 > of_one
    assert agreement(*exact(task, (1,)), task.tokens, 60, decay=0.05) > of_one


def test_other_weights_do_not_agree():
    """A control: the spikes of one network against the answers of another."""
    task = tasks.modular_addition(13)
    config, weights = exact(task, range(1, 7))
    static = models.logits_fn(config, task.tokens)(weights).argmax(1)
    other = weights | {"blocks.0.W": weights["blocks.0.W"].flip(1)}
    found = spikes(config, other, task.tokens, cycles=10)
    last = logits_by_cycle(config, found, len(static), cycles=10, mean=False)[-1]
    assert (last.argmax(1) == static).float().mean() < 0.3


def test_it_is_deterministic_and_half_the_step_changes_little():
    config, weights = config_and_weights(hidden=(4,), inputs=(1, 2, 3), outputs=(1, 2), bias=True)
    one, two = (spikes(config, weights, TASK.tokens, cycles=3) for _ in range(2))
    assert all(x.equal(y) for a, b in zip(one, two, strict=True) for x, y in zip(a, b, strict=True))
    finer = spikes(config, weights, TASK.tokens, cycles=3, resonator=Resonator(step=0.005))
    sums = [resultants(each[1], 49, 4, layer=1, cycles=3) for each in (one, finer)]
    assert (sums[0] - sums[1]).abs().max() < 0.1 < sums[0].abs().max()


def test_no_cycle_is_refused():
    config, weights = config_and_weights(hidden=(4,))
    with pytest.raises(ValueError, match="cycles must be at least 1, got 0"):
        spikes(config, weights, TASK.tokens, cycles=0)
