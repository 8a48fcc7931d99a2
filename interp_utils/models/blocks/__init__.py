"""A second family: the simplified blocks of He and Hofmann 2023."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from jaxtyping import Int
from torch import Tensor

from interp_utils.configs import TrainConfig
from interp_utils.models.blocks import building, weights
from interp_utils.models.blocks.config import BlocksConfig
from interp_utils.models.blocks.tables import from_tables
from interp_utils.models.family import Family, LogitsFn, Weights
from interp_utils.models.transformer.building import call_with
from interp_utils.models.transformer.tables import make_plan
from interp_utils.tasks import StreamTask

if TYPE_CHECKING:
    from interp_utils.tasks import AnyTask

__all__ = ["Blocks", "BlocksConfig"]


class Blocks(Family):
    config = BlocksConfig
    weight_shapes = staticmethod(weights.weight_shapes)
    trainable = staticmethod(weights.trainable)
    undecayed = staticmethod(weights.undecayed)
    initial_weights = staticmethod(weights.initial_weights)
    build = staticmethod(building.build)

    def logits_fn(
        self,
        config: BlocksConfig,
        tokens: Int[Tensor, "n ctx"],
        kind: str = "auto",
        answer_pos: int = -1,
    ) -> LogitsFn:
        """kind: "table" for one layer, "hooked" the model's own, "auto" the first where it applies.
        The function takes `rows`, Int "k", the inputs to compute; default all.
        """
        if not takes_tables(config, kind):
            model = building.build(config, device=tokens.device)

            def by_model(weights: Weights, rows: Tensor | None = None) -> Tensor:
                inputs = tokens if rows is None else tokens[rows]
                return call_with(model, weights, inputs)[:, answer_pos]

            return by_model
        plan = make_plan(config, tokens, answer_pos)
        of_plan = from_tables(config, range(tokens.shape[1])[answer_pos])

        def by_tables(weights: Weights, rows: Tensor | None = None) -> Tensor:
            if rows is None:
                return of_plan(plan, weights)
            return of_plan(plan._replace(rows=plan.rows[rows], query=plan.query[rows]), weights)

        return by_tables

    def check(self, config: BlocksConfig, task: AnyTask, training: TrainConfig) -> None:
        takes_tables(config, training.forward)
        if not isinstance(task, StreamTask):  # which have no forward
            training = dataclasses.replace(training, forward="auto", batch_size=None)
        super().check(config, task, training)
        if training.weight_norm is not None:
            raise ValueError(
                "TrainConfig.weight_norm would scale the gains of simplified blocks with the "
                f"matrices: leave it None, got {training.weight_norm}"
            )


def takes_tables(config: BlocksConfig, kind: str) -> bool:
    """Whether the table forward is used. Raises ValueError where it is asked for and would compute
    another model.
    """
    if kind == "table" and config.n_layers > 1:
        raise ValueError(
            f"the table forward is for one block, this model has {config.n_layers} layers; use "
            '"hooked"'
        )
    return kind != "hooked" and config.n_layers == 1
