"""A training's state in memory, and one step of it: for one model here, for many in `stacked`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils import devices, models
from interp_utils.configs import RunConfig
from interp_utils.runs.origin import Origin
from interp_utils.tasks import AnyTask
from interp_utils.training.filters import State, gradient_filter
from interp_utils.training.objectives import check, objective
from interp_utils.training.optimisers import optimiser, warmup
from interp_utils.training.starts import counted_since


@runtime_checkable
class AnyTrainer(Protocol):
    """One or more members, trained at once. All of them are at the same step."""

    step: int  # updates done so far

    def update(self) -> None:
        """One step of every member. Nothing is read from the device."""

    def take_losses(self) -> Float[Tensor, "update member"]:
        """The training losses of the updates since the last call, on the CPU in float64."""

    def measure(self) -> list[dict[str, float]]:
        """A row of metrics for each member."""

    def finite(self) -> list[bool]:
        """For each member, whether all its weights are finite."""

    def states(self) -> list[State]:
        """What each member needs to be resumed, as views: {"weights": ..., "exp_avg": ..., ...}."""

    def load_state(self, member: int, state: State) -> None:
        """Puts a member into one of its `states`. Raises ValueError for another model's state."""


class Trainer:
    """An `AnyTrainer` of one member.

    weights: the start, in the precision of these weights; default `models.initial_weights`.
    origin:  where the training started, if its optimiser or filter counts from a later step than 0.
    """

    def __init__(
        self,
        task: AnyTask,
        config: RunConfig,
        device: torch.device,
        weights: Mapping[str, Tensor] | None = None,
        origin: Origin | None = None,
    ) -> None:
        check(task, config)
        self.objective = objective(task, config, device)
        self.config, self.step = config.train, 0
        self.optimiser_since, self.filter_since = counted_since(origin)
        self.losses: list[Tensor] = []  # of updates since `take_losses`, still on the device
        start = models.initial_weights(config.model) if weights is None else weights
        self.weights = {
            name: weight.detach().to(device, copy=True) for name, weight in start.items()
        }
        self.trained = {
            name: self.weights[name].requires_grad_() for name in models.trainable(config.model)
        }
        self.filter = gradient_filter(self.config, self.trained)
        undecayed = models.undecayed(config.model)
        self.optimiser = optimiser(self.config, self.trained, undecayed)

    def update(self) -> None:
        for weight in self.trained.values():
            weight.grad = None
        loss = self.objective.loss(self.weights, self.step)
        loss.backward()
        self.losses.append(loss.detach())
        gradients = {name: weight.grad for name, weight in self.trained.items()}
        self.filter.apply(self.step - self.filter_since, gradients)
        count = self.step - self.optimiser_since
        self.optimiser.step(count, gradients, self.config.lr * warmup(self.config, count))
        if self.config.weight_norm is not None:
            scale_to_(self.trained.values(), self.config.weight_norm)
        self.step += 1

    def take_losses(self) -> Float[Tensor, "update 1"]:
        """In one transfer."""
        losses = torch.stack(self.losses).cpu().double() if self.losses else torch.empty(0)
        self.losses.clear()
        return losses[:, None]

    @torch.no_grad()
    def measure(self) -> list[dict[str, float]]:
        row = self.objective.measure(self.weights, self.step)
        row["sum_squared_weights"] = sum(
            devices.double(weight).square().sum() for weight in self.trained.values()
        )
        values = torch.stack(list(row.values())).tolist()  # one synchronisation for all values
        return [dict(zip(row, values, strict=True))]

    def finite(self) -> list[bool]:
        return [all(bool(weight.isfinite().all()) for weight in self.trained.values())]

    def states(self) -> list[State]:
        return [{"weights": self.weights, **self.optimiser.state, **self.filter.state}]

    @torch.no_grad()
    def load_state(self, member: int, state: State) -> None:
        (own,) = self.states()
        require_shapes(state, shapes(own))
        for group, tensors in own.items():
            for name, tensor in tensors.items():
                tensor.copy_(state[group][name])


@torch.no_grad()
def scale_to_(weights: Collection[Tensor], norm: float) -> None:
    """Scales all weights by one factor, in place, to this L2 norm of all together."""
    norms = torch.stack([torch.linalg.vector_norm(weight) for weight in weights])
    factor = norm / torch.linalg.vector_norm(norms)
    for weight in weights:
        weight.mul_(factor)


Shapes = dict[str, dict[str, tuple[int, ...]]]


def shapes(state: State) -> Shapes:
    return {
        group: {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        for group, tensors in state.items()
    }


def require_shapes(state: State, expected: Shapes) -> None:
    """Raises ValueError unless the state has exactly these groups, names and shapes."""
    if shapes(state) != expected:
        raise ValueError("this state belongs to another model")
