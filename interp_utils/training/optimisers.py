"""From gradients to new weights, for one model and for many at once.

To add an optimiser, write one class and name it in `OPTIMISERS`, and for `train_many` another one
in `MEMBERS_OPTIMISERS`. Its memory from step to step is its `state`, which every save keeps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from interp_utils.configs import TrainConfig
from interp_utils.training.adam import Adam, AdamW, MembersAdam, MembersAdamW, Named
from interp_utils.training.filters import State
from interp_utils.training.momentum import MembersMuon, MembersSgd, Muon, Sgd


@runtime_checkable
class Optimiser(Protocol):
    state: State  # group -> weight's name -> tensor; what a resumed training needs

    def step(self, step: int, gradients: Mapping[str, Tensor], lr: float) -> None:
        """Update `step` = 0, 1, ... of the weights, in place. Steps come in order."""


@runtime_checkable
class MembersOptimiser(Protocol):
    """An optimiser of many models at once, whose weights are the rows of one tensor.

    of: the weights that a group of the state has, by name; a group that is not here has all.
    """

    state: dict[str, Float[Tensor, "member parameter"]]
    of: Mapping[str, Collection[str]]

    def step(
        self,
        step: int,
        gradient: Float[Tensor, "member parameter"],
        lr: Float[Tensor, "member 1"],
    ) -> None: ...


def optimiser(
    config: TrainConfig, weights: Mapping[str, Tensor], undecayed: Collection[str] = ()
) -> Optimiser:
    """undecayed: the weights that weight decay leaves alone, by name."""
    return OPTIMISERS[config.optimiser](config, weights, undecayed)


def members_optimiser(
    configs: Sequence[TrainConfig], weights: Float[Tensor, "member parameter"], named: Named
) -> MembersOptimiser:
    """configs: those of the members, which may differ in weight decay (and learning rate).
    named: from any "member parameter" to views by the weights' names, each "member ...".
    """
    return MEMBERS_OPTIMISERS[configs[0].optimiser](configs, weights, named)


def warmup(config: TrainConfig, step: int) -> float:
    """The share of the learning rate that is used at update `step` = 0, 1, ..."""
    return min(step / config.warmup_steps, 1.0) if config.warmup_steps else 1.0


OPTIMISERS: dict[str, type[Optimiser]] = {
    "adamw": AdamW,
    "adam": Adam,
    "sgd": Sgd,
    "muon": Muon,
}
MEMBERS_OPTIMISERS: dict[str, type[MembersOptimiser]] = {
    "adamw": MembersAdamW,
    "adam": MembersAdam,
    "sgd": MembersSgd,
    "muon": MembersMuon,
}
