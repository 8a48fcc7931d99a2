"""Gradient filters between backward and the optimiser: Grokfast (Lee et al. 2024), which amplifies
what changes slowly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from interp_utils import devices
from interp_utils.configs import TrainConfig

State = dict[str, dict[str, Tensor]]


@runtime_checkable
class GradientFilter(Protocol):
    state: State  # group -> weight's name -> tensor; what a resumed training needs

    def apply(self, step: int, gradients: Mapping[str, Tensor]) -> None:
        """Replaces the gradients of update `step` = 0, 1, ... in place; steps come in order."""


def is_filters(group: str) -> bool:
    """Whether a group of a training's state is that of a gradient filter."""
    return group.startswith("grokfast_")


def gradient_filter(config: TrainConfig, weights: Mapping[str, Tensor]) -> GradientFilter:
    return {"none": Unfiltered, "ema": Ema, "ma": MovingAverage}[config.grokfast](config, weights)


class Unfiltered:
    def __init__(self, config: TrainConfig, weights: Mapping[str, Tensor]) -> None:
        self.state: State = {}

    def apply(self, step: int, gradients: Mapping[str, Tensor]) -> None:
        pass


class Ema:
    """g + lambda mu with mu <- alpha mu + (1 - alpha) g (Grokfast-EMA).

    mu starts as the first gradient (Lee et al., released code) or as zero (Syrkis and Søgaard,
    released code). Of a gradient that oscillates as e^(i w t) it passes 1 + lambda (1 - alpha) / (1
    - alpha e^(-i w)): 1 + lambda of a constant one.
    """

    def __init__(self, config: TrainConfig, weights: Mapping[str, Tensor]) -> None:
        self.config = config
        self.state: State = {
            "grokfast_mean": {name: torch.zeros_like(weight) for name, weight in weights.items()}
        }

    @torch.no_grad()
    def apply(self, step: int, gradients: Mapping[str, Tensor]) -> None:
        starts = step == 0 and self.config.grokfast_start == "first"
        for name, gradient in gradients.items():
            mean = self.state["grokfast_mean"][name]
            mean.lerp_(gradient, 1.0 if starts else 1 - self.config.grokfast_alpha)
            gradient.add_(mean, alpha=self.config.grokfast_lambda)


class MovingAverage:
    """g + lambda times the mean of the last `window` gradients, once there are so many
    (Grokfast-MA).

    Holds `window` gradients. Their sum is kept in float64, on the CPU where the device has none:
    gradients fall by many orders of magnitude, and a running sum in float32 would remember the
    rounding of the first ones for ever.
    """

    def __init__(self, config: TrainConfig, weights: Mapping[str, Tensor]) -> None:
        self.config = config
        self.state: State = {
            "grokfast_window": {
                name: weight.new_zeros(config.grokfast_window, *weight.shape)
                for name, weight in weights.items()
            },
            "grokfast_sum": {
                name: devices.double(torch.zeros_like(weight)) for name, weight in weights.items()
            },
        }

    @torch.no_grad()
    def apply(self, step: int, gradients: Mapping[str, Tensor]) -> None:
        window, last = self.config.grokfast_window, self.state["grokfast_window"]
        for name, gradient in gradients.items():
            oldest, total = last[name][step % window], self.state["grokfast_sum"][name]
            total.add_(gradient.to(total.device)).sub_(oldest.to(total.device))
            oldest.copy_(gradient)
            if step + 1 >= window:
                gradient.add_(total.to(gradient), alpha=self.config.grokfast_lambda / window)
