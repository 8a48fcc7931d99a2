"""A run on many remainders as a row of numbers: Syrkis and Søgaard 2024."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from interp_utils import devices
from interp_utils.analysis import rank_tests, sparsity, spectra
from interp_utils.devices import Device
from interp_utils.experiments.base import Row
from interp_utils.experiments.remainders import multitask
from interp_utils.experiments.remainders.recipes import AS_PUBLISHED
from interp_utils.measures import milestones, trajectories
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.tasks import Remainders, numbers

if TYPE_CHECKING:
    import pandas as pd

FIRST, MASKED_FIRST = (2, 3, 5, 7), (11, 13, 17, 19)


def row(run: Run, device: Device = None) -> Row:
    """`multitask.headline`; of a run with several answers also their order, and where snapshots
    are there how many frequencies were active.
    """
    found = multitask.headline(run, device)
    if not isinstance(run.task, Remainders):
        return {"kind": "T_nanda"} | found
    about = {"kind": kind(run), "share for training": share_for_training(run.task)}
    found = about | found | _order(run)
    return found | _activity(run, device) if len(run.steps) > 2 else found


def history(
    run: Run, steps: Sequence[int] | None = None, device: Device = None, progress: bool = True
) -> pd.DataFrame:
    """Answers, embeddings and attention at every snapshot: one row each."""
    import pandas as pd

    rows = trajectories.follow(run, multitask.snapshot, steps, device, progress)
    return pd.DataFrame([{"step": step, **found} for step, found in rows.items()])


def kind(run: Run) -> str:
    """What of a run the claims tell apart: the paper's T_miiii and its controls."""
    task, train = run.task, run.config.train
    if not task.labels.equal(numbers(task)[:, None] % torch.tensor(task.moduli)):
        return "T_basis"
    if task.masked:
        return "T_masked"
    if train.grokfast == "none":
        return "λ = 0"
    if train.dropout == 0:
        return "no dropout"
    return "as published" if train.lr == AS_PUBLISHED.lr else "T_miiii"


def share_for_training(task: Remainders) -> float:
    return round(task.train_mask.double().mean().item(), 2)


def _order(run: Run) -> Row:
    """Places and correlations count a head that did not stay above 99 % as later than all that "
    "did."""
    reached = milestones.steps_by_answer(run.metrics).astype("float").fillna(float("inf"))
    place = reached.rank(method="max")
    rest = reached.drop(list(FIRST), errors="ignore")
    row = {
        f"place of the last of {first}": place[list(first)].max().item()
        for first in (FIRST, MASKED_FIRST)
        if set(first) <= {*reached.index}
    }
    if set(FIRST) <= {*reached.index}:
        first = reached[list(FIRST)]
        in_order = first.is_monotonic_increasing and first.max() < float("inf")
        row["2, 3, 5 and 7 in this order"] = float(in_order)
    if learned := [step for step in rest if step < float("inf")]:
        row["the others, step with q"] = rank_tests.spearman(
            torch.tensor(rest.tolist()), torch.tensor(rest.index.tolist()).float(), 1
        ).statistic
        row["the others, last over first"] = max(learned) / min(learned)
    memorised = milestones.generalisation(run.metrics).memorised
    if memorised:
        row["median head's step over that of memorising"] = statistics.median(reached) / memorised
    return {name: value for name, value in row.items() if value < float("inf")}


def _activity(run: Run, device: Device = None) -> Row:
    """Active frequencies from the step at which training accuracy is 99 %: the largest count over
    the last.
    """

    def amplitudes(model: CachedModel) -> torch.Tensor:
        return spectra.amplitudes(model.activation("post", 0)[1:, 1:])

    memorised = milestones.generalisation(run.metrics).memorised
    followed = trajectories.follow(
        run, amplitudes, steps=run.steps[1:], device=device, progress=False
    )
    history = torch.stack(list(followed.values()))  # "step freq neuron"
    late = [step >= memorised for step in followed]
    by_code = [
        spectra.active_over_time(history[..., neuron]).sum(1) for neuron in range(history.shape[2])
    ]
    code = devices.double(torch.stack(by_code)).nanmean(0)
    power = history[late].mean(2)[:, 1:].square()
    measures = {
        "code's count": code[late],
        "participation ratio": spectra.participation_ratio(power),
        "90 % of power": devices.double(spectra.count_for(power)),
        "1 - Gini": torch.tensor([1 - sparsity.gini(each) for each in power]),
    }
    largest = spectra.active(history.mean(2)).sum(1).max().item()
    return {
        "active, by the text": largest,
        **{f"{name}, largest over last": (x.max() / x[-1]).item() for name, x in measures.items()},
    }
