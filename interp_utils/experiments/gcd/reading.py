"""What a run answers, as it is or with other embeddings in its digits' place."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis import decoding
from interp_utils.devices import Device
from interp_utils.models import SequenceLogitsFn, Weights, sequence_logits_fn
from interp_utils.runs.run import Run
from interp_utils.tasks import Sequences

Digits = Mapping[int, Float[Tensor, "digit d_model"]]  # embeddings by place, 0 the last digit


@torch.no_grad()
def answered(
    run: Run,
    sequences: Sequences,
    step: int | None = None,
    device: Device = None,
    digits: Digits | None = None,
) -> Int[Tensor, "n"]:
    """The number that the model answers to each input, reading its own digits; -1 for none.

    digits: what is read at some places of both operands in place of the rows of W_E. Raises
    ValueError, with digits, where places have no positions of their own, or the model is none for
    the table forward.
    """
    weights, forward = _model(run, step, device, "table" if digits else "auto")
    tokens = sequences.tokens.clone()
    if digits:
        tables = [weights["embed.W_E"]]
        for place, own in digits.items():
            # A digit at this place is a token of its own, after those that there are.
            tokens[:, run.task.spelling.positions(place)] += sum(map(len, tables))
            tables.append(own.to(tables[0]))
        weights = {**weights, "embed.W_E": torch.cat(tables)}
    on = weights["embed.W_E"].device
    written = decoding.free_running(
        lambda read, at: forward(weights, read, at), tokens.to(on), sequences.asked
    )
    return run.task.spelling.numbers(written.cpu())


@torch.no_grad()
def logits(
    run: Run, sequences: Sequences, step: int | None = None, device: Device = None
) -> Float[Tensor, "n ctx c"]:
    """Teacher-forced, where something is asked; elsewhere zero."""
    weights, forward = _model(run, step, device)
    on = weights["embed.W_E"].device
    asked = sequences.asked
    found = forward(weights, sequences.tokens.to(on), asked).cpu()
    whole = found.new_zeros(*asked.shape, found.shape[1])
    whole[asked] = found
    return whole


def _model(
    run: Run, step: int | None, device: Device, kind: str = "auto"
) -> tuple[Weights, SequenceLogitsFn]:
    on = devices.resolve(device)
    weights = {name: value.to(on) for name, value in run.weights(step).items()}
    return weights, sequence_logits_fn(run.config.model, kind, on)
