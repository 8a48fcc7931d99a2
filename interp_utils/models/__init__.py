"""From a configuration to weights, and from weights to a model whose activations can be looked "
"at."""

from interp_utils.models.transformer import (
    act_fn,
    build,
    call_with,
    check_weights,
    from_weights,
    has_hooked_transformer,
    initial_weights,
    is_bias,
    load_weights,
    named_weights,
    trainable,
    weight_shapes,
)

__all__ = [
    "act_fn",
    "build",
    "call_with",
    "check_weights",
    "from_weights",
    "has_hooked_transformer",
    "initial_weights",
    "is_bias",
    "load_weights",
    "named_weights",
    "trainable",
    "weight_shapes",
]
