"""A training that starts from another one's weights, as a recipe."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from interp_utils import models
from interp_utils.experiments.base import Recipe
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.training import fork, train


@dataclass(frozen=True)
class Rescaled:
    """The weights of a run at a step, times `scale`.

    keep_logits: W_U is then scaled so that the logits of all pairs keep their standard deviation:
                 the temperature of the softmax does not change.
    """

    scale: float
    keep_logits: bool = False

    def __call__(self, run: Run, step: int) -> dict[str, Tensor]:
        weights = {name: self.scale * weight for name, weight in run.weights(step).items()}
        if self.keep_logits:
            now = CachedModel(models.build(run.config.model, weights, "cpu"), run.task).logits
            before = CachedModel(run.model(step, "cpu"), run.task).logits
            weights["unembed.W_U"] = weights["unembed.W_U"] * (before.std() / now.std())
        return weights


@dataclass(frozen=True, eq=False)
class Fork(Recipe):
    """The training of these settings from the weights of `source` at `step`.

    source: a recipe that is trained first, in a neighbouring folder where other forks find the run,
            unless `run` names the folder.
    run:    the folder of a shipped run of that recipe.
    start:  a function that changes the weights. Steps are then counted from there, and moments are
            zero; without `start` the training is that of `fork`.
    """

    source: Recipe | None = None
    step: int = 0
    run: Path | None = None
    start: Rescaled | None = None

    @property
    def digest(self) -> str:
        parts = super().digest, self.source.digest, self.step, self.start
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def seeded(self, seed: int) -> Recipe:
        """The same fork of its source's training with another seed. Raises ValueError for a fork of
        a shipped run, which has one seed.
        """
        if self.run is not None:
            raise ValueError(f"this training starts from the run {self.run}, which has one seed")
        return dataclasses.replace(super().seeded(seed), source=self.source.seeded(seed))

    def trained(self, out: Path, **options: Any) -> Run:
        if self.run is not None:
            return self._from(Run.load(self.run), out, options)
        where = out.with_name(f"source-{self.source.digest}")
        return self._from(self.source.trained(where, progress=False), out, options)

    def _from(self, run: Run, out: Path, options: dict[str, Any]) -> Run:
        if self.start is not None:
            return train(*self, out=out, weights=self.start(run, self.step), **options)
        fields = dataclasses.fields(self.train)
        changes = {field.name: getattr(self.train, field.name) for field in fields}
        return fork(run, self.step, out=out, task=self.task, **changes, **options)
