"""Inputs that are held out: drawn once, each different from the others, and never drawn again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from torch import Tensor

from interp_utils.tasks.sequences import Sequences

REDRAWS = 1000  # rounds before giving up
S = TypeVar("S")  # a StreamTask


def draw_without(
    draw: Callable[[np.random.RandomState, int], Sequences],
    identity: Callable[[Sequences], np.ndarray],
    random: np.random.RandomState,
    n: int,
    without: np.ndarray,
) -> Sequences:
    """n inputs, each drawn again until its identity is not among those `without`, ascending."""
    found = draw(random, n)
    for _ in range(REDRAWS):
        taken = _among(identity(found), without)
        if not taken.any():
            return found
        found = found.take(np.flatnonzero(~taken)).join(draw(random, int(taken.sum())))
    raise ValueError(
        "nearly every input that is drawn is held out: hold out fewer, or make more of them "
        "possible (more numbers or lengths)"
    )


def distinct(
    draw: Callable[[np.random.RandomState, int], Sequences],
    identity: Callable[[Sequences], np.ndarray],
    random: np.random.RandomState,
    n: int,
    without: np.ndarray,
    admit: Callable[[Sequences], np.ndarray] | None = None,
) -> Sequences:
    """n inputs that differ from each other and from those `without`.

    admit: of inputs that differ, the rows to keep; default all.
    """
    found = draw_without(draw, identity, random, n, np.unique(without))
    for _ in range(REDRAWS):
        kept = found.take(np.sort(np.unique(identity(found), return_index=True)[1]))
        kept = kept if admit is None else kept.take(admit(kept))
        if len(kept) == n:
            return kept
        others = np.unique(np.concatenate([without, identity(kept)]))
        found = kept.join(draw_without(draw, identity, random, n - len(kept), others))
    raise ValueError(
        f"found only {len(kept)} of {n} different inputs to hold out: ask for fewer, or take more "
        f"numbers"
    )


def _among(values: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """np.isin, which sorts what is known to be sorted, at every step of a training."""
    if not len(ascending):
        return np.zeros(values.shape, dtype=bool)
    places = np.searchsorted(ascending, values).clip(max=len(ascending) - 1)
    return ascending[places] == values


def first_of_each(kinds: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Of the rows of each kind, 0 .. len(room) - 1, the first, as many as there is room for."""
    by_kind = np.argsort(kinds, kind="stable")
    # For each row, by kind: how many rows are of lesser kinds.
    before = np.concatenate([[0], np.bincount(kinds).cumsum()])[kinds[by_kind]]
    rank = np.empty_like(by_kind)
    rank[by_kind] = np.arange(len(kinds)) - before
    return np.flatnonzero(rank < room[kinds])


def require_sizes(
    tensors: Mapping[str, Tensor], sizes: Mapping[str, tuple[int, int]], of: str
) -> None:
    """Raises ValueError unless the held-out sets have the shapes that a description asks for.

    Before anything is drawn: a description that is not theirs may ask for any number of any size.
    """
    for name, shape in sizes.items():
        found = tuple(tensors[name].shape)
        if found != shape:
            raise ValueError(
                f"the stored {name} {of} must have the shape {shape} by the task's description, "
                f"got {found}: restore them with the description that was stored beside them"
            )


def require_stored(task: S, tensors: Mapping[str, Tensor], of: str) -> S:
    """The task. Raises ValueError unless its held-out sets are the stored ones."""
    own = task.tensors()
    if any(not made.equal(tensors[name].long()) for name, made in own.items()):
        *names, last = own
        raise ValueError(
            f"the stored {', '.join(names)} and {last} {of} are not those that the task's "
            f"description makes"
        )
    return task


def digests(rows: np.ndarray) -> np.ndarray:
    """A 64-bit number for each row of integers from -1."""
    odd = np.random.RandomState(0).randint(0, 2**62, rows.shape[1], dtype=np.int64) * 2 + 1
    mixed = (rows + 2) * odd
    mixed ^= mixed >> 29
    return (mixed * odd[::-1]).sum(1)
