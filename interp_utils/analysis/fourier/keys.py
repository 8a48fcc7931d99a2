"""Which frequencies a model uses."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import TYPE_CHECKING, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils.analysis.fourier.basis import (
    by_frequency,
    component_frequencies,
    power,
    transform,
    transform_2d,
)
from interp_utils.analysis.fourier.sums import (
    answer_components,
    check_grid,
    require_sums,
    sum_components,
)
from interp_utils.precision import at_least_float32

if TYPE_CHECKING:
    import pandas as pd

Rule = Literal["logits", "logit_similarity", "W_L", "W_E", "neurons"]
THRESHOLD: dict[str, float] = {
    "logits": 0.1,
    "logit_similarity": 0.1,
    "W_L": 0.25,
    "W_E": 0.25,
    "neurons": 0.0,
}


@at_least_float32
def neuron_variance_by_frequency(
    activations: Float[Tensor, "p p neuron"],
) -> Float[Tensor, "freq neuron"]:
    """Share of each neuron's variance over the grid in the eight terms of one frequency; row 0 is
    zero, and dead neurons have NaN.

    FVE_k = sum of A^2 over components (i, j) in {const, cos k, sin k}^2, divided by the sum over
    all components, both without (const, const) (Nanda et al. 2023, section 4.3). A constant neuron
    has no variance to explain.
    """
    check_grid(activations)
    squares = transform_2d(activations).square()
    energy = by_frequency(by_frequency(squares, 0), 1)  # "freq freq neuron"
    total_with_mean = energy.sum((0, 1))
    energy[0, 0] = 0
    total = energy.sum((0, 1))
    own = energy[0] + energy[:, 0] + energy.diagonal().T
    dead = total <= 1e-9 * total_with_mean
    return torch.where(dead, torch.nan, own / total)


@at_least_float32
def frequency_scores(x: Float[Tensor, "..."], rule: Rule = "logits") -> Float[Tensor, "freq"]:
    """The amount of each frequency 0 .. p // 2 in x / |x|, as the rule measures it; index 0, the
    constant, is 0.

    rule, and what x is:
    "logits":           logits "p p c"; norm on cos w_k(a + b) and sin w_k(a + b), over all classes.
    "logit_similarity": logits "p p p"; |cosine similarity| with cos w_k(a + b - c) (Chughtai et al.
                        2023).
    "W_L":              W_out W_U "neuron p"; norm at frequency k along the classes (Nanda et al.
                        2023, appendix C.2).
    "W_E":              embeddings "p d_model"; norm of the larger row, cos k or sin k
                        (TransformerLens's Grokking_Demo).
    "neurons":          activations "p p neuron"; number of neurons whose best frequency is k (Nanda
                        et al. 2023, released code).
    Raises ValueError for another rule or shape, values that are not finite, no variation to
    measure, or, for the first two rules, logits that vary with a - b and not with a + b; TypeError
    for a model.
    """
    axes = {"logits": 3, "logit_similarity": 3, "neurons": 3, "W_L": 2, "W_E": 2}
    if rule not in axes:
        raise ValueError(f"rule must be one of {get_args(Rule)}, got {rule!r}")
    if not isinstance(x, Tensor):
        raise TypeError(
            f"key frequencies are read off a tensor, got {type(x).__name__}: pass model.logits "
            "from model = CachedModel(model, task)"
        )
    if x.ndim != axes[rule]:
        raise ValueError(
            f'rule "{rule}" reads a tensor of {axes[rule]} axes (see frequency_scores), got '
            f"shape {tuple(x.shape)}"
        )
    if axes[rule] == 3:
        check_grid(x)
    if not x.isfinite().all():
        raise ValueError(f'rule "{rule}" reads finite values, got NaN or infinity')
    if rule in ("logits", "logit_similarity"):
        require_sums(x)
    norm = x.norm()
    scores = _SCORES[rule](x / norm) if norm > 0 else x.new_zeros(1)
    scores[0] = 0
    if scores.max() < 1e-6:  # relative to |x|: what rounding leaves of an absent frequency
        raise ValueError(
            f'rule "{rule}" finds no frequency: the values do not vary with the tokens'
        )
    return scores


@at_least_float32
def key_frequencies(
    x: Float[Tensor, "..."], rule: Rule = "logits", *, threshold: float | None = None
) -> list[int]:
    """The frequencies whose score is above `threshold` times the largest, ascending.

    threshold None is the rule's own: 1/4 for "W_L" and "W_E" (Grokking_Demo), 0 for "neurons" (any
    frequency that a neuron prefers), and 1/10 on the logits. A logit is a product of the sizes that
    the other rules see, and so falls off twice as steeply.

    x is as for `frequency_scores`. The published rules disagree on real models
    (`key_frequency_table`). Choose once, on the final model, and pass the result to every measure.
    """
    scores = frequency_scores(x, rule)
    least = (THRESHOLD[rule] if threshold is None else threshold) * scores.max()
    return (scores > least).nonzero().flatten().tolist()


def key_frequency_table(**tensors: Float[Tensor, "..."]) -> pd.DataFrame:
    """The rules side by side: one row per frequency that any rule chooses, columns (rule, "score"
    and "key").

    tensors: rule=tensor for any of the rules of `frequency_scores`. Scores are relative to the
    largest of the rule.
    """
    import pandas as pd

    scores = {rule: frequency_scores(x, rule) for rule, x in tensors.items()}
    columns = {}
    for rule, score in scores.items():
        columns[rule, "score"] = (score / score.max()).tolist()
        columns[rule, "key"] = (score > THRESHOLD[rule] * score.max()).tolist()
    table = pd.DataFrame(columns).rename_axis("frequency")
    return table[table.xs("key", axis=1, level=1).any(axis=1)]


def check_keys(p: int, keys: Iterable[int]) -> list[int]:
    """The keys, as a list. Raises TypeError/ValueError unless they are different frequencies in
    1 .. p // 2.
    """
    try:
        plain = [key.item() if hasattr(key, "item") else key for key in keys]
        listed = [index(key) for key in plain]
    except (RuntimeError, TypeError, ValueError):
        raise TypeError(
            f"keys must be a list of frequencies in 1 .. {p // 2}, got {_brief(keys)}"
        ) from None
    if any(type(key) is bool for key in plain):
        raise TypeError(
            f"keys must be frequencies in 1 .. {p // 2}, got {len(plain)} booleans: pass a mask by "
            "keyword, mask=..."
        )
    if len(set(listed)) != len(listed):
        raise ValueError(f"key frequencies must be different, got {_brief(listed)}")
    wrong = [k for k in listed if not 1 <= k <= p // 2]
    if wrong:
        raise ValueError(f"frequencies mod {p} are 1 .. {p // 2}, got {_brief(wrong)}")
    return listed


def _brief(value: object) -> str:
    """The repr of a value on one line, cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:60]} ..."


def _logits(logits: Tensor) -> Tensor:
    return by_frequency(sum_components(logits).square()).sum(-1).sqrt()


def _logit_similarity(logits: Tensor) -> Tensor:
    constant_and_cosines = [0, *range(1, len(logits), 2)]
    return answer_components(logits)[constant_and_cosines].abs() / logits.norm()


def _neurons(activations: Tensor) -> Tensor:
    share = neuron_variance_by_frequency(activations)
    alive = share[:, ~share[0].isnan()]
    return torch.bincount(alive.argmax(0), minlength=len(share)).to(activations.dtype)


def _read_out(W_L: Tensor) -> Tensor:
    return power(W_L, -1).sum(0).sqrt()


def _embedding(W_E: Tensor) -> Tensor:
    norms = transform(W_E).norm(dim=-1)
    index = component_frequencies(len(norms)).to(norms.device)
    return norms.new_zeros(len(norms) // 2 + 1).scatter_reduce_(0, index, norms, "amax")


_SCORES = {
    "logits": _logits,
    "logit_similarity": _logit_similarity,
    "W_L": _read_out,
    "W_E": _embedding,
    "neurons": _neurons,
}
