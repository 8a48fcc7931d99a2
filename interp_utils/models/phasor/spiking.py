"""A phasor network executed in time: its neurons are resonators that spike, with the same weights.

A phase x in units of pi is a spike at time (x + 1) / 2 of every cycle; time is in cycles. Neuron h
of a layer integrates the spikes of the layer before, z' = (-decay + 2 pi i) z + sum_j W[j, h] I_j,
where the current I_j is 1 within half_width of a spike of neuron j, and spikes at each local
maximum of Im z, a quarter of a cycle after the phase of its sum.

Source: Olin-Ammentorp and Bazhenov, Deep Phasor Networks (arXiv 2106.11908), and its released code,
whose numbers are the defaults here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.models.phasor.config import PhasorConfig
from interp_utils.models.phasor.forward import EMBED, class_phases, normalised, similarities

QUARTER = 0.25  # of a cycle: by which each layer spikes after the one before it


@dataclass(frozen=True)
class Resonator:
    """decay: of z, per cycle. half_width: of the current of a spike. threshold: Im z below which no
    maximum is a spike. refractory: how long after a spike there is no other. step: of the
    integration, in which the current is constant; the solution is exact for such currents.
    """

    decay: float = 0.2
    half_width: float = 0.05
    threshold: float = 0.03
    refractory: float = 0.25
    step: float = 0.01


class Spikes(NamedTuple):
    """The spikes of one layer, in the order of time: the input of the batch, the neuron, the time
    in cycles.
    """

    input: Int[Tensor, "spike"]
    neuron: Int[Tensor, "spike"]
    time: Float[Tensor, "spike"]


@torch.no_grad()
def spikes(
    config: PhasorConfig,
    weights: Mapping[str, Tensor],
    tokens: Int[Tensor, "n ctx"],
    *,
    cycles: int = 10,
    resonator: Resonator = Resonator(),
) -> list[Spikes]:
    """The spikes of the input phases, and of each layer, while inputs spike for so many cycles.

    A constant phasor is a neuron of phase 0 that spikes as late as the layer that it is read with.
    Raises ValueError unless `cycles` is at least 1.
    """
    if cycles < 1:
        raise ValueError(f"cycles must be at least 1, got {cycles}")
    of_operands = [weights[EMBED][tokens[:, position]] for position in config.positions]
    found = [_periodic(torch.cat(of_operands, -1), cycles)]
    n = len(tokens)
    for layer in range(config.n_layers):
        W, b = weights[f"blocks.{layer}.W"], weights[f"blocks.{layer}.b"]
        time = cycles + QUARTER * (layer + 1) + 0.5
        current = _current(found[-1], n, W.shape[0], time, resonator).to(W)
        constant = _periodic(torch.zeros(1, 1), cycles)
        constant = constant._replace(time=constant.time + QUARTER * layer)
        of_constant = _current(constant, 1, 1, time, resonator).to(b)
        found.append(_resonating(current, W, of_constant[..., 0] * b, resonator))
    return found


@torch.no_grad()
def logits_by_cycle(
    config: PhasorConfig, spiked: list[Spikes], n: int, *, cycles: int, mean: bool = True
) -> Float[Tensor, "cycle n c"]:
    """The logits of what the last layer spiked, for n inputs: the similarity of its phases with
    each class's code, as in static execution.

    mean: of all spikes up to the end of each cycle; False: of the spikes of that cycle alone. A
    neuron without a spike adds nothing to a similarity.
    """
    code = class_phases(config).to(spiked[-1].time)
    sums = resultants(spiked[-1], n, code.shape[1], layer=config.n_layers, cycles=cycles)
    if mean:
        sums = sums.cumsum(0)
    return config.scale * similarities(config, normalised(sums), code)


def resultants(
    spiked: Spikes, n: int, d: int, *, layer: int, cycles: int
) -> Float[Tensor, "cycle n 2 d"]:
    """The sum of the phasors of each neuron's spikes in each cycle of its layer.

    layer: how many layers, of a quarter of a cycle each, the spikes come after the inputs'.
    """
    since = spiked.time - QUARTER * layer
    cycle = since.floor().long()
    inside = (cycle >= 0) & (cycle < cycles)
    place = (cycle * n + spiked.input)[inside]
    angle = 2 * math.pi * since[inside] - math.pi  # of phase 2 t - 1
    sums = since.new_zeros(cycles * n, 2, d)
    for part, value in enumerate((angle.cos(), angle.sin())):
        sums[:, part].index_put_((place, spiked.neuron[inside]), value, accumulate=True)
    return sums.unflatten(0, (cycles, n))


def _periodic(phases: Float[Tensor, "n d"], cycles: int) -> Spikes:
    """A spike of every neuron in every cycle."""
    n, d = phases.shape
    first = ((phases + 1) / 2 % 1).double()
    time = first + torch.arange(cycles, device=phases.device)[:, None, None]
    input = torch.arange(n, device=phases.device)[:, None].expand(cycles, n, d)
    neuron = torch.arange(d, device=phases.device).expand(cycles, n, d)
    return _in_time(input.flatten(), neuron.flatten(), time.flatten())


def _in_time(input: Tensor, neuron: Tensor, time: Tensor) -> Spikes:
    order = time.argsort(stable=True)
    return Spikes(input[order], neuron[order], time[order])


def _current(
    spiked: Spikes, n: int, d: int, time: float, resonator: Resonator
) -> Float[Tensor, "step n d"]:
    """The mean of each neuron's current in each step: the part of the step near a spike."""
    step, width = resonator.step, resonator.half_width
    steps = math.ceil(time / step)
    current = torch.zeros(steps, n, d, device=spiked.time.device)
    first = ((spiked.time - width) / step).floor().long()
    for later in range(math.ceil(2 * width / step) + 1):
        k = first + later
        start = torch.maximum(k * step, spiked.time - width)
        end = torch.minimum((k + 1) * step, spiked.time + width)
        inside = (k >= 0) & (k < steps)
        place = tuple(each[inside] for each in (k, spiked.input, spiked.neuron))
        part = ((end - start).clamp(min=0) / step)[inside]
        current.index_put_(place, part.float(), accumulate=True)
    return current


def _resonating(
    current: Float[Tensor, "step n d"],
    W: Float[Tensor, "d h"],
    constant: Float[Tensor, "step h"],
    resonator: Resonator,
) -> Spikes:
    """The spikes of neurons that read these currents; a maximum's time is that of the parabola
    through three steps.
    """
    rate = complex(-resonator.decay, 2 * math.pi)
    turn = torch.tensor(rate * resonator.step, dtype=torch.complex128).exp()
    gain = ((turn - 1) / rate).to(W.device)
    z = torch.zeros(current.shape[1], W.shape[1], dtype=torch.complex128, device=W.device)
    last = torch.full(z.shape, -math.inf, dtype=torch.float64, device=W.device)
    before = now = z.imag
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for k in range(len(current)):
        z = turn * z + gain * (current[k] @ W + constant[k])
        after = z.imag  # at time (k + 1) step
        bend = before - 2 * now + after
        time = resonator.step * (k + 0.5 * (before - after) / bend)
        is_spike = (now > before) & (now >= after) & (now > resonator.threshold)
        is_spike &= time - last >= resonator.refractory
        last = torch.where(is_spike, time, last)
        input, neuron = is_spike.nonzero(as_tuple=True)
        found.append((input, neuron, time[is_spike]))
        before, now = now, after
    return _in_time(*(torch.cat(each) for each in zip(*found, strict=True)))
