"""A run's history: every measure of every snapshot in one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from tqdm.auto import tqdm

from interp_utils import devices
from interp_utils.analysis import algorithm, fourier, neurons, progress
from interp_utils.devices import Device
from interp_utils.measures import applies, histories, milestones
from interp_utils.measures.applies import DoesNotApply
from interp_utils.measures.listed import MEASURES, Row, gradient_symmetricity
from interp_utils.measures.subject import Subject
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "MEASURES",
    "follow",
    "gradient_symmetricity",
    "headline",
    "history",
    "history_of_each",
    "measure",
    "measure_model",
]

T = TypeVar("T")
COLUMNS = ["step", "measure", "level", "variant", "split", "frequency", "value"]


def measure(
    run: Run,
    keys: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
    measures: Sequence[str] | None = None,
    device: Device = None,
    progress: bool = True,
) -> pd.DataFrame:
    """All measures of Nanda et al. 2023 (section 5), and some later ones, at every snapshot: one
    row per number.

    keys: the key frequencies; default those of the last snapshot's logits. They are the same for
    every step.
    measures: some of MEASURES, by name; None means all that apply to the run. A measure that is
    asked for by name and does not apply raises DoesNotApply, which says why.
    Columns: step, measure, and where they apply level ("logits" or "neurons", what was projected;
    or the name of a weight; or "answer q", of several answers), variant (of `progress.project`),
    split ("all", "train", "test"), frequency, value. Losses are in nats; for tasks whose labels are
    not a + b (controls) they refer to the task's own labels. A task that draws its inputs is
    measured on its test inputs.
    """
    import pandas as pd

    no_keys = ""
    if keys is None:
        keys, no_keys = _keys(_cached(run, None, device))
    rows: list[Row] = []
    for step in tqdm(
        run.steps if steps is None else steps,
        desc="measuring",
        unit="snapshot",
        disable=not progress,
    ):
        found = _rows(Subject(_cached(run, step, device), keys, no_keys), measures)
        rows += [{"step": step, **row} for row in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def history(
    measured: pd.DataFrame | Run,
    measures: Sequence[str],
    *,
    device: Device = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Measures over training side by side, as figures take them: column "step" and one column for
    each measure; NaN where a measure means nothing for the run.

    measures: names of `histories.NAMES`, or names from the long table with the columns that tell
    rows apart in brackets: "restricted_loss[logits, block2x2, test]", "gini[W_E, components]".

    measured: a run, of which every snapshot is then measured, or the table that `measure` returned.
    Raises ValueError for any other name.
    """
    if isinstance(measured, Run):
        measured = measure(measured, device=device, progress=progress)
    return histories.wide(measured, measures)


def history_of_each(measured: pd.DataFrame, measure: str) -> pd.DataFrame:
    """A measure that has a number for each frequency or each weight (`histories.EACH`): column
    "step", and one column for each. Column k is frequency k.
    """
    return histories.wide_each(measured, measure)


def measure_model(
    model: CachedModel, keys: Sequence[int], measures: Sequence[str] | None = None
) -> list[Row]:
    """The measures of one model, as rows of `measure`. Frequencies are those of the coordinates
    whose sum is the task's label.

    Where the operands have different embeddings, in these coordinates, the levels "W_E a" and
    "W_E b" stand in place of "W_E".
    """
    return _rows(Subject(model, keys), measures)


@torch.no_grad()
def _rows(subject: Subject, measures: Sequence[str] | None) -> list[Row]:
    unknown = [name for name in measures or () if name not in MEASURES]
    if unknown:
        raise ValueError(f"there is no measure {unknown[0]!r}; there are: {', '.join(MEASURES)}")
    rows: list[Row] = []
    if measures is None:
        subject.prepare()
    for name in MEASURES if measures is None else measures:
        try:
            rows += list(MEASURES[name](subject))
        except DoesNotApply as error:
            if measures is not None:
                raise DoesNotApply(f"{name} means nothing here: {error}") from None
    return rows


def _cached(run: Run, step: int | None, device: Device) -> CachedModel:
    """A snapshot's model on its task, or on the test inputs of a task that draws its inputs."""
    task = run.task if hasattr(run.task, "answer_pos") else run.task.test
    return CachedModel(run.model(step, device), task)


def _keys(model: CachedModel) -> tuple[list[int] | None, str]:
    """The key frequencies of a model, or None and why it has none."""
    try:
        sums = applies.in_sums(model)
    except DoesNotApply as error:
        return None, str(error)
    return fourier.key_frequencies(sums.logits), ""


def follow(
    run: Run,
    look: Callable[[CachedModel], T],
    steps: Sequence[int] | None = None,
    device: Device = None,
    progress: bool = True,
) -> dict[int, T]:
    """Any function of a model, applied to every snapshot (or those of `steps`): step -> what it
    returns.
    """
    chosen = tqdm(
        run.steps if steps is None else steps,
        desc="following",
        unit="snapshot",
        disable=not progress,
    )
    return {step: look(CachedModel(run.model(step, device), run.task)) for step in chosen}


def headline(run: Run, device: Device = None) -> Row:
    """The claims of Nanda et al. 2023 as numbers, for one finished run: one row of a table over
    seeds.

    Losses are in nats: restricted and full loss over all pairs, excluded loss over training pairs.
    Key frequencies follow the default rule.
    """
    model = CachedModel(run.model(device=device), run.task).as_sums()
    logits, labels = model.logits, model.task.labels
    keys = fourier.key_frequencies(logits)
    found = milestones.phases(run.metrics)
    return {
        "p": run.task.grid[0],
        "steps": run.step,
        "key frequencies": keys,
        "number of key frequencies": len(keys),
        **_clustered(model),
        "logit variance explained": algorithm.cosine_fit(logits, keys).variance_explained,
        "test accuracy": progress.accuracy(logits, labels, mask=model.task.test_mask),
        "full loss": progress.mean_loss(logits, labels),
        "restricted loss": progress.restricted_loss(logits, labels, keys, any_labels=True),
        "excluded loss": progress.excluded_loss(
            logits, labels, keys, mask=model.task.train_mask, any_labels=True
        ),
        **{f"{name} ends": end for name, (_, end) in found.items()},
    }


def _clustered(model: CachedModel) -> Row:
    """The share of neurons with one frequency, where there is one layer of them."""
    if model.model.cfg.n_layers != 1 or not applies.has_mlp(model):
        return {}
    clusters = neurons.frequency_clusters(model.activation("post", 0))
    return {"neurons clustered": devices.double(clusters.clustered).mean().item()}
