"""Phasor networks: layers of neurons whose activations are phases.

Neuron h of a layer has the phase of sum_j W[j, h] exp(i pi x_j), with the phases x_j of the layer
before it and real weights: rotating every input turns every neuron by as much. Classes are read by
the similarity of the last layer's phases with the phases that a code gives to each class.

Source: Olin-Ammentorp and Bazhenov, Deep Phasor Networks: Connecting Conventional and Spiking
Neural Networks (arXiv 2106.11908).
"""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from interp_utils.models.family import Family, LogitsFn
from interp_utils.models.phasor import building, forward
from interp_utils.models.phasor.config import PhasorConfig
from interp_utils.models.phasor.planted import exact

__all__ = ["Phasor", "PhasorConfig", "exact"]


class Phasor(Family):
    config = PhasorConfig
    weight_shapes = staticmethod(forward.weight_shapes)
    trainable = staticmethod(forward.trainable)
    initial_weights = staticmethod(forward.initial_weights)
    build = staticmethod(building.build)

    def has_similarities(self, config: PhasorConfig) -> bool:
        return config.scale == 1

    def logits_fn(
        self,
        config: PhasorConfig,
        tokens: Int[Tensor, "n ctx"],
        kind: str = "auto",
        answer_pos: int = -1,
    ) -> LogitsFn:
        if kind != "auto":
            raise ValueError(f'a phasor network has one forward: kind must be "auto", got {kind!r}')
        return forward.logits_fn(config, tokens)
