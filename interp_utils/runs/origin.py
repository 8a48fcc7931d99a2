"""The start of a training that did not start from initial weights of its own."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from interp_utils.configs import UnknownSetting
from interp_utils.runs import storage

DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Origin:
    """The entry "origin" of a manifest; a training from initial weights has none.

    step:     the step at which the training starts: 0 for given weights, the source's for a fork.
    weights:  sha256 of the weights at that step (`digest`).
    run:      the name of the source's folder; None for given weights.
    manifest: sha256 of the source's run.json as it was then; None for given weights.
    moments:  whether the training continues with the source's optimiser moments at that step.
    optimiser_since: the step from which the optimiser counts its updates. Before this step there
              were no moments; the warm-up and the correction of the bias begin there.
    filter_since: the same for the gradient filter.
    imported: whether all steps were trained elsewhere, under settings that are not known.
    """

    step: int
    weights: str
    run: str | None = None
    manifest: str | None = None
    moments: bool = False
    optimiser_since: int = 0
    filter_since: int = 0
    imported: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for entries that no origin has: they may come from a file."""
        counts = (self.step, self.optimiser_since, self.filter_since)
        if any(type(count) is not int for count in counts):
            raise ValueError("the origin has no steps")
        if type(self.moments) is not bool or type(self.imported) is not bool:
            raise ValueError("the origin does not say whether there were moments, or an import")
        if not 0 <= max(self.optimiser_since, self.filter_since) <= self.step or min(counts) < 0:
            raise ValueError(f"the origin counts updates that are not before step {self.step}")
        for name, required in (("weights", True), ("manifest", False)):
            value = getattr(self, name)
            if value is None and not required:
                continue
            if type(value) is not str or not DIGEST.fullmatch(value):
                raise ValueError(f"the origin's entry {name!r} is not a sha256")
        if self.run is not None and type(self.run) is not str:
            raise ValueError("the origin's run has no name")

    def __str__(self) -> str:
        if self.imported:
            return f"elsewhere (step {self.step} has weights with sha256 {self.weights[:12]}...)"
        if self.run is None:
            return f"given weights (sha256 {self.weights[:12]}...)"
        return f"step {self.step} of {self.run} (weights with sha256 {self.weights[:12]}...)"

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Origin:
        """Raises UnknownSetting for unknown or missing fields."""
        names = {field.name for field in dataclasses.fields(cls)}
        if {"imported", *values} != names:  # "imported" was added in a later version
            raise UnknownSetting(
                f"the origin has the fields {sorted(values)}, expected {sorted(names)}"
            )
        return cls(**values)


def digest(weights: Mapping[str, Tensor]) -> str:
    """sha256 of weights in float32, independent of their order and device."""
    plain = {name: weights[name].float() for name in sorted(weights)}
    return storage.describe(storage.tensors_to_bytes(plain))["sha256"]


def require_same(path: Any, there: Origin | None, here: Origin | None) -> None:
    """Raises ValueError unless both start from the same weights at the same step."""
    if there is None and here is None:
        return
    if there and here and (there.step, there.weights) == (here.step, here.weights):
        return
    if here is None:
        raise ValueError(
            f"{path} holds a run that starts from {there}; continue it with "
            "interp_utils.training.resume, or choose another folder"
        )
    raise ValueError(
        f"{path} holds another run, which starts from {there or 'its own initial weights'}, not "
        f"from {here}; choose another folder"
    )
