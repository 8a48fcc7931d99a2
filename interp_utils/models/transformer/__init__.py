"""The first family: a decoder-only transformer, whose weights have HookedTransformer's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.models.family import Family
from interp_utils.models.transformer import building, elsewhere, forward, weights
from interp_utils.tasks import StreamTask

if TYPE_CHECKING:
    from interp_utils.tasks import AnyTask


class Transformer(Family):
    config = ModelConfig
    weight_shapes = staticmethod(weights.weight_shapes)
    trainable = staticmethod(weights.trainable)
    initial_weights = staticmethod(weights.initial_weights)
    build = staticmethod(building.build)
    logits_fn = staticmethod(forward.logits_fn)
    sequence_logits_fn = staticmethod(forward.sequence_logits_fn)
    members_logits_fn = staticmethod(forward.members_logits_fn)

    def canonical_weights(
        self, config: ModelConfig, weights: Mapping[str, Any], **options: Any
    ) -> dict[str, Tensor]:
        return elsewhere.canonical_weights(config, weights, **options)[1]

    def check(self, config: ModelConfig, task: AnyTask, training: TrainConfig) -> None:
        has_tables = forward.takes_tables(config, training.forward)
        if training.dropout and not has_tables:
            raise ValueError(
                "only the table forward, for one-layer models without normalization, has "
                'dropout: leave TrainConfig.dropout 0, or forward "auto"'
            )
        if isinstance(task, StreamTask) and task.shows_answers and config.attention != "causal":
            raise ValueError(
                f"bidirectional attention reads {task.name}'s answers in its inputs: leave "
                "ModelConfig.attention causal"
            )

    def check_members(self, config: ModelConfig, training: TrainConfig) -> None:
        if not forward.takes_tables(config, training.forward):
            raise ValueError(
                "train_many has the table forward only, for one-layer models: set "
                "ModelConfig.n_layers = 1, ModelConfig.normalization = None and "
                f'TrainConfig.forward = "auto", got {config.n_layers}, {config.normalization!r} '
                f'and "{training.forward}"; or use train'
            )

    def floats_per_input(self, config: ModelConfig) -> int:
        of_attention = 3 * config.n_ctx * config.n_heads * config.d_head
        return of_attention + 4 * (config.d_mlp or config.d_model) + 8 * config.d_vocab_out
