"""Many trainings as one batched computation, each of them an ordinary run on disk."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from interp_utils import devices
from interp_utils.configs import ModelConfig, TrainConfig
from interp_utils.devices import Device
from interp_utils.runs.run import Run, state_name
from interp_utils.runs.storage import RunInUse
from interp_utils.tasks import AnyTask
from interp_utils.training import loop
from interp_utils.training.members import Member, evenly, kind, list_members
from interp_utils.training.settings import deferred_interrupt, settings
from interp_utils.training.stacked import StackedTrainer, bytes_per_member

SAVES_AT_ONCE = 8  # most of a save is waiting for the disk
MOST_AT_ONCE = 256  # every member holds its folder's lock, an open file
CPU_BYTES = (
    1 << 28
)  # more at once is no faster there, once a member fills the caches (docs/performance.md)


def train_many(
    tasks: AnyTask | Sequence[AnyTask],
    model_configs: ModelConfig | Sequence[ModelConfig] | None = None,
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
    together; learning rate, weight decay, seed, labels and split may differ. Losses and weights are
    those of `train` to rounding. `train` and `train_many` go on from each other's runs, and
    finished ones are returned as they are. Ctrl-C saves and then raises KeyboardInterrupt; the same
    call goes on from there.

    Raises, before anything is trained, what `train` raises, and ValueError for tasks that are not
    full-batch with one label per input, or models of several layers. A member whose loss is no
    longer finite is left as it was last saved; FloatingPointError names all such once the others
    are finished.
    """
    if chunk is not None and (type(chunk) is not int or chunk < 1):
        raise ValueError(f"chunk must be an integer of at least 1, or None, got {chunk!r}")
    members = list_members(tasks, model_configs, train_configs, names, seeds, Path(out))
    device = devices.resolve(device)
    groups: dict[Hashable, list[Member]] = {}
    for member in members:
        with member.writer as writer:
            if writer.step != member.config.train.steps:
                groups.setdefault(kind(member), []).append(member)
    for group in groups.values():
        for together in evenly(group, chunk or _most_at_once(group[0], device)):
            _train_together(together, device, progress)
    if errors := [member.error for member in members if member.error]:
        raise FloatingPointError("\n".join(errors))
    return [Run.load(member.writer.path) for member in members]


def _most_at_once(member: Member, device: torch.device) -> int:
    there = 0.8 * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else CPU_BYTES
    return min(
        max(int(there / bytes_per_member(member.task, member.config.model)), 1), MOST_AT_ONCE
    )


def _train_together(members: Sequence[Member], device: torch.device, progress: bool) -> None:
    """The loop of `train`, for all of them at once."""
    config = members[0].config.train
    with settings(config.deterministic), ExitStack() as held:
        for member in members:
            held.enter_context(member.writer)
        trainer, logged = _resumed(members, device)
        log_steps, snapshot_steps = set(config.log_steps()), set(config.snapshot_steps())
        saved, last_saved = members[0].writer.step, time.monotonic()
        name = f"{members[0].task.name}, {len(members)} runs"
        bar = held.enter_context(
            tqdm(
                total=config.steps,
                initial=trainer.step,
                disable=not progress,
                unit="step",
                desc=name,
            )
        )
        interrupted = held.enter_context(deferred_interrupt())
        while True:
            step = trainer.step
            if step in log_steps and step != logged:
                _see_losses(trainer, members, logged)
                for member, row in zip(members, trainer.measure(), strict=True):
                    member.log(step, row)
                logged = step
                bar.set_postfix(_medians(members), refresh=False)
            done = step == config.steps
            if (
                done
                or step in snapshot_steps
                or interrupted()
                or time.monotonic() - last_saved > loop.SAVE_EVERY_SECONDS
            ):
                if step != saved:
                    _see_losses(trainer, members, logged)
                    _save(trainer, members, snapshot=step in snapshot_steps)
                saved, last_saved = step, time.monotonic()
            if done or all(member.error for member in members):
                return
            if interrupted():
                path, others = members[0].writer.path, len(members) - 1
                raise KeyboardInterrupt(
                    f"stopped at step {step}, saved in {path} and {others} others; the same call "
                    "goes on from there"
                )
            trainer.update()
            bar.update()


def _resumed(members: Sequence[Member], device: torch.device) -> tuple[StackedTrainer, int]:
    """The members as they are on disk, and the last step that is logged there."""
    step = members[0].writer.step
    if others := [str(member.writer.path) for member in members if member.writer.step != step]:
        raise RunInUse(
            f"another process has trained {others[0]} meanwhile; make the same call again"
        )
    trainer, logged = (
        StackedTrainer(
            [member.task for member in members], [member.config for member in members], device
        ),
        -1,
    )
    if step is None:
        return trainer, logged
    trainer.step = step
    for i, member in enumerate(members):
        state, member.metrics = member.writer.state()
        logged = max(member.metrics["step"], default=-1)
        try:
            trainer.load_state(i, state)
        except ValueError as error:
            raise ValueError(
                f"{member.writer.path / state_name(step)}: {error}; train the run again in a new "
                "folder"
            ) from None
        unknown = {
            "train_loss": torch.tensor(-math.inf if step == logged else math.nan)
        }  # in a state from before it was kept
        member.highest = state.get("highest", unknown)["train_loss"].item()
    return trainer, logged


def _see_losses(trainer: StackedTrainer, members: Sequence[Member], logged: int) -> None:
    losses = trainer.take_losses()
    for member, own in zip(members, losses.T.tolist(), strict=True):
        for step, loss in enumerate(own, trainer.step - len(losses)):
            if step != logged:  # that row has it
                member.see(loss, step)


def _save(trainer: StackedTrainer, members: Sequence[Member], snapshot: bool) -> None:
    """Those that are finite, so that a good state is never replaced by a broken one."""
    for member, finite in zip(members, trainer.finite(), strict=True):
        if not finite:
            member.stop("state of the weights", trainer.step)

    def save(member: Member, state: dict[str, dict[str, Tensor]]) -> None:
        if not member.error:
            highest = {"train_loss": torch.tensor(member.highest, dtype=torch.float64)}
            member.writer.save(
                trainer.step, {**state, "highest": highest}, member.metrics, snapshot
            )

    with ThreadPoolExecutor(SAVES_AT_ONCE) as pool:
        list(pool.map(save, members, trainer.states()))


def _medians(members: Sequence[Member]) -> dict[str, str]:
    """Of the members' last losses."""
    shown = {}
    for name in ("train_loss", "test_loss"):
        known = [
            member.metrics[name][-1] for member in members if member.metrics[name][-1] is not None
        ]
        if known:
            shown[f"median {name}"] = f"{statistics.median(known):.2e}"
    return shown
