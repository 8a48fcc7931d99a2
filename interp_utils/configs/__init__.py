"""The configuration of a run: frozen, JSON-able records. Defaults are those of TransformerLens's
Grokking_Demo, with the paper's warm-up.
"""

from dataclasses import dataclass

from interp_utils.configs.base import Config, UnknownSetting
from interp_utils.configs.model import FamilyConfig, ModelConfig
from interp_utils.configs.train import TrainConfig, log_then_even

__all__ = [
    "Config",
    "FamilyConfig",
    "ModelConfig",
    "RunConfig",
    "TrainConfig",
    "UnknownSetting",
    "log_then_even",
]


@dataclass(frozen=True)
class RunConfig:
    """Everything about a run except its task."""

    model: FamilyConfig
    train: TrainConfig
