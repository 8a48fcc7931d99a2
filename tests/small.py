"""A model and a training that take a moment, for tests that need any."""

import pytest

from interp_utils import ModelConfig, Run, TrainConfig, models

SMALL_MODEL = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
SMALL_TRAINING = TrainConfig(steps=60, log_every=10, snapshot_every=20)
# With transformer_lens 4 models are bridges, which have no masks among their weights, say.
of_hooked_transformer = pytest.mark.skipif(
    not models.has_hooked_transformer(), reason="this is about HookedTransformer's own ways"
)


def weights_equal(first: Run, second: Run) -> bool:
    a, b = first.weights(), second.weights()
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)
