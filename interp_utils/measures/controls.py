"""Models to which a trained model is compared."""

from __future__ import annotations

from interp_utils import models
from interp_utils.devices import Device
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run


def untrained(run: Run, device: Device = None) -> tuple[str, CachedModel]:
    """A name and the run's model before training: "at initialisation" or, where the run kept no
    snapshot of step 0, "untrained (fresh weights)", drawn as the run's configuration says.
    """
    if 0 in run.steps:
        return "at initialisation", run.cached(0, device)
    fresh = models.build(run.config.model, models.initial_weights(run.config.model), device)
    return "untrained (fresh weights)", CachedModel(fresh, run.task)
