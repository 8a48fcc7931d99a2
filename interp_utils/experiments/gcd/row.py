"""A run on greatest common divisors as a row of numbers."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis import answers, decoding, divisors
from interp_utils.devices import Device
from interp_utils.experiments.rules import Row
from interp_utils.runs.run import Run
from interp_utils.tasks import Sequences


def row(run: Run, step: int | None = None, device: Device = None) -> Row:
    """The three rules on the stratified test set, and accuracies on the natural one, at a snapshot,
    by default the last.

    The accuracy of whole answers is one number, free-running or teacher-forced: they are all right
    in the one just where they are in the other. The share of right tokens is teacher-forced, as the
    report's is.
    """
    task = run.task
    rules = divisors.check(
        answered(run, task.stratified, step, device),
        task.gcds(task.stratified),
        task.spelling.base,
        task.params["n_gcds"],
    )
    natural = answered(run, task.test, step, device)
    shown = _logits(run, task.test.tokens, step, device)
    forced = answers.sequence_accuracy(shown, task.test.labels)
    return {
        "accuracy": devices.double(natural == task.gcds(task.test)).mean().item(),
        "token accuracy, teacher-forced": forced.token,
        "learned": rules.learned,
        "bound": divisors.bound(rules.learned),
        "one answer": rules.one_answer,
        "missing": rules.missing,
        "unexpected": rules.unexpected,
        "outside the base": rules.outside,
        "largest divisor": rules.largest,
    }


def staircase(run: Run, device: Device = None) -> dict[int, list[int]]:
    """The gcds learned, by the snapshot's step."""
    return {step: row(run, step, device)["learned"] for step in run.steps}


def answered(
    run: Run, sequences: Sequences, step: int | None = None, device: Device = None
) -> Int[Tensor, "n"]:
    """The number that the model answers to each input, reading its own digits; -1 for none."""
    model = run.model(step, device=device)
    tokens = sequences.tokens.to(next(model.parameters()).device)
    with torch.no_grad():
        written = decoding.free_running(model, tokens, sequences.asked)
    return run.task.spelling.numbers(written.cpu())


def _logits(run: Run, tokens: Tensor, step: int | None, device: Device) -> Tensor:
    model = run.model(step, device=device)
    with torch.no_grad():
        return model(tokens.to(next(model.parameters()).device)).cpu()
