"""Weights of a phasor network, and its forward.

A phasor is a number on the unit circle, held as its real and its imaginary part: "... 2 d". Neuron
h of a layer is the phase of sum_j W[j, h] u_j over the phasors u of the layer before, with real W.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.models.family import LogitsFn
from interp_utils.models.phasor.config import PhasorConfig

# Of a sum this much shorter than a single weight's, rounding decides the phase; below, neither the
# phasor nor its gradient grows any more.
SHORTEST = 1e-6

EMBED = "embed.phase"


def weight_shapes(config: PhasorConfig) -> dict[str, tuple[int, ...]]:
    """The phases of every token, each layer's weights, and those of its constant phasor, which are
    0 and not trained without `config.bias`.
    """
    sizes = [len(config.positions) * config.d_inputs, *config.hidden, config.d_outputs]
    shapes = {EMBED: (config.d_vocab, config.d_inputs)}
    for layer, (d_in, d_out) in enumerate(pairwise(sizes)):
        shapes |= {f"blocks.{layer}.W": (d_in, d_out), f"blocks.{layer}.b": (d_out,)}
    return shapes


def trainable(config: PhasorConfig) -> list[str]:
    kinds = {"W"}
    if config.bias:
        kinds.add("b")
    if config.trained_inputs:
        kinds.add("phase")
    return [name for name in weight_shapes(config) if name.rpartition(".")[2] in kinds]


def initial_weights(config: PhasorConfig) -> dict[str, Tensor]:
    """Weights as Glorot and Bengio 2010 draw them, uniform in +- sqrt(6 / (d_in + d_out)); input
    phases of the configuration's frequencies, or uniform on the circle; constant phasors at 0, or
    1 where they are trained (the paper's later code).
    """
    generator = torch.Generator().manual_seed(config.seed)
    weights = {}
    for name, shape in weight_shapes(config).items():
        drawn = 2 * torch.rand(shape, generator=generator, dtype=torch.float32) - 1
        if name == EMBED:
            weights[name] = drawn if isinstance(config.inputs, int) else number_code(config)
        elif name.endswith(".W"):
            weights[name] = math.sqrt(6 / sum(shape)) * drawn
        else:
            weights[name] = torch.full(shape, float(config.bias))
    return weights


def number_code(config: PhasorConfig) -> Float[Tensor, "d_vocab d_inputs"]:
    """Phases 2 k a / p of token a for each input frequency k, in units of pi, between -1 and 1; 0
    for tokens that are no value.
    """
    code = torch.zeros(config.d_vocab, config.d_inputs)
    code[: config.n_values] = phases_of(config.n_values, config.inputs)
    return code


def phases_of(p: int, frequencies: tuple[int, ...]) -> Float[Tensor, "p k"]:
    """Phases 2 k n / p of n = 0 .. p - 1, in units of pi, between -1 and 1."""
    turns = torch.arange(p)[:, None] * torch.tensor(frequencies) % p  # in 1 / p, without rounding
    turns = torch.where(2 * turns > p, turns - p, turns)
    return (2 * turns.double() / p).float()


def class_phases(config: PhasorConfig) -> Float[Tensor, "c d_outputs"]:
    """The code of each class, with which `harmonic` times the last layer's phases are compared."""
    if config.outputs is None:
        return config.harmonic / 2 * torch.eye(config.d_vocab_out)
    return phases_of(config.d_vocab_out, config.outputs)


def phasors(phases: Float[Tensor, "*n d"]) -> Float[Tensor, "*n 2 d"]:
    """The phasors of phases in units of pi."""
    return torch.stack([(math.pi * phases).cos(), (math.pi * phases).sin()], -2)


def phases(phasors: Float[Tensor, "*n 2 d"]) -> Float[Tensor, "*n d"]:
    """Phases in units of pi, between -1 and 1."""
    real, imaginary = phasors.unbind(-2)
    return torch.atan2(imaginary, real) / math.pi


def normalised(z: Float[Tensor, "*n 2 d"]) -> Float[Tensor, "*n 2 d"]:
    """z / |z|, the phasor of a sum; where inputs cancel to less than SHORTEST, z / SHORTEST."""
    real, imaginary = z.unbind(-2)
    size = (real.square() + imaginary.square()).clamp(min=SHORTEST**2).sqrt()
    return z / size.unsqueeze(-2)


def summed(
    weights: Mapping[str, Tensor], layer: int, inputs: Float[Tensor, "*n 2 d"]
) -> Float[Tensor, "*n 2 h"]:
    """sum_j W[j, h] u_j + b[h] of the layer's neurons h: b weighs the constant phasor 1."""
    z = inputs @ weights[f"blocks.{layer}.W"]
    b = weights[f"blocks.{layer}.b"]
    return z + torch.stack([b, torch.zeros_like(b)])


def similarities(
    config: PhasorConfig, outputs: Float[Tensor, "*n 2 d"], code: Float[Tensor, "c d"]
) -> Float[Tensor, "*n c"]:
    """The mean over outputs j of cos(pi (harmonic y_j - code[c, j])): of the last layer's phasors
    with each class's code.
    """
    real, imaginary = outputs.unbind(-2)
    if config.harmonic == 2:
        real, imaginary = real.square() - imaginary.square(), 2 * real * imaginary
    cos, sin = phasors(code).unbind(-2)
    return (real @ cos.T + imaginary @ sin.T) / code.shape[1]


def logits_fn(config: PhasorConfig, tokens: Int[Tensor, "n ctx"]) -> LogitsFn:
    """A function from weights to the logits of all `tokens`. What each operand adds to the first
    layer is a row of a table, so that its product is one of p rows.
    """
    values = [tokens[:, position] for position in config.positions]
    code = class_phases(config).to(tokens.device)

    def logits(weights: Mapping[str, Tensor]) -> Tensor:
        u = normalised(_first(config, weights, values))
        for layer in range(1, config.n_layers):
            u = normalised(summed(weights, layer, u))
        return config.scale * similarities(config, u, code.to(u.dtype))

    return logits


def _first(
    config: PhasorConfig, weights: Mapping[str, Tensor], values: list[Tensor]
) -> Float[Tensor, "n 2 h"]:
    """The first layer's sums."""
    u, W, b = phasors(weights[EMBED]), weights["blocks.0.W"], weights["blocks.0.b"]
    tables = [u @ own for own in W.unflatten(0, (len(values), -1))]
    z = sum(table[value] for table, value in zip(tables, values, strict=True))
    return z + torch.stack([b, torch.zeros_like(b)])


def through_phases(
    config: PhasorConfig,
    weights: Mapping[str, Tensor],
    tokens: Int[Tensor, "n ctx"],
    seen: Callable[[str, Tensor], Tensor],
) -> Float[Tensor, "n c"]:
    """The same logits, layer by layer, except where a sum is shorter than SHORTEST. `seen` is given
    the name and the value of each activation, and returns what is computed from: "embed", and each
    layer's "sum", "n 2 h", and "phase", in units of pi.
    """
    of_operands = [weights[EMBED][tokens[:, position]] for position in config.positions]
    own = seen("embed", torch.cat(of_operands, -1))
    for layer in range(config.n_layers):
        z = seen(f"blocks.{layer}.sum", summed(weights, layer, phasors(own)))
        own = seen(f"blocks.{layer}.phase", phases(z))
    return config.scale * similarities(config, phasors(own), class_phases(config).to(own))
