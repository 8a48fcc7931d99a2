"""What a training starts from if not from initial weights of its own: given weights, or a step of
another run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interp_utils import models
from interp_utils.configs import FamilyConfig, RunConfig
from interp_utils.runs.manifest import MANIFEST
from interp_utils.runs.origin import Origin, digest
from interp_utils.runs.run import Run
from interp_utils.runs.storage import describe
from interp_utils.training.filters import State, is_filters
from interp_utils.training.member import HIGHEST, SECONDS


@dataclass(frozen=True, eq=False)
class Start:
    """origin: what the manifest says about the start.
    state: "weights", and the groups of optimiser and filter with which the training continues.
    """

    origin: Origin
    state: State


def from_weights(config: FamilyConfig, weights: Mapping[str, Any]) -> Start:
    """A start at step 0 from weights as for `models.from_weights`, in float32.
    Weights that the configuration does not train may be missing: they then have their initial
    values, mostly zero.

    Raises ValueError for weights of another model, or other values of a weight that is not trained.
    """
    shapes, initial = models.weight_shapes(config), models.initial_weights(config)
    fixed = {name: initial[name] for name in shapes.keys() - set(models.trainable(config))}
    given = models.canonical_weights(config, weights)
    plain = {name: weight.detach().float() for name, weight in given.items()}
    models.say_cast(given, plain, "the precision in which they are trained")
    given = fixed | plain
    models.check_weights(given, shapes)
    for name, value in fixed.items():
        if not given[name].cpu().equal(value):
            raise ValueError(
                f"{name} does not have its initial values, and this {type(config).__name__} does "
                "not train it: leave it out, or use a configuration that trains it"
            )
    return Start(Origin(0, digest(given)), {"weights": given})


def from_run(run: Run, step: int, config: RunConfig) -> Start:
    """A start from a step of another run: a snapshot, or its last save.

    The optimiser's moments are those of that step if the run has kept them and config has the same
    optimiser; the same holds for the mean of a gradient filter. Raises ValueError for a step that
    the run has neither as a snapshot nor as its last save.
    """
    has_state = run.step == step and run.has_state
    state = run.state() if has_state else {"weights": run.weights(step)}
    for group in (HIGHEST, SECONDS):  # these belong to the other run
        state.pop(group, None)
    before, after = run.config.train, config.train
    moments = has_state and after.optimiser == before.optimiser
    filter_fields = ("grokfast", "grokfast_window")
    filtered = has_state and all(
        getattr(after, field) == getattr(before, field) for field in filter_fields
    )
    optimiser_since, filter_since = counted_since(run.origin)
    origin = Origin(
        step=step,
        weights=digest(state["weights"]),
        run=run.path.resolve().name,
        manifest=describe((run.path / MANIFEST).read_bytes())["sha256"],
        moments=moments,
        optimiser_since=optimiser_since if moments else step,
        filter_since=filter_since if filtered else step,
    )
    kept = {
        group: tensors
        for group, tensors in state.items()
        if group == "weights" or (filtered if is_filters(group) else moments)
    }
    return Start(origin, kept)


def counted_since(origin: Origin | None) -> tuple[int, int]:
    """The steps from which a training's optimiser and its gradient filter count."""
    return (0, 0) if origin is None else (origin.optimiser_since, origin.filter_since)
