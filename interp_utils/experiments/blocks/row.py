"""A training as a row of numbers: its parameters, its circuit, where it multiplies, its gains."""

from __future__ import annotations

import math

import torch

from interp_utils import devices, models
from interp_utils.analysis import algorithm, fourier, neurons, progress
from interp_utils.devices import Device
from interp_utils.experiments import studies
from interp_utils.experiments.blocks.mixing import course, gains
from interp_utils.experiments.blocks.products import products
from interp_utils.experiments.primes import row as primes
from interp_utils.experiments.rules import Row
from interp_utils.measures import applies
from interp_utils.models.blocks import BlocksConfig
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.tasks import Primality

CIRCUIT = (
    "key frequencies",
    "number of key frequencies",
    "logit variance explained",
    "full loss",
    "restricted loss",
    "excluded loss",
)
OF_PRIMES = ("test AUC", "balanced test accuracy", "AUC of the best sieve")


def parameters(run: Run) -> int:
    """How many numbers are trained."""
    shapes = models.weight_shapes(run.config.model)
    return sum(math.prod(shapes[name]) for name in models.trainable(run.config.model))


@torch.no_grad()
def circuit(model: CachedModel) -> Row:
    """The key frequencies of the logits and what they explain, as for the plain block: losses in
    nats, restricted and full over all pairs, excluded over training pairs. None without keys.
    """
    logits, task = model.logits, model.task
    try:
        keys = fourier.key_frequencies(logits)
    except ValueError:
        return dict.fromkeys(CIRCUIT)
    return {
        "key frequencies": keys,
        "number of key frequencies": len(keys),
        "logit variance explained": algorithm.cosine_fit(logits, keys).variance_explained,
        "full loss": progress.mean_loss(logits, task.labels),
        "restricted loss": progress.restricted_loss(logits, task.labels, keys),
        "excluded loss": progress.excluded_loss(logits, task.labels, keys, mask=task.train_mask),
    }


def look(run: Run, device: Device = None) -> Row:
    """What is measured of a training of the study, beside when it did what."""
    found: Row = {"parameters": parameters(run)}
    if isinstance(run.task, Primality):
        of_primes = primes.row(run, device)
        return found | {name: of_primes[name] for name in OF_PRIMES}
    model = CachedModel(run.model(device=device), run.task)
    config = run.config.model
    shaped = isinstance(config, BlocksConfig) and config.n_layers == 1
    found |= circuit(model) | clustered(model) | products(model)
    if not shaped:
        return found
    at_the_end = {name: gain.tolist() for name, gain in gains(model).items()}
    return found | {"gains": at_the_end, "course": course(run)}


def clustered(model: CachedModel) -> Row:
    """The share of neurons with one frequency, in the one layer of a model whose neurons read what
    its attention wrote.
    """
    cfg = model.model.cfg
    parallel = getattr(cfg, "parallel_attn_mlp", False)
    if cfg.n_layers > 1 or parallel or not applies.has_mlp(model):
        return {}
    found = neurons.frequency_clusters(model.activation("post", 0)).clustered
    return {"neurons clustered": devices.double(found).mean().item()}


def row(run: Run, device: Device = None) -> Row:
    """A run that ships as a row of the study, without what is measured of every snapshot."""
    found = {"steps": run.step, **studies.outcome(studies.records(run)), **look(run, device)}
    return {name: value for name, value in found.items() if name != "course"}
