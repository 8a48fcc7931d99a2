"""The subject of the measures in `listed`: a model on its task with its key frequencies, and what
several measures need, computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from interp_utils.analysis import progress
from interp_utils.measures import applies
from interp_utils.measures.applies import DoesNotApply
from interp_utils.models.cached import CachedModel


class Subject:
    """What is measured: a model on its task, and the key frequencies. A part that does not apply to
    the model raises DoesNotApply when a measure asks for it.

    no_keys: why there are no key frequencies, where keys is None.
    """

    def __init__(self, model: CachedModel, keys: Sequence[int] | None, no_keys: str = "") -> None:
        self.model, self._keys, self._no_keys = model, keys, no_keys

    @cached_property
    def sums(self) -> CachedModel:
        """The model in the coordinates whose sum is the label: "p p ..."."""
        return applies.in_sums(self.model)

    def prepare(self) -> None:
        """Runs the model once for all that the measures read, if the model is its own `sums`."""
        with suppress(DoesNotApply):
            if self.sums is self.model:
                self._run_to_the_neurons()

    def _run_to_the_neurons(self) -> None:
        applies.require_mlp(self.sums)
        layer = applies.the_layer(self.sums)
        self.sums.fetch(("pre", layer), ("post", layer))

    @property
    def keys(self) -> Sequence[int]:
        if self._keys is None:
            raise DoesNotApply(self._no_keys or "no key frequencies were given")
        return self._keys

    def neurons(self, name: str) -> Float[Tensor, "p p neuron"]:
        """Activations of the only layer's neurons, "pre" or "post"."""
        self._run_to_the_neurons()
        return self.sums.activation(name, applies.the_layer(self.sums))

    @cached_property
    def neurons_on_keys(self) -> Float[Tensor, "p p neuron"]:
        """The part of the neurons' activations on the key frequencies."""
        return progress.project(self.neurons("post"), self.keys)

    @cached_property
    def logits_of_neurons_on_keys(self) -> Float[Tensor, "p p c"]:
        """What the neurons' part on the keys adds to the logits, where W_L reads the neurons."""
        return self.neurons_on_keys @ applies.W_L(self.sums)

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """Weights whose rows are numbers: embeddings, and W_L where it reads the neurons. Operands
        with different embeddings have two weights, "W_E a" and "W_E b".
        """
        applies.require_embeddings(self.sums)
        a, b = self.sums.W_E
        found = {"W_E": a} if a.equal(b) else {"W_E a": a, "W_E b": b}
        try:
            return found | {"W_L": applies.W_L(self.sums).T}
        except DoesNotApply:
            return found
