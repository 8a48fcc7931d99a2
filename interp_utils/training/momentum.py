"""Optimisers with one momentum: gradient descent, and Muon, which makes the momentum orthogonal."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils import devices
from interp_utils.configs import TrainConfig
from interp_utils.training.adam import MOMENTS, AdamW, Named, adam_
from interp_utils.training.filters import State

EMBEDDINGS = ("embed.", "pos_embed.", "unembed.")
NEWTON_SCHULZ, TINIEST = (3.4445, -4.775, 2.0315), 1e-7  # torch.optim.Muon's


class Sgd:
    """Gradient descent with momentum, in which weight decay is an L2 penalty: b <- mu b + g + wd w,
    and w <- w - lr b. It is torch.optim.SGD.
    """

    def __init__(
        self,
        config: TrainConfig,
        weights: Mapping[str, Tensor],
        undecayed: Collection[str] = (),
    ) -> None:
        self.config, self.weights, self.undecayed = config, weights, undecayed
        self.state: State = {"momentum": _zeros(weights)}

    def step(self, step: int, gradients: Mapping[str, Tensor], lr: float) -> None:
        for name, weight in self.weights.items():
            _descend(
                weight,
                gradients[name],
                self.state["momentum"][name],
                momentum=self.config.momentum,
                weight_decay=0.0 if name in self.undecayed else self.config.weight_decay,
                lr=lr,
            )


class MembersSgd:
    """`Sgd` for many models, each with a learning rate and a weight decay of its own."""

    of: ClassVar[Mapping[str, Collection[str]]] = {}

    def __init__(
        self,
        configs: Sequence[TrainConfig],
        weights: Float[Tensor, "member parameter"],
        named: Named,
    ) -> None:
        self.weights, self.momentum = weights, configs[0].momentum
        self.weight_decay = devices.column(
            [config.weight_decay for config in configs], weights.device
        ).to(weights)
        self.state = {"momentum": torch.zeros_like(weights, requires_grad=False)}

    def step(
        self,
        step: int,
        gradient: Float[Tensor, "member parameter"],
        lr: Float[Tensor, "member 1"],
    ) -> None:
        _descend(
            self.weights,
            gradient,
            self.state["momentum"],
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            lr=lr.to(gradient),
        )


@torch.no_grad()
def _descend(
    weights: Tensor,
    gradient: Tensor,
    velocity: Tensor,
    *,
    momentum: float,
    weight_decay: float | Tensor,
    lr: float | Tensor,
) -> None:
    velocity.mul_(momentum).add_(gradient + weight_decay * weights)
    weights.sub_(lr * velocity)


class Muon:
    """Matrices move by their momentum made orthogonal, the other weights by AdamW.

    Matrices are W_Q, W_K, W_V and W_O head by head, W_in and W_out; the others are the embeddings,
    the unembedding, biases and scales. It is torch.optim.Muon with Nesterov's momentum, five
    Newton-Schulz steps in bfloat16, and steps 0.2 sqrt(max(rows, columns)) times the learning rate,
    which then fits AdamW's weights as well. Weight decay is decoupled in both.

    Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024); the
    factor is from J. Liu et al., Muon is Scalable for LLM Training (arXiv 2502.16982).
    """

    def __init__(
        self,
        config: TrainConfig,
        weights: Mapping[str, Tensor],
        undecayed: Collection[str] = (),
    ) -> None:
        matrices = {name: weight for name, weight in weights.items() if is_matrix(name)}
        others = {name: weight for name, weight in weights.items() if not is_matrix(name)}
        momentum = _zeros(matrices)
        self.adamw = AdamW(config, others, undecayed)
        self.state: State = {"momentum": momentum, **self.adamw.state}
        # Heads are views of one weight: the kernel changes the weight by changing the views.
        self.parts = {name: _heads(weight) for name, weight in matrices.items()}
        self.optimizer = torch.optim.Muon(
            [part for parts in self.parts.values() for part in parts],
            lr=config.lr,
            weight_decay=config.weight_decay,
            momentum=config.momentum,
            adjust_lr_fn="match_rms_adamw",
        )
        for name, parts in self.parts.items():
            for part, own in zip(parts, _heads(momentum[name]), strict=True):
                self.optimizer.state[part]["momentum_buffer"] = own

    def step(self, step: int, gradients: Mapping[str, Tensor], lr: float) -> None:
        for name, parts in self.parts.items():
            for part, gradient in zip(parts, _heads(gradients[name]), strict=True):
                part.grad = gradient
        self.optimizer.param_groups[0]["lr"] = lr
        self.optimizer.step()
        self.adamw.step(step, gradients, lr)


class MembersMuon:
    """`Muon` for many models, each with a learning rate and a weight decay of its own: matrices of
    one shape, of all members and heads, are made orthogonal at once.
    """

    def __init__(
        self,
        configs: Sequence[TrainConfig],
        weights: Float[Tensor, "member parameter"],
        named: Named,
    ) -> None:
        self.config, self.weights, self.named = configs[0], weights, named
        self.weight_decay = devices.column(
            [config.weight_decay for config in configs], weights.device
        )
        matrices = [name for name in named(weights) if is_matrix(name)]
        others = [name for name in named(weights) if not is_matrix(name)]
        self.of = {"momentum": matrices, **dict.fromkeys(MOMENTS, others)}
        self.state = {group: torch.zeros_like(weights, requires_grad=False) for group in self.of}

    @torch.no_grad()
    def step(
        self,
        step: int,
        gradient: Float[Tensor, "member parameter"],
        lr: Float[Tensor, "member 1"],
    ) -> None:
        weights, gradients = self.named(self.weights), self.named(gradient)
        state = {group: self.named(buffer) for group, buffer in self.state.items()}
        decay = 1 - lr * self.weight_decay
        for name in self.of["momentum"]:
            weight, velocity = weights[name], state["momentum"][name]
            velocity.lerp_(gradients[name], 1 - self.config.momentum)
            ahead = gradients[name].lerp(velocity, self.config.momentum)  # Nesterov's
            turned = orthogonal(ahead.reshape(-1, *ahead.shape[-2:])).reshape(ahead.shape)
            length = 0.2 * math.sqrt(max(ahead.shape[-2:]))
            weight.mul_(_beside(decay, weight)).sub_(_beside(length * lr, weight) * turned)
        for name in self.of["exp_avg"]:
            adam_(
                weights[name].flatten(1),
                gradients[name].flatten(1),
                state["exp_avg"][name].flatten(1),
                state["exp_avg_sq"][name].flatten(1),
                step + 1,
                lr=lr,
                weight_decay=self.weight_decay,
                betas=self.config.betas,
                eps=self.config.eps,
                decoupled=True,
            )


def orthogonal(
    matrices: Float[Tensor, "matrix rows columns"],
) -> Float[Tensor, "matrix rows columns"]:
    """In bfloat16, roughly U V^T of each U S V^T: five Newton-Schulz steps of torch.optim.Muon, on
    many at once.
    """
    a, b, c = NEWTON_SCHULZ
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.bfloat16()
    x = x.mT if is_tall else x
    x = x / torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True).clamp(min=TINIEST)
    for _ in range(5):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x


def _beside(of_members: Float[Tensor, "member 1"], weight: Float[Tensor, "member ..."]) -> Tensor:
    return of_members.to(weight).view(-1, *[1] * (weight.ndim - 1))


def is_matrix(name: str) -> bool:
    """Whether Muon makes the momentum of this weight orthogonal, by TransformerLens's name."""
    return name.rpartition(".")[2].startswith("W_") and not name.startswith(EMBEDDINGS)


def _heads(weight: Float[Tensor, "*head rows columns"]) -> list[Float[Tensor, "rows columns"]]:
    return list(weight.detach().reshape(-1, *weight.shape[-2:]).unbind(0))


def _zeros(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: torch.zeros_like(w, requires_grad=False) for name, w in weights.items()}
