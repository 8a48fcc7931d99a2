"""A run that sorts as a row of numbers: Patel et al., section 3.4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils import devices
from interp_utils.analysis import answers, attention, circuits
from interp_utils.devices import Device
from interp_utils.experiments.rules import Row
from interp_utils.measures import ablation, milestones
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

WHOLE, TOKENS, REACHED = (
    "whole-list test accuracy",
    "token test accuracy",
    "90 % of lists from step",
)
COUNTS = {1: "one head", 2: "two heads", 3: "three heads", 4: "four heads"}


def row(run: Run, device: Device = None) -> Row:
    """Accuracies are over the test lists; scores are over number tokens, for one layer's heads
    summed.
    """
    model = CachedModel(run.model(device=device), run.task.test)
    found = facts(run)
    found |= _snapshot(model, run, run.steps[-1]) | _when(run)
    if run.config.model.n_layers > 1:
        return found
    found |= _copying(run) | _attention(model, run)
    return found | _neurons(model) if run.config.model.d_mlp is not None else found


def facts(run: Run) -> Row:
    return {"kind": kind(run), "seed": run.task.seed, "steps": run.step}


def kind(run: Run) -> str:
    """The kind of run, which claims tell apart: heads and MLP, positions, and lists."""
    model, task = run.config.model, run.task
    has = {
        "MLP": model.d_mlp is not None,
        "positions": model.positions,
        "repeats": task.repeats,
        "variable length": task.lengths[0] < task.lengths[1],
    }
    heads = COUNTS.get(model.n_heads, f"{model.n_heads} heads")
    return ", ".join([heads, *(name for name, there in has.items() if there)])


def history(
    run: Run, steps: Sequence[int] | None = None, device: Device = None, progress: bool = True
) -> pd.DataFrame:
    """Accuracies and copying scores at every snapshot: one row each."""
    import pandas as pd

    chosen = run.steps if steps is None else steps
    shown = tqdm(chosen, desc="measuring", unit="snapshot", disable=not progress)
    rows = [
        {
            "step": step,
            **_snapshot(CachedModel(run.model(step, device), run.task.test), run, step),
        }
        for step in shown
    ]
    return pd.DataFrame(rows)


@torch.no_grad()
def _snapshot(model: CachedModel, run: Run, step: int) -> Row:
    """Accuracy on the test lists, and whether heads copy the numbers that they attend to."""
    accuracy = answers.sequence_accuracy(model.logits, model.task.labels)
    found, weights = {WHOLE: accuracy.whole, TOKENS: accuracy.token}, run.weights(step)
    for layer in range(run.config.model.n_layers):
        scores = circuits.copying_score(*_circuit(weights, layer), tokens=_numbers(run))
        found |= {
            f"copying score of head {layer}.{head}": score
            for head, score in enumerate(scores.tolist())
        }
    return found


def _circuit(weights: dict[str, Tensor], layer: int = 0) -> tuple[Tensor, ...]:
    names = ("W_V", "W_O")
    W_V, W_O = (weights[f"blocks.{layer}.attn.{name}"] for name in names)
    return weights["embed.W_E"], W_V, W_O, weights["unembed.W_U"]


def _numbers(run: Run) -> range:
    return range(run.task.n_values)


def _when(run: Run) -> Row:
    """The step from which 90 % of the validation lists are right (one row of the log may dip), and
    the ratio of their loss at the end to that of lists on which the model is about to train.
    """
    logged = run.metrics.set_index("step")["validation_accuracy"]
    smooth = logged.rolling(9, center=True, min_periods=1).median()
    step = milestones.first_sustained(smooth > 0.9)
    ratio = (run.metrics["validation_loss"] / run.metrics["train_loss"]).iloc[-20:].median()
    return {
        REACHED: run.step + 1 if step is None else step,  # the step after the last: not reached
        "validation over training loss": float(ratio),
    }


def _copying(run: Run) -> Row:
    weights = run.weights()
    OV = circuits.ov_circuit(*_circuit(weights), tokens=_numbers(run), sum_heads=True)
    of_all = circuits.ov_circuit(*_circuit(weights), sum_heads=True)
    columns = OV.matrix - OV.matrix.mean()
    return {
        "copying score": circuits.eigenvalue_score(OV),
        "copying score, all tokens": circuits.eigenvalue_score(of_all),
        "OV, share of the columns' means": (
            len(columns) * columns.mean(0).square().sum() / columns.square().sum()
        ).item(),
        "top-1 copy rate": circuits.copy_rate(OV),
        "diagonal z-score": circuits.diagonal_z_score(OV),
    }


@torch.no_grad()
def _attention(model: CachedModel, run: Run) -> Row:
    lists, pattern = model.task, model.activation("pattern", 0)
    received = attention.by_token(pattern, lists.tokens, lists.asked, lists.d_vocab).mean(1)
    equal = received.gather(1, lists.tokens[lists.asked][:, None])
    found = {"attention to equal tokens": equal.mean().item()}
    shortest, longest = run.task.lengths
    if shortest == longest:
        found |= _by_place(pattern, equal.view(len(lists), longest).mean(0), longest)
    else:
        right = ((model.logits.argmax(-1) == lists.labels) | ~lists.asked).all(1)
        long = right[lists.asked.sum(1) > 75]
        found["lists of over 75 items"] = devices.double(long).mean().item()
    if run.config.model.n_heads == 1:
        most = attention.attends_to_answer(pattern, lists.tokens, lists.labels, lists.d_vocab)
        found["answer attended most"] = most.item()
    return found


def _by_place(pattern: Tensor, equal: Tensor, length: int) -> Row:
    """Attention from the sorted half to each place before MID, and to equal tokens, by fifths of
    the list.
    """
    asking, fifth = pattern[:, :, length + 1 : 2 * length + 1], length // 5
    by_place = asking[..., 1 : length + 1].mean((0, 1, 2))
    to_equal = equal[-fifth:].mean() / equal[1 : fifth + 1].mean()
    nearest = by_place[-fifth:].mean() / by_place[:fifth].mean()
    return {
        "attention to equal tokens, last fifth over first": to_equal.item(),
        "attention, nearest fifth over farthest": nearest.item(),
        "attention after MID": asking[..., length + 2 :].sum(-1).mean().item(),
    }


def _neurons(model: CachedModel) -> Row:
    """The share of whole lists that are right with the weakest neurons at their means."""
    size = model.activation("post", 0).square().mean((0, 1)).sqrt()
    weakest, found = (size * model.model.W_out[0].norm(dim=1)).argsort(), {}
    for name, share in (("a quarter", 4), ("half", 2)):
        logits = ablation.without_neurons(model, weakest[: len(weakest) // share], how="mean")
        accuracy = answers.sequence_accuracy(logits, model.task.labels)
        found[f"whole lists, {name} of the neurons fixed"] = accuracy.whole
    return found
