"""The orientations in which a transformer's matrices were published.

transformer_lens   HookedTransformer's: the matrix is on the right, x W.
progress_measures  the files of Nanda et al. 2023 (trained in 2022), and code after them: inputs
                   last, W_O with its heads side by side, W_E and W_U with d_model first.
easy_transformer   EasyTransformer's of 2022: inputs last, W_E with d_model first.
"""

from __future__ import annotations

from collections.abc import Mapping

from einops import EinopsError, rearrange
from torch import Tensor

QKV = {f"W_{name}": "head d_head d_model -> head d_model d_head" for name in "QKV"}
MLP = {"W_in": "d_mlp d_model -> d_model d_mlp", "W_out": "d_model d_mlp -> d_mlp d_model"}
ORIENTATIONS: dict[str, dict[str, str]] = {
    "transformer_lens": {},
    "progress_measures": {
        **QKV,
        **MLP,
        "W_E": "d_model vocab -> vocab d_model",
        "W_O": "d_model (head d_head) -> head d_head d_model",
    },
    "easy_transformer": {
        **QKV,
        **MLP,
        "W_E": "d_model vocab -> vocab d_model",
        "W_O": "head d_model d_head -> head d_head d_model",
        "W_U": "vocab d_model -> d_model vocab",
    },
}


def turned(weights: Mapping[str, Tensor], orientation: str) -> dict[str, Tensor] | None:
    """The weights turned from this orientation to HookedTransformer's; None where a matrix has
    another number of axes than this orientation needs.
    """
    heads = {name: w.shape[0] for name, w in weights.items() if name.endswith("attn.W_Q")}
    patterns = ORIENTATIONS[orientation]
    result = {}
    for name, weight in weights.items():
        pattern = patterns.get(name.rpartition(".")[2])
        n_heads = next(iter(heads.values()), 1)
        sizes = {"head": n_heads} if pattern and "(head" in pattern else {}
        try:
            result[name] = rearrange(weight, pattern, **sizes) if pattern else weight
        except EinopsError:
            return None
    return result
