"""What changes over training on many remainders: active frequencies, and gradients by weight."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis import sparsity, spectra
from interp_utils.devices import Device
from interp_utils.experiments.rules import Row
from interp_utils.measures import milestones, trajectories
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.training.objectives import objective

ATTENTION = ("W_Q", "W_K", "W_V", "W_O")


def row(run: Run, device: Device = None) -> Row:
    """Changes from the step at which training accuracy is 99 %; {} for a run without this step."""
    memorised = milestones.generalisation(run.metrics).memorised
    late = [step for step in run.steps[1:] if memorised is not None and step >= memorised]
    if len(late) < 3:
        return {}
    return _activity(run, late, device) | _gradients(run, device)


def _activity(run: Run, late: list[int], device: Device) -> Row:
    """Active frequencies: the largest count over the last."""

    def amplitudes(model: CachedModel) -> Tensor:
        return spectra.amplitudes(model.activation("post", 0)[1:, 1:])

    followed = trajectories.follow(run, amplitudes, run.steps[1:], device, progress=False)
    history = torch.stack(list(followed.values()))  # "step freq neuron"
    is_late = [step in late for step in followed]
    by_code = [
        spectra.active_over_time(history[..., neuron]).sum(1) for neuron in range(history.shape[2])
    ]
    code = devices.double(torch.stack(by_code)).nanmean(0)[is_late]
    power = history[is_late].mean(2)[:, 1:].square()
    measures = {
        "code's count": code,
        "participation ratio": spectra.participation_ratio(power),
        "90 % of power": devices.double(spectra.count_for(power)),
        "1 - Gini": torch.tensor([1 - sparsity.gini(each) for each in power]),
    }
    reached = milestones.steps_by_answer(run.metrics).astype("float").fillna(float("inf"))
    spike = late[int(code.argmax())] / reached.median()
    return {
        "active, by the text": spectra.active(history.mean(2)).sum(1).max().item(),
        **{f"{name}, largest over last": (x.max() / x[-1]).item() for name, x in measures.items()},
        "code's count, step of the largest over the median answer's": float(spike),
    }


def _gradients(run: Run, device: Device) -> Row:
    """Norms of the training loss's gradient, without dropout, for attention's weights and for all
    others: each norm at the end over its largest value.
    """
    on = devices.resolve(device)
    whole = dataclasses.replace(run.config.train, dropout=0.0)
    of = objective(run.task, dataclasses.replace(run.config, train=whole), on)
    norms = torch.tensor([_norms(of, run.weights(step), step, on) for step in run.steps[1:]])
    attention, others = (norms[-1] / norms.max(0).values).tolist()
    return {"gradients of attention, last over largest, over the others'": attention / others}


@torch.enable_grad()
def _norms(of: object, weights: dict[str, Tensor], step: int, on: torch.device) -> list[float]:
    leaves = {name: weight.to(on).requires_grad_() for name, weight in weights.items()}
    of.loss(leaves, step).backward()
    squares = {True: 0.0, False: 0.0}
    for name, leaf in leaves.items():
        if leaf.grad is not None:
            squares[name.endswith(ATTENTION)] += leaf.grad.square().sum().item()
    return [squares[True] ** 0.5, squares[False] ** 0.5]
