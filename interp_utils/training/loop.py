"""The training loop: it trains one or more members, each into a run that can always be resumed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from interp_utils.runs.manifest import state_name
from interp_utils.runs.storage import RunInUse
from interp_utils.training.member import Member, Row
from interp_utils.training.settings import deferred_interrupt
from interp_utils.training.stopwatch import Stopwatch
from interp_utils.training.trainer import AnyTrainer

Callback = Callable[[Row], Any]
SAVE_EVERY_SECONDS = 30.0
SAVES_AT_ONCE = 8  # a save mostly waits for the disk


def train_members(
    members: Sequence[Member],
    trainer: AnyTrainer,
    progress: bool,
    callback: Callback | None = None,
) -> None:
    """Trains the members of this trainer, whose writers hold their folders, to their last step.

    callback: see `train`; it is called with the rows of the first member.
    A member whose loss or weights are no longer finite stays as it was last saved, with its
    `error`; the others go on. Ctrl-C saves and then raises KeyboardInterrupt.
    """
    config = members[0].config.train
    _begin(members, trainer)
    origin = members[0].writer.origin
    start = 0 if origin is None else origin.step  # may be a step of no schedule
    log_steps, snapshot_steps = {start, *config.log_steps()}, {start, *config.snapshot_steps()}
    last_saved, watch = time.monotonic(), Stopwatch()
    name = members[0].task.name + (f", {len(members)} runs" if len(members) > 1 else "")
    bar = tqdm(
        total=config.steps, initial=trainer.step, disable=not progress, unit="step", desc=name
    )
    with bar, deferred_interrupt() as interrupted:
        while True:
            step, is_enough = trainer.step, False
            if step in log_steps and _log(members, trainer, watch):
                bar.set_postfix(_last_losses(members), refresh=False)
                if callback is not None and not members[0].error:
                    is_enough = _says_stop(callback(members[0].row))
            is_last, is_snapshot = step == config.steps, is_enough or step in snapshot_steps
            is_late = time.monotonic() - last_saved > SAVE_EVERY_SECONDS
            is_stopped = interrupted()
            if is_last or is_snapshot or is_late or is_stopped:
                _save(members, trainer, watch, is_snapshot)
                last_saved = time.monotonic()
            going = [member for member in members if not member.error]
            if not going:
                return
            if is_stopped:
                raise KeyboardInterrupt(_stopped(going, step))
            if is_last or is_enough:
                return
            watch.start()
            trainer.update()
            bar.update()


def _says_stop(answer: object) -> bool:
    """Only False stops a training; other values, which a logger may return, do not."""
    return isinstance(answer, (bool, np.bool_)) and not answer


def _begin(members: Sequence[Member], trainer: AnyTrainer) -> None:
    """Puts the trainer at the step of the members' folders, or at their start."""
    step = members[0].writer.step
    if others := [str(member.writer.path) for member in members if member.writer.step != step]:
        raise RunInUse(
            f"another process has trained {others[0]} in the meantime; make the same call again"
        )
    if step is None:
        if members[0].start is not None:
            trainer.step = members[0].writer.origin.step
            (own,) = trainer.states()
            trainer.load_state(0, {**own, **members[0].start})
        return
    trainer.step = step
    for i, member in enumerate(members):
        state, metrics = member.writer.state()
        try:
            member.resume(metrics, state)
            trainer.load_state(i, state)
        except ValueError as error:
            raise ValueError(
                f"{member.writer.path / state_name(step)}: {error}; train the run again in a new "
                "folder"
            ) from None


def _log(members: Sequence[Member], trainer: AnyTrainer, watch: Stopwatch) -> bool:
    """Logs a row of metrics for members that have none of this step; says if there were any."""
    if all(member.logged == trainer.step for member in members):
        return False
    _see_losses(members, trainer, watch)
    for member, row in zip(members, trainer.measure(), strict=True):
        if member.logged != trainer.step:
            member.log(trainer.step, row)
    return True


def _see_losses(members: Sequence[Member], trainer: AnyTrainer, watch: Stopwatch) -> None:
    """Notes all losses since the last call, so that none goes unseen, and the time they took."""
    losses = trainer.take_losses()  # waits for the last update
    seconds = watch.read() / len(members)
    for member, own in zip(members, losses.T.tolist(), strict=True):
        logged = member.logged
        member.seconds += seconds
        for step, loss in enumerate(own, trainer.step - len(losses)):
            if step != logged:  # the loss of a logged step is in its row of metrics
                member.see(loss, step)


def _save(
    members: Sequence[Member], trainer: AnyTrainer, watch: Stopwatch, is_snapshot: bool
) -> None:
    """Saves the members whose state is not yet on disk and whose weights are finite: a good state
    is never replaced by a broken one.
    """
    step = trainer.step
    if all(member.writer.step == step for member in members):
        return
    _see_losses(members, trainer, watch)
    for member, finite in zip(members, trainer.finite(), strict=True):
        if not finite:
            member.stop("state of the weights", step)
    going_on = [
        (member, state)
        for member, state in zip(members, trainer.states(), strict=True)
        if not member.error
    ]
    with ThreadPoolExecutor(SAVES_AT_ONCE) as pool:
        list(pool.map(lambda pair: pair[0].save(step, pair[1], is_snapshot), going_on))


def _stopped(members: Sequence[Member], step: int) -> str:
    path, others = members[0].writer.path, len(members) - 1
    where = f"saved in {path} and {others} others" if others else f"which is saved in {path}"
    return f"stopped at step {step}, {where}; the same call goes on from there"


def _last_losses(members: Sequence[Member]) -> dict[str, str]:
    """The last losses of one member, or the medians of several."""
    shown = {}
    for column in members[0].metrics:
        if not column.endswith("_loss") or column == "highest_train_loss":
            continue
        last = [member.metrics[column][-1] for member in members]
        known = [value for value in last if value is not None]
        if known:
            name = column if len(members) == 1 else f"median {column}"
            shown[name] = f"{statistics.median(known):.2e}"
    return shown
