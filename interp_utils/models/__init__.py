"""Models: from configurations to weights, and from weights to models one can look inside of."""

from interp_utils.models.transformer.building import (
    build,
    call_with,
    has_hooked_transformer,
    load_weights,
    named_weights,
)
from interp_utils.models.transformer.elsewhere import from_weights
from interp_utils.models.transformer.forward import (
    LogitsFn,
    MembersLogitsFn,
    Weights,
    logits_fn,
    members_logits_fn,
    sequence_logits_fn,
    takes_tables,
)
from interp_utils.models.transformer.weights import (
    act_fn,
    check_weights,
    initial_weights,
    is_bias,
    trainable,
    weight_shapes,
)

__all__ = [
    "LogitsFn",
    "MembersLogitsFn",
    "Weights",
    "act_fn",
    "build",
    "call_with",
    "check_weights",
    "from_weights",
    "has_hooked_transformer",
    "initial_weights",
    "is_bias",
    "load_weights",
    "logits_fn",
    "members_logits_fn",
    "named_weights",
    "sequence_logits_fn",
    "takes_tables",
    "trainable",
    "weight_shapes",
]
