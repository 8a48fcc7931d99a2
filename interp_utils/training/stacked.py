"""The weights of many models in one buffer, and the update of all of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils import devices, models
from interp_utils.configs import FamilyConfig, RunConfig
from interp_utils.losses import LOSSES
from interp_utils.models import MembersLogitsFn, members_logits_fn
from interp_utils.runs.measured import class_outputs
from interp_utils.tasks import Task
from interp_utils.training.filters import State, gradient_filter, perpendicular_
from interp_utils.training.objectives import epoch_and_part, epoch_order
from interp_utils.training.optimisers import members_optimiser, warmup
from interp_utils.training.trainer import require_shapes

ALL = "all"  # the name of a buffer that has every weight


class StackedTrainer:
    """An `AnyTrainer` of many members. In every buffer, each member has one row of its own.

    Members have the same sizes, numbers of inputs and of training inputs, and schedule; seed,
    initial scale, learning rate, weight decay, weight norm, labels and split are each member's own.
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
        norms = [config.train.weight_norm for config in configs]
        self.norms = None if None in norms else devices.column(norms, device).to(self.weights)
        self.optimiser = members_optimiser(
            [config.train for config in configs], self.weights, self._named
        )
        # Number by number, so that it needs no names; perpGrad does.
        self.filter = gradient_filter(
            dataclasses.replace(self.config, perp_grad=False), {ALL: self.weights}
        )
        self.losses: list[
            Float[Tensor, "member"]
        ] = []  # losses of the updates since `take_losses`, still on the device

        def stack(tensors: list[Tensor]) -> Tensor:
            return torch.stack(tensors).to(device)

        self.loss_fn = LOSSES[self.config.loss]
        self.labels = stack([task.labels for task in tasks])
        self.train = stack([task.train_mask.nonzero()[:, 0] for task in tasks])
        self.test = stack([task.test_mask.nonzero()[:, 0] for task in tasks])
        self.train_labels = self.labels.gather(1, self.train)
        self.seeds = [config.model.seed for config in configs]
        self.epoch: int | None = None  # whose orders of inputs are at hand
        self.outputs = class_outputs(tasks[0], device)
        self.answer_pos = tasks[0].answer_pos
        self.train_logits = self._logits_fn([task.tokens[task.train_mask] for task in tasks])
        self.all_logits = self._logits_fn([task.tokens for task in tasks])

    def _logits_fn(self, tokens: Sequence[Tensor]) -> MembersLogitsFn:
        stacked = torch.stack(list(tokens)).to(self.weights.device)
        of_outputs = members_logits_fn(self.model, stacked, self.answer_pos)
        if self.outputs is None:
            return of_outputs
        return lambda *given, **options: of_outputs(*given, **options)[..., self.outputs]

    def update(self) -> None:
        weights, options, labels = self._named(self.weights) | self.frozen, {}, self.train_labels
        if self.config.batch_size is not None:
            options["rows"] = self._rows()
            labels = labels.gather(1, options["rows"])
        losses = self._losses(self.train_logits(weights, **options), labels).mean(1)
        (gradient,) = torch.autograd.grad(losses.sum(), self.weights)
        self.losses.append(losses.detach())
        self.filter.apply(self.step, {ALL: gradient})
        if self.config.perp_grad:
            for name, own in self._named(gradient).items():
                perpendicular_(own, weights[name])
        self.optimiser.step(self.step, gradient, self.lr * warmup(self.config, self.step))
        if self.norms is not None:
            self._scale_to(self.norms)
        self.step += 1

    def _rows(self) -> Int[Tensor, "member batch"]:
        """The training inputs of each member's next update, as its own `Trainer` takes them."""
        n = self.train.shape[1]
        epoch, part = epoch_and_part(self.step, self.config.batch_size, n)
        if epoch != self.epoch:
            orders = [epoch_order(seed, epoch, n) for seed in self.seeds]
            self.orders, self.epoch = torch.stack(orders).to(self.weights.device), epoch
        return self.orders[:, part]

    @torch.no_grad()
    def _scale_to(self, norms: Float[Tensor, "member 1"]) -> None:
        """Scales each member's weights, so that together they have its L2 norm."""
        self.weights.mul_(norms / torch.linalg.vector_norm(self.weights, dim=1, keepdim=True))

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
        buffers = self._buffers()
        named = {group: self._named(buffer.detach().cpu()) for group, buffer in buffers.items()}
        named["weights"] |= {name: weight.cpu() for name, weight in self.frozen.items()}
        return [
            {
                group: {name: tensors[name][member] for name in self._names(group, tensors)}
                for group, tensors in named.items()
            }
            for member in range(len(self.weights))
        ]

    @torch.no_grad()
    def load_state(self, member: int, state: State) -> None:
        groups = {group: self._named(buffer) for group, buffer in self._buffers().items()}
        expected = {
            group: {name: self.shapes[name] for name in self._names(group, tensors)}
            for group, tensors in groups.items()
        }
        require_shapes(state, {**expected, "weights": self.shapes})
        for group, tensors in groups.items():
            for name in self._names(group, tensors):
                tensors[name][member] = state[group][name]
        for name, weight in self.frozen.items():
            weight[member] = state["weights"][name]

    def _buffers(self) -> dict[str, Float[Tensor, "member parameter"]]:
        of_filter = {group: own[ALL] for group, own in self.filter.state.items()}
        return {"weights": self.weights, **self.optimiser.state, **of_filter}

    def _names(self, group: str, every: Iterable[str]) -> Iterable[str]:
        """The weights that a group of a state has."""
        return self.optimiser.of.get(group, every)

    def _flat(self, weights: Mapping[str, Tensor]) -> Float[Tensor, "parameter"]:
        return torch.cat([weights[name].flatten() for name in self.trained])

    def _named(self, buffer: Float[Tensor, "member parameter"]) -> dict[str, Tensor]:
        """Views of the buffer, one for each weight: "member ..." with the weight's shape."""
        parts = buffer.split([math.prod(self.shapes[name]) for name in self.trained], dim=1)
        return {
            name: part.unflatten(1, self.shapes[name])
            for name, part in zip(self.trained, parts, strict=True)
        }


def bytes_per_member(task: Task, model: FamilyConfig) -> int:
    """The most that a member needs: its buffers, and the activations of all inputs for a row of
    metrics.
    """
    parameters = sum(math.prod(shape) for shape in models.weight_shapes(model).values())
    per_input = models.family_of(model).floats_per_input(model)
    return 4 * (8 * parameters + len(task) * per_input)
