"""The published ablations by name, for tables, claims and tests that go over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils.analysis import neurons, progress, sinusoids
from interp_utils.measures import applies
from interp_utils.measures.ablation.attention import (
    head_frequencies,
    linear_attention,
    sine_attention,
    with_attention_to_a,
    without_attention_to,
    without_heads,
)
from interp_utils.measures.ablation.logits import with_logits_on
from interp_utils.measures.ablation.neurons import (
    on_directions,
    with_polynomial_neurons,
    with_sum_neurons,
)
from interp_utils.measures.ablation.parts import Logits
from interp_utils.measures.ablation.stream import without_attention_skip, without_mlp_skip
from interp_utils.measures.applies import DoesNotApply

if TYPE_CHECKING:
    import pandas as pd

    from interp_utils.models.cached import CachedModel


class Ablation(NamedTuple):
    """A published ablation: a function from a model on the grid of sums and its key frequencies to
    logits, and its source.
    """

    logits: Callable[[CachedModel, Sequence[int]], Logits]
    source: str


def _without_equals(model: CachedModel, keys: Sequence[int]) -> Logits:
    answer = model.task.answer_pos % model.task.n_ctx
    if answer in [operand.position for operand in model.task.operands]:
        raise DoesNotApply('the answer is read where an operand stands: there is no "="')
    return without_attention_to(model)


def _linear(model: CachedModel, keys: Sequence[int]) -> Logits:
    return with_attention_to_a(model, linear_attention(model))


def _sine(model: CachedModel, keys: Sequence[int]) -> Logits:
    frequencies = head_frequencies(model)
    if 0 in frequencies:
        raise DoesNotApply(f"the attention of head {frequencies.index(0)} to a does not vary")
    return with_attention_to_a(model, sine_attention(model, frequencies))


def _polynomial(model: CachedModel, keys: Sequence[int]) -> Logits:
    applies.require_mlp(model)
    clusters = neurons.frequency_clusters(model.activation("post", applies.the_layer(model)))
    return with_polynomial_neurons(model, clusters)


def _on_directions(model: CachedModel, keys: Sequence[int]) -> Logits:
    return on_directions(model, key_directions(model, keys))


def _on_directions_and_mean(model: CachedModel, keys: Sequence[int]) -> Logits:
    return on_directions(model, key_directions(model, keys), keep_mean=True)


def _off_directions(model: CachedModel, keys: Sequence[int]) -> Logits:
    return on_directions(model, key_directions(model, keys), off=True)


def _cosines(model: CachedModel, keys: Sequence[int]) -> Logits:
    return progress.project(model.logits, keys, variant="sum_3d")


ABLATIONS: dict[str, Ablation] = {
    "no attention to =": Ablation(_without_equals, "appendix A.1"),
    "heads zero": Ablation(lambda model, keys: without_heads(model), "appendix A.1"),
    "attention linear": Ablation(_linear, "appendix"),
    "attention sine": Ablation(_sine, "no source: the sine by itself"),
    "MLP skip zero": Ablation(lambda model, keys: without_mlp_skip(model), "appendix A.1"),
    "MLP skip mean": Ablation(lambda model, keys: without_mlp_skip(model, "mean"), "appendix A.1"),
    "attention skip zero": Ablation(
        lambda model, keys: without_attention_skip(model), "appendix A.1"
    ),
    "neurons polynomial": Ablation(_polynomial, "section 4.4"),
    "neurons sums": Ablation(with_sum_neurons, "section 4.4"),
    "neurons on directions": Ablation(_on_directions, "section 4.4"),
    "neurons on directions, mean kept": Ablation(_on_directions_and_mean, "section 4.4"),
    "neurons off directions": Ablation(_off_directions, "section 4.4"),
    "logits as cosines": Ablation(_cosines, "section 4.4"),
    "logits on key components": Ablation(
        lambda model, keys: with_logits_on(model, keys, variant="block3x3"), "section 4.4"
    ),
}


def key_directions(model: CachedModel, keys: Sequence[int]) -> Float[Tensor, "k neuron"]:
    """The directions u_k and v_k of W_L, along which the neurons' cosines and sines of the key
    frequencies are read. Raises DoesNotApply where W_L does not read them (`CachedModel.W_L`).
    """
    read_out = sinusoids.read_out_directions(applies.W_L(model), keys)
    return torch.cat([read_out.u, read_out.v])


def table(
    model: CachedModel, keys: Sequence[int], names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Loss (nats) and accuracy over all pairs after each published ablation, by name. The first
    row, "nothing", is the model as it is; `ratio` is the loss divided by the loss in that row.

    names: some of ABLATIONS; None means all that apply to the model. An ablation that is asked for
    by name and does not apply raises DoesNotApply, which says why.
    """
    import pandas as pd

    model = applies.in_sums(model)
    unknown = [name for name in names or () if name not in ABLATIONS]
    if unknown:
        raise ValueError(f"ablations are {', '.join(ABLATIONS)}; got {unknown}")
    rows = {"nothing": _row(model, model.logits)}
    for name in ABLATIONS if names is None else names:
        try:
            rows[name] = _row(model, ABLATIONS[name].logits(model, keys))
        except DoesNotApply as error:
            if names is not None:
                raise DoesNotApply(f"{name} means nothing here: {error}") from None
    found = pd.DataFrame(rows).T.rename_axis("ablation")
    return found.assign(ratio=found["loss"] / found["loss"]["nothing"])


def _row(model: CachedModel, logits: Logits) -> dict[str, float]:
    labels = model.task.labels
    return {
        "loss": progress.mean_loss(logits, labels),
        "accuracy": progress.accuracy(logits, labels),
    }
