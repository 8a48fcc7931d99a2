"""Adam and AdamW, for one model and for many at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils import devices
from interp_utils.configs import TrainConfig
from interp_utils.training.filters import State

MOMENTS = ("exp_avg", "exp_avg_sq")
Named = Callable[[Tensor], Mapping[str, Tensor]]  # from a buffer to its weights, as views


class _TorchAdam:
    """torch's fused kernel, whose moments are this optimiser's state."""

    kind: ClassVar[Callable[..., torch.optim.Optimizer]]

    def __init__(
        self,
        config: TrainConfig,
        weights: Mapping[str, Tensor],
        undecayed: Collection[str] = (),
    ) -> None:
        self.weights = weights
        decayed = [weight for name, weight in weights.items() if name not in undecayed]
        others = [weight for name, weight in weights.items() if name in undecayed]
        groups: list[dict[str, Any]] = [{"params": decayed}]
        if others:
            groups.append({"params": others, "weight_decay": 0.0})
        self.optimizer = self.kind(
            groups,
            lr=config.lr,
            betas=config.betas,
            eps=config.eps,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.counted = 0
        for weight in weights.values():
            self.optimizer.state[weight] = {
                "step": torch.zeros((), device=weight.device),
                **{moment: torch.zeros_like(weight, requires_grad=False) for moment in MOMENTS},
            }
        self.state: State = {
            moment: {name: self.optimizer.state[weight][moment] for name, weight in weights.items()}
            for moment in MOMENTS
        }

    def step(self, step: int, gradients: Mapping[str, Tensor], lr: float) -> None:
        if step != self.counted:  # after a resume: the kernel counts on the device
            for weight in self.weights.values():
                self.optimizer.state[weight]["step"].fill_(step)
        for name, weight in self.weights.items():
            weight.grad = gradients[name]
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.counted = step + 1


class AdamW(_TorchAdam):
    """Adam with decoupled weight decay: w <- (1 - lr wd) w - lr m' / (sqrt(v') + eps), where m' and
    v' are the first two moments of the gradient, corrected for their start at zero.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization (arXiv 1711.05101),
    algorithm 2.
    """

    kind = torch.optim.AdamW


class Adam(_TorchAdam):
    """Adam, in which weight decay is an L2 penalty: moments are those of g + wd w instead of those
    of the gradient g.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization (arXiv 1412.6980),
    algorithm 1.
    """

    kind = torch.optim.Adam


class MembersAdam:
    """`Adam` for many models, each with a learning rate and a weight decay of its own."""

    decoupled: ClassVar[bool] = False
    of: ClassVar[Mapping[str, Collection[str]]] = {}

    def __init__(
        self,
        configs: Sequence[TrainConfig],
        weights: Float[Tensor, "member parameter"],
        named: Named,
    ) -> None:
        self.weights, self.betas, self.eps = weights, configs[0].betas, configs[0].eps
        self.weight_decay = devices.column(
            [config.weight_decay for config in configs], weights.device
        )
        self.state = {moment: torch.zeros_like(weights, requires_grad=False) for moment in MOMENTS}

    def step(
        self,
        step: int,
        gradient: Float[Tensor, "member parameter"],
        lr: Float[Tensor, "member 1"],
    ) -> None:
        adam_(
            self.weights,
            gradient,
            self.state["exp_avg"],
            self.state["exp_avg_sq"],
            step + 1,
            lr=lr,
            weight_decay=self.weight_decay,
            betas=self.betas,
            eps=self.eps,
            decoupled=self.decoupled,
        )


class MembersAdamW(MembersAdam):
    """`AdamW` for many models, each with a learning rate and a weight decay of its own."""

    decoupled = True


@torch.no_grad()
def adam_(
    weights: Float[Tensor, "member parameter"],
    gradient: Float[Tensor, "member parameter"],
    exp_avg: Float[Tensor, "member parameter"],
    exp_avg_sq: Float[Tensor, "member parameter"],
    step: int,
    *,
    lr: Float[Tensor, "member 1"],
    weight_decay: Float[Tensor, "member 1"],
    betas: tuple[float, float],
    eps: float,
    decoupled: bool,
) -> None:
    """Update number `step` (from 1), in place, with a learning rate and a weight decay per member.
    Up to rounding it is the update of torch.optim.AdamW if weight decay is `decoupled`, and else
    that of torch.optim.Adam.
    """
    beta1, beta2 = betas
    if not decoupled:
        gradient = gradient + weight_decay.to(weights) * weights
    exp_avg.lerp_(gradient, 1 - beta1)
    exp_avg_sq.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    scale = exp_avg_sq.sqrt().div_(math.sqrt(1 - beta2**step)).add_(eps)
    if decoupled:
        weights.mul_((1 - lr * weight_decay).to(weights))
    weights.addcdiv_(exp_avg * (-lr / (1 - beta1**step)).to(weights), scale)
