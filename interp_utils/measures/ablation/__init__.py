"""Ablations: the logits of a model with a part of it removed or replaced. One function per kind;
none leaves a hook behind.

Each function takes a `CachedModel` and returns logits on its grid, "a b c", for
`progress.mean_loss`. layer is the layer that is edited; None means the only one. `ABLATIONS` are
the published ablations by name (Nanda et al. 2023, section 4.4 and appendix A.1), and `table` gives
the losses after each.
"""

from interp_utils.measures.ablation.attention import (
    head_frequencies,
    linear_attention,
    sine_attention,
    with_attention_to_a,
    without_attention_to,
    without_heads,
)
from interp_utils.measures.ablation.logits import on_sums, with_logits_on, without_frequency
from interp_utils.measures.ablation.neurons import (
    on_directions,
    with_additive_neurons,
    with_neurons,
    with_polynomial_neurons,
    with_sum_neurons,
    without_neurons,
)
from interp_utils.measures.ablation.parts import How
from interp_utils.measures.ablation.published import ABLATIONS, Ablation, key_directions, table
from interp_utils.measures.ablation.stream import (
    with_digits,
    without_attention_skip,
    without_mlp_skip,
)

__all__ = [
    "ABLATIONS",
    "Ablation",
    "How",
    "head_frequencies",
    "key_directions",
    "linear_attention",
    "on_directions",
    "on_sums",
    "sine_attention",
    "table",
    "with_additive_neurons",
    "with_attention_to_a",
    "with_digits",
    "with_logits_on",
    "with_neurons",
    "with_polynomial_neurons",
    "with_sum_neurons",
    "without_attention_skip",
    "without_attention_to",
    "without_frequency",
    "without_heads",
    "without_mlp_skip",
    "without_neurons",
]
