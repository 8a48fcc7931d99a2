"""The members of an ensemble: what a member is, and which members can be computed together."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from interp_utils import models
from interp_utils.configs import FamilyConfig, ModelConfig, RunConfig, TrainConfig
from interp_utils.runs.writer import RunWriter
from interp_utils.tasks import AnyTask, Task
from interp_utils.training.member import Member
from interp_utils.training.objectives import check
from interp_utils.training.optimisers import MEMBERS_OPTIMISERS

T = TypeVar("T")
# What a model's settings say of its initial weights alone: each member may have its own.
OF_START = {"seed": 0, "init_scale": 1.0}


def list_members(
    tasks: AnyTask | Sequence[AnyTask],
    model_configs: FamilyConfig | Sequence[FamilyConfig] | None,
    train_configs: TrainConfig | Sequence[TrainConfig] | None,
    names: Sequence[str] | None,
    seeds: Iterable[int] | None,
    out: Path,
) -> list[Member]:
    """The members that `train_many` is asked for. Raises ValueError for impossible ones, before
    there is a folder.
    """
    model_configs = ModelConfig() if model_configs is None else model_configs
    train_configs = TrainConfig() if train_configs is None else train_configs
    given = {
        "tasks": tasks,
        "model_configs": model_configs,
        "train_configs": train_configs,
        "names": names,
    }
    lengths = {name: len(values) for name, values in given.items() if isinstance(values, Sequence)}
    n = max(lengths.values(), default=1)
    if n == 0 or set(lengths.values()) - {n}:
        raise ValueError(
            f"each of {', '.join(given)} must be one value for all members or a list with a value "
            f"for each, all lists of one length; got lists of the lengths {lengths}"
        )
    if n > 1 and names is None:
        raise ValueError(f"{n} configurations need names=, a list of {n} names of folders in {out}")
    seeds = seeds if seeds is None else list(seeds)
    members = []
    for task, model, train, name in zip(
        *(v if isinstance(v, Sequence) else [v] * n for v in given.values()), strict=True
    ):
        folder = out / (name or "")
        seeded = (
            [(folder, model)]
            if seeds is None
            else [(folder / f"seed_{s}", dataclasses.replace(model, seed=s)) for s in seeds]
        )
        for path, model_config in seeded:
            config = RunConfig(model_config.for_task(task), train)
            require_stackable(task, config)
            members.append(Member(task, config, RunWriter(path, task, config)))
    paths = [member.writer.path for member in members]
    if not paths or len(set(paths)) < len(paths):
        raise ValueError(
            f"every member needs a folder of its own: give distinct names and seeds, got {names} "
            f"and {seeds}"
        )
    return members


def require_stackable(task: AnyTask, config: RunConfig) -> None:
    """Raises ValueError where a training that `train` allows cannot be a member."""
    check(task, config)
    if not isinstance(task, Task) or task.labels.ndim != 1:
        raise ValueError(
            "train_many is for tasks with finitely many inputs and one label each, which "
            f"{task.name} is not; use train"
        )
    if config.train.optimiser not in MEMBERS_OPTIMISERS:
        raise ValueError(
            f"train_many has the optimisers {sorted(MEMBERS_OPTIMISERS)}, got "
            f"TrainConfig.optimiser = {config.train.optimiser!r}; use train"
        )
    if config.train.products != "float32":
        raise ValueError(
            f"train_many has products in float32 alone, got TrainConfig.products = "
            f"{config.train.products!r}; use train"
        )
    lacking = {
        "weighted losses, as this task has": task.weights,
        f"dropout, got TrainConfig.dropout = {config.train.dropout}": config.train.dropout,
        'a window of gradients, got TrainConfig.grokfast = "ma"': config.train.grokfast == "ma",
    }
    for what, asked in lacking.items():
        if asked:
            raise ValueError(f"train_many does not have {what}; use train")
    models.family_of(config.model).check_members(config.model, config.train)
    undecayed = models.undecayed(config.model)
    if undecayed:
        raise ValueError(
            f"train_many decays all weights alike, and the family {config.model.family!r} spares "
            f"{', '.join(undecayed)}; use train"
        )


def kind(member: Member) -> Hashable:
    """What members that are trained together have in common."""
    model, train = member.config.model, member.config.train
    of_start = {name: value for name, value in OF_START.items() if hasattr(model, name)}
    model = dataclasses.replace(model, **of_start)
    norm = None if train.weight_norm is None else 1.0
    train = dataclasses.replace(train, lr=1.0, weight_decay=0.0, weight_norm=norm)
    task = member.task
    sizes = len(task), int(task.train_mask.sum()), task.n_classes, task.answer_pos, task.outputs
    return member.writer.step, model, train, *sizes


def evenly(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Parts of at most `most` items: as few parts as possible, and of almost the same size."""
    parts = math.ceil(len(items) / most)
    bounds = [len(items) * part // parts for part in range(parts + 1)]
    return (items[start:stop] for start, stop in itertools.pairwise(bounds))
