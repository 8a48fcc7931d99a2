"""Runs on x^a + y^b with inputs renamed, u = x^a and v = y^b: the label is then u + v, for any
exponents.

The answers z are not renamed, so key frequencies are read off the answers' side, W_L = W_out W_U.
Source of the task and of the claims that these numbers decide: Patel et al., section 3.3.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis import algorithm, fourier, progress, relabelling
from interp_utils.devices import Device
from interp_utils.measures import ablation, milestones
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.tasks import PowerSum, Task, modular_addition

Row = dict[str, Any]


def new_names(task: Task) -> tuple[Int[Tensor, "p"], Int[Tensor, "p"]]:
    """u[x] = x^a mod p and v[y] = y^b mod p; a = b = 1 for modular addition."""
    return task.operation.u, task.operation.v


def describe(task: Task) -> Row:
    """The properties of a task that depend on its exponents. Shares are fractions, and the entropy
    of labels is a fraction of ln p.

    All pairs (x, y) with the same classes (u, v) have the same label. "unseen": the share of test
    pairs whose classes training never shows together.
    """
    u, v = new_names(task)
    share = devices.double(task.labels.bincount(minlength=len(u))) / len(task)
    return {
        "classes of x": len(u.unique()),
        "classes of y": len(v.unique()),
        "labels that occur": int((share > 0).sum()),
        "pairs of label 0": share[0].item(),
        "entropy of labels": torch.special.entr(share).sum().item() / math.log(len(u)),
        "unseen": relabelling.unseen_share(relabelling.pair_names(u, v), task.train_mask),
    }


def in_sums(
    logits: Float[Tensor, "p p p"], task: Task
) -> tuple[Float[Tensor, "p p p"], Int[Tensor, "n"], Bool[Tensor, "n"]]:
    """Logits, labels and training mask on the grid of (u, v), where the labels are u + v, for every
    measure of modular addition.

    Raises ValueError unless both x^a and y^b are bijections.
    """
    u, v = new_names(task)
    if min(len(u.unique()), len(v.unique())) < len(u):
        raise ValueError(
            "every pair must occur once on the grid of (u, v): x^a and y^b must be bijections mod p"
        )
    rows, columns = u.argsort(), v.argsort()
    mask = task.train_mask.view(task.grid)[rows][:, columns].flatten()
    return logits[rows][:, columns], modular_addition(len(u)).labels.to(logits.device), mask


def written(model: CachedModel) -> tuple[Float[Tensor, "p d_model"], Float[Tensor, "p d_model"]]:
    """What x and y each write to the residual stream at "=", before the MLP: the stream's mean over
    the other operand.

    Both operands share one embedding. Where the exponents differ, the embedding holds waves of u
    and of v, and attention keeps these apart.
    """
    mid = model.activation("resid_mid", 0)
    return mid.mean(1), mid.mean(0)


def neuron_shares(model: CachedModel) -> dict[str, Float[Tensor, "neuron"]]:
    """For each neuron that varies, the largest share of its variance in one frequency of (x, y), of
    (u, v), and of shuffled names (u, v).

    For u and v, the variance is that of the means over pairs of classes. Shuffled names show the
    share that any function of the classes has.
    """
    (u, v), post = (
        (names.to(model.device) for names in new_names(model.task)),
        model.activation("post", 0),
    )
    x, means = torch.arange(len(u), device=model.device), relabelling.grid_class_means(post, u, v)
    names_u, names_v = u.unique(), v.unique()
    orders = (
        np.random.RandomState(seed).permutation(len(names))
        for seed, names in enumerate((names_u, names_v))
    )
    shuffled = [
        names[torch.from_numpy(order)]
        for names, order in zip((names_u, names_v), orders, strict=True)
    ]
    return {
        "(x, y)": relabelling.best_frequency_shares(post, x, x, len(u)),
        "(u, v)": relabelling.best_frequency_shares(means, names_u, names_v, len(u)),
        "(u, v) shuffled": relabelling.best_frequency_shares(means, *shuffled, len(u)),
    }


def headline(run: Run, device: Device = None) -> Row:
    """A finished run as a row: when it memorised and generalised, and how it answers, in (x, y) and
    in (u, v).

    Shares are fractions of variance or of power. There are restricted and excluded loss (nats;
    excluded on training pairs) where both exponents give bijections.
    """
    task, model = (
        run.task,
        CachedModel(run.model(device=device), run.task),
    )
    model.fetch("resid_mid", "post")
    wrong = (model.logits.argmax(-1).flatten() != model.task.labels) & model.task.test_mask
    zero = (task.tokens[:, :2] == 0).any(1).to(model.device)
    row = {
        **_parameters(task),
        "steps": run.step,
        **describe(task),
        **milestones.generalisation(run.metrics)._asdict(),
        "test accuracy": 1 - (wrong.sum() / model.task.test_mask.sum()).item(),
        "test errors": int(wrong.sum()),
        "test errors with a 0": int((wrong & zero).sum()),
        "accuracy, neurons additive": progress.accuracy(
            ablation.with_additive_neurons(model), model.task.labels
        ),
        **squared_weights(run),
        **_spectra(model, run),
        **{
            f"neurons, share of one frequency of {names}": best.median().item()
            for names, best in neuron_shares(model).items()
        },
    }
    return (
        row | _as_sums(model, row["key frequencies"])
        if row["classes of x"] == row["classes of y"] == row["p"]
        else row
    )


def squared_weights(run: Run) -> Row:
    """How far the sum of squared weights has fallen from its largest value."""
    weights = run.metrics["sum_squared_weights"]
    return {"sum of squared weights, last over largest": (weights.iloc[-1] / weights.max()).item()}


def of_control(run: Run, device: Device = None) -> Row:
    """Excluded loss (nats, on training pairs) of a run whose labels are not sums, by the key
    frequencies of its own read-out.
    """
    model, mask = CachedModel(run.model(device=device), run.task), run.task.train_mask
    keys, labels = fourier.key_frequencies(model.W_L, "W_L"), run.task.labels
    excluded = progress.excluded_loss(model.logits, labels, keys, mask=mask, any_labels=True)
    return {"excluded loss": excluded}


def _parameters(task: Task) -> Row:
    a, b = task.exponents if isinstance(task, PowerSum) else (1, 1)
    return {"p": task.p, "a": a, "b": b}


def _spectra(model: CachedModel, run: Run) -> Row:
    """The spectrum of the embedding in x, and the share of what the operands write, in u and v, on
    the key frequencies of the answers.
    """
    (u, v), p, W = new_names(run.task), run.task.p, run.weights()
    W_E, W_L = W["embed.W_E"][:p], W["blocks.0.mlp.W_out"] @ W["unembed.W_U"]
    in_x, in_z, keys = (
        fourier.frequency_shares(W_E),
        fourier.frequency_shares(W_L, -1),
        fourier.key_frequencies(W_L, "W_L"),
    )
    power = fourier.transform(W_E - W_E.mean(0)).square().sum(1)
    sines = [row for row, name in enumerate(fourier.component_names(p)) if name.startswith("sin")]
    on_keys = {
        f"written by {name}, share on key frequencies": relabelling.share_on(
            relabelling.class_means(part.cpu(), names), names.unique(), p, keys
        )
        for name, part, names in zip("xy", written(model), (u, v), strict=True)
    }
    return {
        "key frequencies": keys,
        "W_L, share of the five largest": in_z.topk(5).values.sum().item(),
        "W_E in x, share of the five largest": in_x.topk(5).values.sum().item(),
        "W_E in x, effective share of frequencies": (1 / in_x.square().sum() / (p // 2)).item(),
        "W_E in x, share of sines": (power[sines].sum() / power.sum()).item(),
        **on_keys,
    }


def _as_sums(model: CachedModel, keys: list[int]) -> Row:
    """Notebook 04's measures on the grid of (u, v)."""
    logits, labels, mask = in_sums(model.logits, model.task)
    return {
        "logit variance explained": algorithm.cosine_fit(logits, keys).variance_explained,
        "full loss": progress.mean_loss(logits, labels),
        "restricted loss": progress.restricted_loss(logits, labels, keys),
        "excluded loss": progress.excluded_loss(logits, labels, keys, mask=mask),
    }
