"""A run on many remainders at once as a row of numbers: what was learned when, and how it is
represented.

The row also works for one answer per input, such as modular addition, the paper's comparison.
Source of the task and of the claims that these numbers decide: Syrkis and Søgaard 2024.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils import devices, models
from interp_utils.analysis import answers, fourier, periods, spectra
from interp_utils.devices import Device
from interp_utils.measures import milestones
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.tasks import Task

Row = dict[str, Any]
PUBLISHED_DIMENSIONS = 37  # the dimensions, of 256, that the paper draws
# A cluster has at least so many neurons, each with at least this share of its variance in a wave of
# the cluster's period.
CLUSTER_SHARE, CLUSTER_SIZE = 0.3, 3


def trained(task: Task) -> list[int]:
    """Indices of the answers that the loss trains: all except those that T_masked leaves out."""
    return [answer for answer, weight in enumerate(task.answer_weights) if weight > 0]


def clusters(waves: periods.Waves, moduli: tuple[int, ...]) -> dict[int, Int[Tensor, "k"]]:
    """The neurons whose best wave has period q, for each q that has enough of them."""
    found = {
        q: ((waves.period == q) & (waves.share >= CLUSTER_SHARE)).nonzero().flatten()
        for q in moduli
    }
    return {q: neurons for q, neurons in found.items() if len(neurons) >= CLUSTER_SIZE}


@torch.no_grad()
def ablate(
    model: CachedModel, groups: Iterable[Int[Tensor, "k"]], *, progress: bool = True
) -> Float[Tensor, "group answer"]:
    """Test accuracy of each answer with a group of neurons fixed at their means over all inputs,
    group by group.

    Logits are linear in the neurons: the change by a group is added to the logits on test inputs,
    without a pass of the model. Raises ValueError for a model that reads its neurons otherwise
    (`CachedModel.W_L`).
    """
    task, post, W_L = model.task, model.activation("post", 0).flatten(0, 1), model.W_L
    test, change = task.test_mask, post.mean(0) - post
    logits, change = model.logits.flatten(0, 1)[test], change[test]
    fixed = [partial(_with_change, logits, change[:, group], W_L[group]) for group in groups]
    return answers.ablation_matrix(fixed, task.labels[test], task.n_classes, progress=progress)


@torch.no_grad()
def with_embeddings(
    run: Run, embeddings: Iterable[Float[Tensor, "digit d_model"]], *, progress: bool = True
) -> Float[Tensor, "component answer"]:
    """Test accuracy of each answer with other embeddings of the digits, one after another. Logits
    are those of `ablation.with_digits`, on test inputs and at the answer's position alone.
    """
    task, weights = run.task, run.weights()
    test, digits = task.test_mask, task.operands[0].tokens
    forward = models.logits_fn(run.config.model, task.tokens[test], answer_pos=task.answer_pos)

    def replaced(rows: Float[Tensor, "digit d_model"]) -> Float[Tensor, "n c"]:
        W_E = weights["embed.W_E"].index_copy(0, digits, rows)
        return forward(weights | {"embed.W_E": W_E})

    each = [partial(replaced, rows) for rows in embeddings]
    return answers.ablation_matrix(each, task.labels[test], task.n_classes, progress=progress)


def _with_change(
    logits: Float[Tensor, "n c"], change: Float[Tensor, "n k"], W_L: Float[Tensor, "k c"]
) -> Float[Tensor, "n c"]:
    return logits + change @ W_L


def headline(run: Run, device: Device = None) -> Row:
    """A finished run as a row. Accuracies are over test inputs and the answers that the loss
    trains; shares are of power or of variance.
    """
    model = CachedModel(run.model(device=device), run.task)
    row = {"p": run.task.p, "steps": run.step, **snapshot(model)}
    return row | _order(run) | _circuits(model) if run.task.labels.ndim == 2 else row


def snapshot(model: CachedModel) -> Row:
    """The part of `headline` that every snapshot has."""
    row = _embeddings(model) | _attention(model)
    if model.task.labels.ndim == 1:
        return row
    return row | _answers(model.logits.flatten(0, 1), model.task)


@torch.no_grad()
def learned(run: Run, device: Device = None) -> Row:
    """The part of `headline` that is about answers: how many are right, and since when. Raises
    ValueError for a run with one answer.
    """
    order, task = _order(run), run.task.to(devices.resolve(device))
    forward = models.logits_fn(run.config.model, task.tokens, answer_pos=task.answer_pos)
    weights = {name: weight.to(task.tokens.device) for name, weight in run.weights().items()}
    return {"steps": run.step, **_answers(forward(weights), task), **order}


@torch.no_grad()
def _embeddings(model: CachedModel) -> Row:
    digits = model.task.grid[0]
    W_E, W_pos = model.model.W_E[:digits], model.model.W_pos[:2]
    first = spectra.compare(*W_pos[:, :PUBLISHED_DIMENSIONS])
    whole = spectra.compare(*W_pos)
    values, variances = (
        spectra.singular_values(W_E).values,
        spectra.singular_values(W_E, centre=True).values.square(),
    )
    shares = fourier.frequency_shares(W_E)
    return {
        "positions, Pearson": whole.pearson,
        f"positions, Pearson of {PUBLISHED_DIMENSIONS} dimensions": first.pearson,
        "positions, half sum over half difference": whole.half_sum / whole.half_difference,
        "singular values to 90 % of their sum": spectra.count_for(values, 0.9).item(),
        "singular values to 90 % of variance": spectra.count_for(variances, 0.9).item(),
        "singular values, effective share": spectra.participation_ratio(variances).item()
        / len(variances),
        "frequencies, effective share": spectra.participation_ratio(shares).item() / (digits // 2),
    }


def _attention(model: CachedModel) -> Row:
    """The larger part of a head's attention to the two digits, for the most and the least one-sided
    head.
    """
    to_digits = devices.double(model.activation("pattern", 0)[..., :2]).mean((0, 1))
    one_sided = to_digits.max(1).values / to_digits.sum(1)
    return {
        "attention to one digit, most": one_sided.max().item(),
        "attention to one digit, least": one_sided.min().item(),
    }


def _answers(logits: Float[Tensor, "n c"], task: Task) -> Row:
    right = answers.predictions(logits, list(task.n_classes)) == task.labels
    right = right[:, trained(task)]
    on_test, on_train = right[task.test_mask], right[task.train_mask]
    by_answer = devices.double(on_test).mean(0)
    return {
        "train accuracy": devices.double(on_train).mean().item(),
        "test accuracy": by_answer.mean().item(),
        "lowest test accuracy": by_answer.min().item(),
        "n recovered": devices.double(on_test.all(1)).mean().item(),
        "n recovered, if answers failed independently": by_answer.prod().item(),
    }


def _order(run: Run) -> Row:
    """For each answer, the step from which 99 % of the test inputs stay right."""
    reached = (
        milestones.steps_by_answer(run.metrics)
        .iloc[trained(run.task)]
        .dropna()
        .sort_values(kind="stable")
    )
    return {
        "answers": len(trained(run.task)),
        "answers at 99 %": len(reached),
        "steps to 99 %": {str(q): int(step) for q, step in reached.items()},
    }


@torch.no_grad()
def _circuits(model: CachedModel) -> Row:
    """The accuracy that their own answer, and other answers, lose when the neurons of a period are
    fixed at their means.
    """
    task, moduli = model.task, model.task.n_classes
    waves = periods.best_waves(model.activation("post", 0), task.places, moduli)
    found = clusters(waves, moduli)
    row = {
        "neurons, share of their best wave": waves.share[waves.period > 0].median().item(),
        "clusters": len(found),
    }
    if not found:
        return row
    full = answers.accuracies(model.logits, task.labels, moduli, mask=task.test_mask)
    cost = full - ablate(model, found.values(), progress=False)
    own = torch.zeros_like(cost, dtype=torch.bool)
    own[range(len(found)), [moduli.index(q) for q in found]] = True
    return row | {
        "cluster's cost to its own answer": cost[own].mean().item(),
        "cluster's cost to other answers": cost[~own].mean().item(),
    }
