"""A run on many remainders as a row of numbers: Syrkis and Søgaard 2024."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from interp_utils.analysis import rank_tests
from interp_utils.devices import Device
from interp_utils.experiments.remainders import multitask
from interp_utils.experiments.remainders.over_time import row as history_row
from interp_utils.experiments.remainders.recipes import AS_PUBLISHED
from interp_utils.experiments.rules import Row
from interp_utils.measures import milestones, trajectories
from interp_utils.runs.run import Run
from interp_utils.tasks import Remainders, numbers

if TYPE_CHECKING:
    import pandas as pd

FIRST, MASKED_FIRST = (2, 3, 5, 7), (11, 13, 17, 19)


def row(run: Run, device: Device = None) -> Row:
    """`multitask.headline`; for a run with several answers also their order, and, where there are
    snapshots, the number of active frequencies.
    """
    found = multitask.headline(run, device)
    if not isinstance(run.task, Remainders):
        step = milestones.generalisation(run.metrics).generalised
        when = {"median answer's step": step} if step else {}
        return {"kind": "T_nanda"} | found | when
    found = facts(run) | found | _order(run) | _two_and_three(run)
    return found | history_row(run, device) if len(run.steps) > 2 else found


def history(
    run: Run, steps: Sequence[int] | None = None, device: Device = None, progress: bool = True
) -> pd.DataFrame:
    """Answers, embeddings and attention at every snapshot: one row each."""
    import pandas as pd

    rows = trajectories.follow(run, multitask.snapshot, steps, device, progress)
    return pd.DataFrame([{"step": step, **found} for step, found in rows.items()])


def facts(run: Run) -> Row:
    if not isinstance(run.task, Remainders):
        return {"kind": "T_nanda"}
    return {"kind": kind(run), "share for training": share_for_training(run.task)}


def kind(run: Run) -> str:
    """The kind of run, which claims tell apart: the paper's T_miiii and its controls."""
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
    """In places and correlations, an answer that did not stay above 99 % counts as later than all
    others.
    """
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
    learned = [step for step in rest if step < float("inf")]
    if learned:
        row["the others, step with q"] = rank_tests.spearman(
            torch.tensor(rest.tolist()), torch.tensor(rest.index.tolist()).float(), 1
        ).statistic
        row["the others, last over first"] = max(learned) / min(learned)
    memorised = milestones.generalisation(run.metrics).memorised
    if memorised:
        row["median answer's step over that of memorising"] = statistics.median(reached) / memorised
    row["median answer's step"] = statistics.median(reached)
    return {name: value for name, value in row.items() if value < float("inf")}


def _two_and_three(run: Run) -> Row:
    """Test accuracy at the end for mod 2 and mod 3, and for all other answers that are trained."""
    last = run.metrics.iloc[-1]
    trained = [q for q in run.task.moduli if q not in run.task.masked]
    accuracy = {q: float(last[f"test_accuracy/{q}"]) for q in trained}
    easy = [accuracy[q] for q in (2, 3) if q in accuracy]
    hard = [value for q, value in accuracy.items() if q > 3]
    found = {"test accuracy of 2 and 3, least": min(easy)} if easy else {}
    return found | ({"test accuracy of the others, most": max(hard)} if hard else {})
