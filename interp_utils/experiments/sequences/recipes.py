"""Encoders of integer sequences: two layers that read both ways, three seeds."""

from __future__ import annotations

from interp_utils import tasks
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.experiments.base import Recipe

SEEDS = 3
MODEL = ModelConfig(
    d_model=64,
    n_heads=4,
    d_head=16,
    d_mlp=256,
    n_layers=2,
    biases="all",
    attention="bidirectional",
    normalization="LNPre",
)
TRAIN = TrainConfig(
    steps=6000,
    batch_size=128,
    lr=2e-3,
    weight_decay=0.0,
    warmup_steps=50,
    log_every=250,
    snapshot_every=None,
)
ENCODER = Recipe(tasks.integer_sequences, MODEL, TRAIN)


def named(seed: int) -> str:
    return f"sequences_seed{seed}"


RECIPES = {named(seed): ENCODER.seeded(seed) for seed in range(SEEDS)}
