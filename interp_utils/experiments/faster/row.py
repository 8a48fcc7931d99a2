"""A training that was to be fast as a row of numbers: when it did what, and by which circuit."""

from __future__ import annotations

from interp_utils.devices import Device
from interp_utils.experiments import studies
from interp_utils.experiments.rules import Row
from interp_utils.measures import trajectories
from interp_utils.runs.run import Run

CIRCUIT = (
    "key frequencies",
    "number of key frequencies",
    "neurons clustered",
    "logit variance explained",
    "full loss",
    "restricted loss",
    "excluded loss",
)


def look(run: Run, device: Device = None) -> Row:
    """Which circuit the last snapshot has, as `trajectories.headline` has it."""
    found = trajectories.headline(run, device)
    return {name: found[name] for name in CIRCUIT}


def row(run: Run, device: Device = None) -> Row:
    """A run that ships as a row of the study: one at the published settings."""
    config = run.config.train
    settings = {"lr": config.lr, "weight_decay": config.weight_decay, "p": run.task.p}
    log = studies.records(run)
    return {"steps": run.step, **settings, **studies.outcome(log), **look(run, device)}
