"""Gradient filters between backward and the optimiser: Grokfast (Lee et al. 2024), which amplifies
slow components of gradients, and perpGrad (Prieto et al. 2025), which keeps the weights' sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils import devices
from interp_utils.configs import TrainConfig

State = dict[str, dict[str, Tensor]]
TINY = 1e-30  # of perpGrad's released code: weights that are all zero have no direction
ROUNDINGS = 10.0


@runtime_checkable
class GradientFilter(Protocol):
    state: State  # group -> weight's name -> tensor; what a resumed training needs

    def apply(self, step: int, gradients: Mapping[str, Tensor]) -> None:
        """Replaces the gradients of update `step` = 0, 1, ... in place; steps come in order."""


def is_filters(group: str) -> bool:
    """Whether a group of a training's state is that of a gradient filter."""
    return group.startswith("grokfast_")


def gradient_filter(config: TrainConfig, weights: Mapping[str, Tensor]) -> GradientFilter:
    filters: list[GradientFilter] = []
    if config.grokfast != "none":
        filters.append({"ema": Ema, "ma": MovingAverage}[config.grokfast](config, weights))
    if config.perp_grad:
        filters.append(PerpGrad(weights))
    return InTurn(filters)


class InTurn:
    """One filter after the other."""

    def __init__(self, filters: Sequence[GradientFilter]) -> None:
        self.filters = filters
        self.state: State = {group: own for each in filters for group, own in each.state.items()}

    def apply(self, step: int, gradients: Mapping[str, Tensor]) -> None:
        for each in self.filters:
            each.apply(step, gradients)


class PerpGrad:
    """Each weight tensor's gradient without its component along the tensor, at its old length.

    A step then turns the weights and, to first order, neither lengthens nor shortens them.

    Source: Prieto et al., Grokking at the Edge of Numerical Stability (arXiv 2501.04697), perpGrad;
    their released code keeps the length.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.weights, self.state = weights, {}

    def apply(self, step: int, gradients: Mapping[str, Tensor]) -> None:
        for name, gradient in gradients.items():
            perpendicular_(gradient[None], self.weights[name][None])


@torch.no_grad()
def perpendicular_(
    gradients: Float[Tensor, "member ..."], weights: Float[Tensor, "member ..."]
) -> None:
    """Removes the component along the weights from each member's gradient, in place, and restores
    the gradient's length. Where only rounding is left, the gradient becomes zero.
    """
    g, w = gradients.flatten(1), weights.flatten(1)
    along = (w * g).sum(1, keepdim=True) / ((w * w).sum(1, keepdim=True) + TINY)
    across = g - along * w
    length, left = (torch.linalg.vector_norm(x, dim=1, keepdim=True) for x in (g, across))
    is_rounding = left <= ROUNDINGS * torch.finfo(g.dtype).eps * length
    across *= torch.where(is_rounding, 0.0, length / (left + TINY))
    gradients.copy_(across.reshape(gradients.shape))


class Ema:
    """g + lambda mu with mu <- alpha mu + (1 - alpha) g (Grokfast-EMA).

    mu starts as the first gradient (Lee et al., released code) or as zero (Syrkis and Søgaard,
    released code). The filter multiplies a gradient that oscillates as e^(i w t) by 1 + lambda
    (1 - alpha) / (1 - alpha e^(-i w)), and a constant one by 1 + lambda.
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

    The filter holds `window` gradients and their sum in float64, on the CPU where the device has no
    float64. Gradients fall by many orders of magnitude, and a running sum in float32 would keep the
    rounding errors of the first ones for ever.
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
