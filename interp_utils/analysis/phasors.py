"""Which frequencies phases on the grid of pairs (a, b) have, and how much of them depends on a + b
alone.

A phase x in units of pi is the phasor u = exp(i pi x). On the grid of p numbers u(a, b) is a sum of
waves exp(2 pi i (k a + l b) / p), whose powers add to 1. A wave with k = l is a function of a + b.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.precision import at_least_float32


@at_least_float32
def spectrum(phases: Float[Tensor, "p p neuron"], multiple: int = 1) -> Float[Tensor, "neuron p p"]:
    """The power of each wave (k, l) of exp(i pi multiple x), k of a and l of b; each neuron's add
    to 1. Twice a phase is the same for a phasor and its negative.

    Raises ValueError unless the multiple is at least 1.
    """
    if multiple < 1:
        raise ValueError(f"multiple must be at least 1, got {multiple}")
    angle = math.pi * multiple * phases.movedim(-1, 0)
    amplitude = torch.fft.fft2(torch.complex(angle.cos(), angle.sin()), norm="forward")
    return amplitude.real.square() + amplitude.imag.square()


def share_of_sums(
    phases: Float[Tensor, "p p neuron"], multiple: int = 1
) -> Float[Tensor, "neuron"]:
    """The share of waves that are functions of a + b, k = l, in the power of exp(i pi multiple x)
    that is not constant: 1 for a phase that depends on a + b, and 0 where it never changes.
    """
    power = spectrum(phases, multiple)
    constant = power[:, 0, 0]
    sums = power.diagonal(dim1=1, dim2=2).sum(1) - constant
    smallest = torch.finfo(power.dtype).eps ** 0.5  # of less, rounding decides the share
    return torch.where(constant < 1 - smallest, sums / (1 - constant), 0)


class Wave(NamedTuple):
    """The wave of the most power: its frequencies of a and of b, 0 .. p - 1, where p - k is k in
    the other direction, and the share of the power.
    """

    a: Int[Tensor, "neuron"]
    b: Int[Tensor, "neuron"]
    power: Float[Tensor, "neuron"]


def strongest_wave(phases: Float[Tensor, "p p neuron"], multiple: int = 1) -> Wave:
    """Each neuron's wave of the most power, of exp(i pi multiple x)."""
    power, place = spectrum(phases, multiple).flatten(1).max(1)
    p = phases.shape[0]
    return Wave(place // p, place % p, power)
