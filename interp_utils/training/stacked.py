"""The weights of many models in one buffer, and the update of all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils import devices, models
from interp_utils.configs import FamilyConfig, RunConfig
from interp_utils.losses import LOSSES
from interp_utils.models import MembersLogitsFn, members_logits_fn
from interp_utils.runs.measured import class_outputs
from interp_utils.tasks import Task
from interp_utils.training.filters import State, perpendicular_
from interp_utils.training.optimisers import members_optimiser, warmup
from interp_utils.training.trainer import require_shapes


class StackedTrainer:
    """An `AnyTrainer` of many members. A member's row of any buffer is its own alone.

    Members have the same sizes, numbers of inputs and of training inputs, and schedule; seed,
    learning rate, weight decay, labels and split are each member's own.
    """

    def __init__(
        self, tasks: Sequence[Task], configs: Sequence[RunConfig], device: torch.device
    ) -> None:
        self.model, self.config, self.step = configs[0].model, configs[0].train, 0
        self.trained = models.trainable(self.model)
        self.shapes = models.weight_shapes(self.model)
        weights = [models.initial_weights(config.model) for config in configs]
        self.frozen = {
            name: torch.stack([own[name] for own in weights]).to(device)
            for name in self.shapes.keys() - set(self.trained)
        }
        self.weights = (
            torch.stack([self._flat(own) for own in weights]).to(device).requires_grad_()
        )  # "member parameter"
        self.lr = devices.column([config.train.lr for config in configs], device)
        self.optimiser = members_optimiser([config.train for config in configs], self.weights)
        self.losses: list[
            Float[Tensor, "member"]
        ] = []  # of the updates since `take_losses`, still on the device

        def stack(tensors: list[Tensor]) -> Tensor:
            return torch.stack(tensors).to(device)

        self.loss_fn = LOSSES[self.config.loss]
        self.labels = stack([task.labels for task in tasks])
        self.train = stack([task.train_mask.nonzero()[:, 0] for task in tasks])
        self.test = stack([task.test_mask.nonzero()[:, 0] for task in tasks])
        self.train_labels = self.labels.gather(1, self.train)
        self.outputs = class_outputs(tasks[0], device)
        self.answer_pos = tasks[0].answer_pos
        self.train_logits = self._logits_fn([task.tokens[task.train_mask] for task in tasks])
        self.all_logits = self._logits_fn([task.tokens for task in tasks])

    def _logits_fn(self, tokens: Sequence[Tensor]) -> MembersLogitsFn:
        stacked = torch.stack(list(tokens)).to(self.weights.device)
        of_outputs = members_logits_fn(self.model, stacked, self.answer_pos)
        if self.outputs is None:
            return of_outputs
        return lambda weights: of_outputs(weights)[..., self.outputs]

    def update(self) -> None:
        losses = self._losses(
            self.train_logits(self._named(self.weights) | self.frozen), self.train_labels
        ).mean(1)
        (gradient,) = torch.autograd.grad(losses.sum(), self.weights)
        self.losses.append(losses.detach())
        if self.config.perp_grad:
            weights = self._named(self.weights)
            for name, own in self._named(gradient).items():
                perpendicular_(own, weights[name])
        self.optimiser.step(self.step, gradient, self.lr * warmup(self.config, self.step))
        if self.config.weight_norm is not None:
            self._scale_to(self.config.weight_norm)
        self.step += 1

    @torch.no_grad()
    def _scale_to(self, norm: float) -> None:
        """Scales each member's weights, so that together they have this L2 norm."""
        self.weights.mul_(norm / torch.linalg.vector_norm(self.weights, dim=1, keepdim=True))

    def _losses(
        self, logits: Float[Tensor, "member n c"], labels: Tensor
    ) -> Float[Tensor, "member n"]:
        return self.loss_fn(logits.flatten(0, 1), labels.flatten()).unflatten(0, labels.shape)

    def take_losses(self) -> Float[Tensor, "update member"]:
        """In one transfer."""
        losses = (
            torch.stack(self.losses).cpu().double()
            if self.losses
            else torch.empty(0, len(self.weights))
        )
        self.losses.clear()
        return losses

    @torch.no_grad()
    def measure(self) -> list[dict[str, float]]:
        """In one transfer."""
        logits = self.all_logits(self._named(self.weights) | self.frozen)
        values = {
            "loss": devices.double(self._losses(logits, self.labels)),
            "accuracy": devices.double(logits.argmax(-1) == self.labels),
        }
        splits = {"train": self.train, "test": self.test}
        columns = {
            f"{split}_{what}": own.gather(1, which.to(own.device)).mean(1)
            for what, own in values.items()
            for split, which in splits.items()
        }
        weights = self.weights.to(devices.for_double(self.weights.device))
        columns["sum_squared_weights"] = torch.linalg.vector_norm(
            weights, dim=1, dtype=torch.float64
        ).square()
        rows = torch.stack(list(columns.values()), dim=1).tolist()
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def finite(self) -> list[bool]:
        return self.weights.isfinite().all(1).tolist()

    def states(self) -> list[State]:
        """The state of each member, as its own `Trainer` would have it."""
        buffers = {"weights": self.weights, **self.optimiser.state}
        named = {group: self._named(buffer.detach().cpu()) for group, buffer in buffers.items()}
        named["weights"] |= {name: weight.cpu() for name, weight in self.frozen.items()}
        return [
            {
                group: {name: tensor[member] for name, tensor in tensors.items()}
                for group, tensors in named.items()
            }
            for member in range(len(self.weights))
        ]

    @torch.no_grad()
    def load_state(self, member: int, state: State) -> None:
        of_trained = {name: self.shapes[name] for name in self.trained}
        moments = dict.fromkeys(self.optimiser.state, of_trained)
        require_shapes(state, {"weights": self.shapes, **moments})
        for group, buffer in {"weights": self.weights, **self.optimiser.state}.items():
            buffer[member] = self._flat(state[group])
        for name, weight in self.frozen.items():
            weight[member] = state["weights"][name]

    def _flat(self, weights: Mapping[str, Tensor]) -> Float[Tensor, "parameter"]:
        return torch.cat([weights[name].flatten() for name in self.trained])

    def _named(self, buffer: Float[Tensor, "member parameter"]) -> dict[str, Tensor]:
        """Views of it, each "member ..." with the shape of its weight."""
        parts = buffer.split([math.prod(self.shapes[name]) for name in self.trained], dim=1)
        return {
            name: part.unflatten(1, self.shapes[name])
            for name, part in zip(self.trained, parts, strict=True)
        }


def bytes_per_member(task: Task, model: FamilyConfig) -> int:
    """What a member needs at most: its buffers, and the activations of all inputs, which a row of
    metrics takes.
    """
    parameters = sum(math.prod(shape) for shape in models.weight_shapes(model).values())
    per_input = models.family_of(model).floats_per_input(model)
    return 4 * (8 * parameters + len(task) * per_input)
