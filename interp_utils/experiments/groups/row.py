"""A run on composition in a group as a row of numbers, and its snapshots as a table."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from tqdm.auto import tqdm

from interp_utils.analysis import certificates, cosets, group_progress, irreps
from interp_utils.analysis.characters import Irreps, trivial_on
from interp_utils.analysis.group_structure import Group, describe
from interp_utils.experiments.rules import Row
from interp_utils.group_tables import group_table, identity
from interp_utils.measures import group_circuits, group_readings, milestones
from interp_utils.measures.group_readings import Parts
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

FIRST = 0.85  # test accuracy at which a model has begun to generalise
EXACT = 0.3  # decades of loss that an exact reading may cost: a factor of two
LEVELS = ("characters", "isotypic", "hidden")
READINGS = (
    "irrep share",
    "rank one",
    "share99",
    "F_coset",
    "cosets beyond chance",
    "additive share",
)


@functools.lru_cache(maxsize=4)
def _described(numbers: tuple[tuple[int, ...], ...]) -> Group:
    return describe(torch.tensor(numbers))


def group_of(run: Run) -> Group:
    """The group in which a run's task composes, computed once for all its runs."""
    return _described(tuple(map(tuple, run.task.table.tolist())))


def load(run: Run, step: int | None = None, device: torch.device | str | None = None) -> Parts:
    """The tensors of a run's model, at a step or, by default, the last snapshot."""
    return group_readings.parts(CachedModel(run.model(step, device), run.task))


def row(run: Run, device: torch.device | str | None = None) -> Row:
    """All readings of the last model, the cost of replacing its neurons by them, its circuits, and
    the readings of the first snapshot that generalises, if the run keeps one. What a model does not
    have is left out.
    """
    group = group_of(run)
    model = load(run, device=device)
    found = group_readings.measure(model, group)
    keys = [group.irreps.index(name) for name in found["key irreps"]]
    whole = {
        **about(run),
        "dimensions": dict(zip(group.irreps.names, group.irreps.dimensions.tolist(), strict=True)),
        **found,
        **chance(found, group),
        **rungs(model, group),
        **circuits(model, group),
        "proof rank": proof_rank(model),
        **on_factors(run.task.group, found["similarity"], group.irreps),
        **at_first(run, group, keys),
    }
    return {name: value for name, value in whole.items() if not _is_nan(value)}


def generalised(row: Row) -> bool:
    """A run with true labels whose test accuracy is above .95 at its end: S4 has 116 test pairs."""
    return row.get("labels") == "true" and row["test accuracy"] > 0.95


def _is_nan(value: Any) -> bool:
    """Whether a value is NaN, which stands for what the model does not have."""
    return isinstance(value, float) and math.isnan(value)


def about(run: Run) -> Row:
    """The run's group and data, and when it memorised and generalised (stays above .99)."""
    task, times = run.task, milestones.generalisation(run.metrics)
    true = task.labels.equal(task.table.flatten())
    return {
        "group": task.group,
        "labels": "true" if true else "random",
        "fraction": round(task.train_mask.double().mean().item(), 3),
        "steps": run.config.train.steps,
        "memorised": times.memorised,
        "generalised": times.generalised,
        "delay": None
        if times.generalised is None or not times.memorised
        else times.generalised / times.memorised,
    }


def chance(reading: Row, group: Group) -> Row:
    """What chance gives: ln |G|; the share of energy that random functions would have with alpha of
    .90 (F_coset), and random directions within .99 of a special line (share99), if their energy is
    spread over irreps like that of the neurons. Irreps of dimension 1 are constant on cosets by
    definition.
    """
    energy = {name: own for name, own in reading["irreps of neurons"].items() if own > 0}
    found = {"guess": math.log(len(group.table))}
    if group.families is not None:
        nulls = cosets.null_alphas(group.table, group.irreps, group.families, draws=500)
        above = {k: (v >= cosets.THRESHOLD).double().mean().item() for k, v in nulls.items()}
        found["F_coset by chance"] = sum(own * above[name] for name, own in energy.items())
    rows = [group.irreps.index(name) for name in energy]
    told = [
        (energy[group.irreps.names[row]], irreps.null_share_on_lines(group.lines[row]))
        for row in rows
        if group.irreps.dimensions[row] > 1 and len(group.lines[row].vectors)
    ]
    if told:
        total = sum(own for own, _ in told)
        found["share99 by chance"] = sum(own * null for own, null in told) / total
    return found


def rungs(model: Parts, group: Group) -> Row:
    """The decades of loss that each rung of the ladder costs, and how the best readings compare."""
    costs = {name: rung["decades"] for name, rung in group_circuits.climb(model, group).items()}
    return {f"cost of {name}": cost for name, cost in costs.items()}


def proof_rank(model: Parts) -> int | None:
    """How many directions of the read-out prove 99 % of what is right; None where nothing is."""
    pairs = model.post.flatten(0, 1), model.logits.flatten(0, 1)
    return certificates.proof_rank(*pairs, model.W_L, model.labels)


def on_factors(name: str, similarity: Mapping[str, float], irreps: Irreps) -> Row:
    """Of a product such as S3xC3: the share of the characters in the logits that belongs to irreps
    of one factor alone, trivial on all others, and by chance. Nothing of other groups.
    """
    tables = [group_table(part) for part in name.split("x")]
    if len(tables) == 1:
        return {}
    units = [identity(table) for table in tables]
    places = torch.arange(len(irreps.characters[0])).view([len(table) for table in tables])
    moved = [
        trivial_on(irreps, places[(*units[:i], slice(None), *units[i + 1 :])].flatten())
        for i in range(len(tables))
    ]
    of_one = (~torch.stack(moved)).sum(0) == 1
    squares = torch.tensor([similarity[each] for each in irreps.names]).square()[1:]
    ranks = irreps.ranks.double()[1:]
    return {
        "logits on one factor": (squares * of_one[1:]).sum().item() / squares.sum().item(),
        "on one factor by chance": (ranks * of_one[1:]).sum().item() / ranks.sum().item(),
    }


def circuits(model: Parts, group: Group) -> Row:
    """Each irrep's circuit, and lists over circuits: how many vectors a each has (clusters), the
    largest cluster over its level by chance, the dimensions of the irrep that no a has, and the
    pairs of lines of the largest. Lists are not weighted: irreps with 1 % of the energy count.
    """
    found = group_circuits.circuits(model, group)
    spread = {name: own.pop("spread of a") for name, own in found.items()}
    return {
        "circuits": found,
        "vectors a": [own["vectors a"] for own in found.values()],
        "a over chance": [own["largest a"] / own["largest a by chance"] for own in found.values()],
        "dimensions without a": [own["dimension"] - own["a spans"] for own in found.values()],
        "spread of a": spread,
        "pairs of lines": [own["pairs"] for own in found.values() if "pairs" in own],
    }


def at_first(run: Run, group: Group, keys: Sequence[int]) -> Row:
    """Readings of the first snapshot, except the last, whose test accuracy is above .85, and how
    much of this accuracy each rung of the ladder loses.
    """
    accuracy = run.metrics.set_index("step")["test_accuracy"]
    steps = [step for step in run.steps[:-1] if (accuracy[step] or 0) > FIRST]
    if not steps:
        return {}
    model = load(run, steps[0])
    found = group_readings.measure(model, group, list(keys))
    early = {f"{name}, first": found[name] for name in ("test accuracy", *READINGS)}
    for name, rung in group_circuits.climb(model, group).items():
        early[f"lost to {name}, first"] = found["test accuracy"] - rung["test accuracy"]
    return {"first step above .85": steps[0], **early}


def history(
    run: Run,
    steps: Sequence[int] | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """All readings at every snapshot, one row per step, with the last model's key irreps."""
    import pandas as pd

    group = group_of(run)
    last = load(run, device=device)
    keys = group_progress.key_irreps(last.logits, group.table, group.irreps)
    rows = []
    for step in tqdm(
        run.steps if steps is None else steps,
        desc="measuring",
        unit="snapshot",
        disable=not progress,
    ):
        model = load(run, step, device)
        measured = group_readings.measure(model, group, keys)
        kept = {name: value for name, value in measured.items() if isinstance(value, float)}
        for head, share in enumerate(measured["attention to x"]):
            kept[f"head {head}: attention to x"] = share
        rows.append({"step": step, **kept, **rungs(model, group)})
    return pd.DataFrame(rows)
