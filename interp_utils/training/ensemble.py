"""Many trainings as one batched computation, each of them an ordinary run on disk."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from interp_utils import devices
from interp_utils.configs import FamilyConfig, TrainConfig
from interp_utils.devices import Device
from interp_utils.runs.run import Run
from interp_utils.tasks import AnyTask, Task
from interp_utils.training.loop import train_members
from interp_utils.training.member import Member
from interp_utils.training.members import evenly, kind, list_members
from interp_utils.training.settings import settings
from interp_utils.training.stacked import StackedTrainer, bytes_per_member

MOST_AT_ONCE = 256  # every member holds its folder's lock, an open file
CPU_BYTES = (
    1 << 28
)  # more at once is no faster there, once a member fills the caches (docs/performance.md)


def train_many(
    tasks: AnyTask | Sequence[AnyTask],
    model_configs: FamilyConfig | Sequence[FamilyConfig] | None = None,
    train_configs: TrainConfig | Sequence[TrainConfig] | None = None,
    *,
    out: str | Path,
    names: Sequence[str] | None = None,
    seeds: Iterable[int] | None = None,
    device: Device = None,
    progress: bool = True,
    chunk: int | None = None,
) -> list[Run]:
    """Trains many one-layer models at once, each to the run that `train` would make of it in a
    folder of its own in `out`.

    tasks, model_configs, train_configs: one for all members, or a sequence with one each.
    seeds: of initial weights, instead of the configurations' own: each of the above is trained with
    each of them.
    names: the folder of each of the above, needed where there are several; with seeds each seed has
    a folder seed_<seed> within it.
    chunk: how many members are in memory at once. None is as many as an estimate says fit into 80 %
    of a GPU's free memory, or into 256 MiB on a CPU, where larger chunks are no faster; one at
    least, 256 at most.

    Members that have shapes, number of training inputs and schedule in common are computed
    together; seed, initial scale, learning rate, weight decay, weight norm, labels and split may
    differ. Losses and weights are those of `train` to rounding, which is bfloat16's for Muon.
    `train` and `train_many` go on from each other's runs, and finished ones are returned as they
    are. Ctrl-C saves and then raises KeyboardInterrupt; the same call goes on from there.

    Raises, before anything is trained, what `train` raises, and ValueError for tasks that draw
    their inputs or have several labels each, and models of several layers. A member whose loss is
    no longer finite is left as it was last saved; FloatingPointError names all such once the others
    are finished.
    """
    if chunk is not None and (type(chunk) is not int or chunk < 1):
        raise ValueError(f"chunk must be an integer of at least 1, or None, got {chunk!r}")
    members = list_members(tasks, model_configs, train_configs, names, seeds, Path(out))
    device = devices.resolve(device)
    train_all(members, device, progress, chunk)
    if errors := [member.error for member in members if member.error]:
        raise FloatingPointError("\n".join(errors))
    return [Run.load(member.writer.path) for member in members]


def train_all(
    members: Sequence[Member], device: torch.device, progress: bool, chunk: int | None = None
) -> None:
    """Trains members to their last step, those together that can be; one that diverges has its
    `error` then.
    """
    groups: dict[Hashable, list[Member]] = {}
    for member in members:
        with member.writer as writer:
            if writer.step != member.config.train.steps:
                groups.setdefault(kind(member), []).append(member)
    for group in groups.values():
        first = group[0]
        most = chunk or most_at_once(first.task, first.config.model, device)
        for together in evenly(group, most):
            _train_together(together, device, progress)


def most_at_once(task: Task, model: FamilyConfig, device: torch.device) -> int:
    """How many members like this one an estimate says fit into memory, one at least."""
    there = 0.8 * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else CPU_BYTES
    return min(max(int(there / bytes_per_member(task, model)), 1), MOST_AT_ONCE)


def _train_together(members: Sequence[Member], device: torch.device, progress: bool) -> None:
    with settings(members[0].config.train.deterministic), ExitStack() as held:
        for member in members:
            held.enter_context(member.writer)
        tasks, configs = [member.task for member in members], [member.config for member in members]
        train_members(members, StackedTrainer(tasks, configs, device), progress)
