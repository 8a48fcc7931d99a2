"""A phasor network as a row of numbers: its accuracy, its frequencies, and what spikes answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils import devices, models
from interp_utils.analysis import phasors
from interp_utils.devices import Device
from interp_utils.experiments import studies
from interp_utils.experiments.phasors.recipes import ARMS, recipe
from interp_utils.experiments.rules import Row
from interp_utils.models.cached import CachedModel
from interp_utils.models.phasor import PhasorConfig
from interp_utils.models.phasor.spiking import Resonator, logits_by_cycle, spikes
from interp_utils.runs.run import Run
from interp_utils.sweeps import run_name
from interp_utils.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

SAMPLE, CYCLES = 250, 10
PATIENT = Resonator(decay=0.05)
FEW, LONG = 60, 60  # inputs and cycles of a resonator that forgets a quarter as fast
OUTPUTS, OWN_WAVE = "outputs, function of a + b", "outputs at their own frequency"
HIDDEN, DOUBLED = "hidden phasors, function of a + b", "hidden phasors doubled, function of a + b"
STRONGEST = "hidden phasors, power of the strongest wave"
PLANTED = "squared weight where the exact network has it"


def look(run: Run, device: Device = None) -> Row:
    """What is measured of a training, by static execution and in spikes."""
    return _static_and_spikes(run, device) | with_less_leak(
        run.config.model, run.weights(), run.task
    )


def _static_and_spikes(run: Run, device: Device) -> Row:
    config, on = run.config.model, devices.resolve(device)
    weights = {name: weight.to(on) for name, weight in run.weights().items()}
    initial = {name: w.to(on) for name, w in models.initial_weights(config).items()}
    untrained = frequencies(config, initial, run.task, on)
    found = frequencies(config, weights, run.task, on)
    found |= {f"{OUTPUTS}, untrained": untrained[OUTPUTS]}
    found |= {"parameters": sum(weights[name].numel() for name in models.trainable(config))}
    return found | in_spikes(config, weights, run.task)


def frequencies(
    config: PhasorConfig, weights: Mapping[str, Tensor], task: Task, device: torch.device
) -> Row:
    """Shares of waves in a + b: of the outputs, in the multiple in which they are read, and of the
    last hidden layer, in its phases and twice them; means over neurons. How much of a hidden
    phasor is its strongest wave, and how many of these are of one operand. With a code of numbers
    the share of outputs whose strongest wave is that of their own frequency.
    """
    model = CachedModel(models.build(config, weights, device=device), task)
    outputs, multiple = model.activation("phase", config.n_layers - 1), config.harmonic
    found = {OUTPUTS: phasors.share_of_sums(outputs, multiple).mean().item()}
    if config.outputs is not None:
        wave, own = phasors.strongest_wave(outputs, multiple), torch.tensor(config.outputs)
        k = torch.where(wave.a > task.p // 2, task.p - wave.a, wave.a).cpu()
        is_own = (wave.a == wave.b).cpu() & (k == own)
        found[OWN_WAVE] = devices.double(is_own).mean().item()
    if config.hidden:
        hidden = model.activation("phase", config.n_layers - 2)
        found[HIDDEN] = phasors.share_of_sums(hidden).mean().item()
        found[DOUBLED] = phasors.share_of_sums(hidden, 2).mean().item()
        wave = phasors.strongest_wave(hidden)
        found[STRONGEST] = wave.power.mean().item()
        of_one = (wave.a == 0) != (wave.b == 0)
        found["hidden phasors whose strongest wave is of one operand"] = (
            devices.double(of_one).mean().item()
        )
    elif config.outputs == config.inputs:
        W = weights["blocks.0.W"].unflatten(0, (len(config.positions), -1))
        planted = W.diagonal(dim1=1, dim2=2).square().sum() / W.square().sum()
        found[PLANTED] = planted.item()
    return found


def in_spikes(config: PhasorConfig, weights: Mapping[str, Tensor], task: Task) -> Row:
    """How many of a sample of inputs have the same answer in spikes as in static execution, by the
    mean of all spikes of the first 1, 2, ... cycles and by each cycle's alone, and what share of
    right answers spikes lose.
    """
    inputs = sample(len(task), SAMPLE)
    labels = task.labels[inputs]
    static, (of_mean, of_each) = _answers(config, weights, task.tokens[inputs], CYCLES, Resonator())
    alike, alone = ((own == static).double().mean(1).tolist() for own in (of_mean, of_each))
    lost = (static == labels).double().mean() - (of_mean[-1] == labels).double().mean()
    return {
        "inputs in spikes": len(inputs),
        "agreement by cycle, mean": alike,
        "agreement by cycle, alone": alone,
        "agreement after ten cycles": alike[-1],
        "agreement in the tenth cycle": alone[-1],
        "accuracy lost in spikes": lost.item(),
    }


def with_less_leak(config: PhasorConfig, weights: Mapping[str, Tensor], task: Task) -> Row:
    """The share of a few inputs that have the same answer in spikes as in static execution, in the
    last of many cycles of resonators that forget a quarter as fast.
    """
    tokens = task.tokens[sample(len(task), FEW)]
    static, (_, of_each) = _answers(config, weights, tokens, LONG, PATIENT)
    return {"agreement, a quarter of the leak": (of_each[-1] == static).double().mean().item()}


def _answers(
    config: PhasorConfig,
    weights: Mapping[str, Tensor],
    tokens: Tensor,
    cycles: int,
    resonator: Resonator,
) -> tuple[Tensor, list[Tensor]]:
    """Static answers, and those of spikes, "cycle n", by the mean up to a cycle and by it alone."""
    weights = {name: weight.cpu() for name, weight in weights.items()}
    spiked = spikes(config, weights, tokens, cycles=cycles, resonator=resonator)
    return models.logits_fn(config, tokens)(weights).argmax(1), [
        logits_by_cycle(config, spiked, len(tokens), cycles=cycles, mean=mean).argmax(-1)
        for mean in (True, False)
    ]


def sample(n: int, size: int) -> Int[Tensor, "k"]:
    """Some of n inputs, all of them where there are fewer."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))[:size]


def row(run: Run, device: Device = None) -> Row:
    """A run that ships as a row of the study, without what takes longest."""
    found = studies.outcome(studies.records(run)) | _static_and_spikes(run, device)
    return {"steps": run.step, **settings(run), **found}


def settings(run: Run) -> Row:
    """p, the seed, and the arm of which the run is a training, None for none."""
    p, seed = run.task.p, run.config.model.seed
    own = run_name(run.task, run.config.model, run.config.train)
    fitting = [
        arm
        for arm, of in ARMS.items()
        if p in of.moduli and recipe(arm=arm, p=p, seed=seed).digest == own
    ]
    return {"arm": fitting[0] if fitting else None, "p": p, "seed": seed}


def facts(run: Run) -> Row:
    return {"steps": run.step, **settings(run)}


def history(
    run: Run, steps: Sequence[int] | None = None, device: Device = None, progress: bool = True
) -> pd.DataFrame:
    """Frequencies at every snapshot: one row each."""
    import pandas as pd

    on, config, rows = devices.resolve(device), run.config.model, []
    chosen = run.steps if steps is None else steps
    for step in tqdm(chosen, desc="measuring", unit="snapshot", disable=not progress):
        weights = {name: weight.to(on) for name, weight in run.weights(step).items()}
        rows.append({"step": step, **frequencies(config, weights, run.task, on)})
    return pd.DataFrame(rows)
