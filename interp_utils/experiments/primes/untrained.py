"""Numbers that are tokens of their own: what a model says of those that training never showed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils import models
from interp_utils.analysis import answers, sieves
from interp_utils.devices import Device
from interp_utils.experiments.rules import Row
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.tasks import Primality

ORDERS = 1000


def untrained_tokens(task: Primality) -> Int[Tensor, "token"]:
    """The tokens of test inputs that stand in no training input, in ascending order."""
    trained, tested = task.tokens[task.train_mask], task.tokens[task.test_mask]
    return tested[~torch.isin(tested, trained)].unique()


def with_rows_permuted(
    run: Run, tokens: Int[Tensor, "token"], order: Int[Tensor, "token"], device: Device = None
) -> Float[Tensor, "n c"]:
    """The logits of all inputs with token i's row of W_E replaced by that of tokens[order[i]]."""
    weights = {name: weight.clone() for name, weight in run.weights().items()}
    weights["embed.W_E"][tokens] = weights["embed.W_E"][tokens[order]]
    return CachedModel(models.build(run.config.model, weights, device), run.task).logits.cpu()


class Permuted(NamedTuple):
    """follows: the share of test inputs that get the logits of the input whose row they got.
    distribution: how far the sorted margins of test inputs are from what they were, at most.
    trained:      accuracy on training inputs once their own rows are permuted.
    """

    follows: float
    distribution: float
    trained: float


def permuted(run: Run, seed: int = 0, device: Device = None) -> Permuted:
    """What permuting the rows of the tokens that no training input has does to a model of tokens of
    their own, and what permuting the others does.

    Raises ValueError where not every test input is such a token, or inputs have several tokens.
    """
    task, random = run.task, np.random.RandomState(seed)
    tokens = untrained_tokens(task)
    if task.n_ctx != 1 or len(tokens) != int(task.test_mask.sum()):
        raise ValueError(
            f"every test input of {task.name} must be one token that no training input has: "
            "primality(n, base=None)"
        )
    order = torch.from_numpy(random.permutation(len(tokens)))
    before = CachedModel(run.model(device=device), task).logits.cpu()
    after = with_rows_permuted(run, tokens, order, device)
    own, moved = before[task.test_mask], after[task.test_mask]
    close = torch.isclose(moved, own[order], rtol=1e-4, atol=1e-4).all(1)
    margins = [(logits[:, 1] - logits[:, 0]).sort().values for logits in (own, moved)]
    trained = task.tokens[task.train_mask, 0]
    shuffled = torch.from_numpy(random.permutation(len(trained)))
    mixed = with_rows_permuted(run, trained, shuffled, device)
    return Permuted(
        follows=close.double().mean().item(),
        distribution=(margins[0] - margins[1]).abs().max().item(),
        trained=answers.accuracy(mixed, task.labels, mask=task.train_mask),
    )


def row(run: Run, device: Device = None) -> Row:
    """`permuted`; how far the untrained rows of W_E are from their initial values times one factor,
    which weight decay gives them, over the largest initial value; where the test AUC stands among
    those of random orders of the test numbers, from 0 to 1; and the last logged test loss over the
    lowest.
    """
    tokens, found = untrained_tokens(run.task), permuted(run, device=device)
    initial = models.initial_weights(run.config.model)["embed.W_E"][tokens]
    rows = run.weights()["embed.W_E"][tokens]
    factor = (rows * initial).sum() / initial.square().sum()
    learned = (rows - factor * initial).abs().max() / initial.abs().max()
    test = run.task.test_mask
    logits = CachedModel(run.model(device=device), run.task).logits.cpu()[test]
    margins, prime = logits[:, 1] - logits[:, 0], run.task.labels[test] == 1
    losses = run.metrics["test_loss"]
    random = np.random.RandomState(0)
    orders = (torch.from_numpy(random.permutation(len(prime))) for _ in range(ORDERS))
    own = sieves.auc(margins, prime)
    lower = sum(sieves.auc(margins, prime[order]) < own for order in orders)
    return {
        "learned in untrained rows": learned.item(),
        "answers that follow their rows": found.follows,
        "distribution changed": found.distribution,
        "train accuracy with its rows permuted": found.trained,
        "AUC's place among random orders": lower / ORDERS,
        "last test loss over the lowest": (losses.iloc[-1] / losses.min()).item(),
    }
