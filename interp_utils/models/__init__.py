"""Models: from configurations to weights, and from weights to models that one can look inside."""

from interp_utils.models.family import (
    FAMILIES,
    Family,
    LogitsFn,
    MembersLogitsFn,
    SequenceLogitsFn,
    UnknownFamily,
    Weights,
    build,
    canonical_weights,
    config_from_json,
    family_of,
    initial_weights,
    logits_fn,
    members_logits_fn,
    sequence_logits_fn,
    trainable,
    undecayed,
    weight_shapes,
)
from interp_utils.models.transformer.building import (
    call_with,
    has_hooked_transformer,
    load_weights,
    named_weights,
)
from interp_utils.models.transformer.elsewhere import config_of, from_weights
from interp_utils.models.transformer.weights import act_fn, is_bias
from interp_utils.models.weights import check_weights, say_cast

__all__ = [
    "FAMILIES",
    "Family",
    "LogitsFn",
    "MembersLogitsFn",
    "SequenceLogitsFn",
    "UnknownFamily",
    "Weights",
    "act_fn",
    "build",
    "call_with",
    "canonical_weights",
    "check_weights",
    "config_from_json",
    "config_of",
    "family_of",
    "from_weights",
    "has_hooked_transformer",
    "initial_weights",
    "is_bias",
    "load_weights",
    "logits_fn",
    "members_logits_fn",
    "named_weights",
    "say_cast",
    "sequence_logits_fn",
    "trainable",
    "undecayed",
    "weight_shapes",
]
