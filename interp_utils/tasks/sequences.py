"""Tasks whose inputs are drawn at random, afresh at every step: sorting."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

NOTHING = -1  # the label where nothing is asked
TRAINING, VALIDATION, TEST = range(3)  # streams of random numbers
REDRAWS = 1000  # rounds before giving up


@dataclass(frozen=True, eq=False)
class Sequences:
    """Inputs that are answered at several positions.

    tokens: Int "n ctx". labels: Int "n ctx", the token to predict at each position, -1 where
    nothing is asked.
    """

    name: str
    tokens: Tensor
    labels: Tensor
    d_vocab: int
    grid: ClassVar[None] = None
    answer_pos: ClassVar[None] = None

    def __len__(self) -> int:
        return self.tokens.shape[0]

    @property
    def n_ctx(self) -> int:
        return self.tokens.shape[1]

    @property
    def n_classes(self) -> tuple[int, ...]:
        return (self.d_vocab,)

    @property
    def asked(self) -> Tensor:
        """Bool "n ctx": the positions with an answer."""
        return self.labels != NOTHING

    def to(self, device: torch.device | str) -> Sequences:
        return Sequences(self.name, self.tokens.to(device), self.labels.to(device), self.d_vocab)


@dataclass(frozen=True, eq=False)
class StreamTask:
    """Fresh inputs for every training step, and two fixed sets whose answers no training step ever
    shows.

    draw: (random state, n) -> n sequences. Everything follows from `seed`: a step's batch depends
    on the seed and the step alone.
    """

    name: str
    draw: Callable[[np.random.RandomState, int], Sequences]
    validation: Sequences
    test: Sequences
    seed: int
    params: Mapping[str, Any]

    @property
    def d_vocab(self) -> int:
        return self.test.d_vocab

    @property
    def n_classes(self) -> tuple[int, ...]:
        return self.test.n_classes

    @property
    def n_ctx(self) -> int:
        return self.test.n_ctx

    def batch(self, step: int, size: int) -> Sequences:
        """The training batch of a step. A row whose answer is that of a validation or test input is
        drawn again.
        """
        random = np.random.RandomState([self.seed, TRAINING, step])
        return _draw_without(self.draw, random, size, self._held_out)

    @cached_property
    def _held_out(self) -> np.ndarray:
        return np.concatenate([_digests(self.validation), _digests(self.test)])

    def about(self) -> dict[str, Any]:
        return {"name": self.name, "params": dict(self.params)}

    def tensors(self) -> dict[str, Tensor]:
        return {"validation": self.validation.tokens, "test": self.test.tokens}


def sorting(
    n_values: int,
    length: int | tuple[int, int],
    repeats: bool = False,
    seed: int = 0,
    n_validation: int = 500,
    n_test: int = 1000,
) -> StreamTask:
    """Lists of the numbers 0 .. n_values - 1 to be sorted: [START, list, MID, sorted list, PAD
    ...].

    length:  of every list, or (shortest, longest), each equally likely. Shorter lists are padded at
             the end, where a causal model never looks, so that each list is asked for exactly its
             own elements.
    repeats: whether a number may occur more than once.
    START, MID and PAD are the tokens n_values, n_values + 1 and n_values + 2 (the last with
    variable lengths only). From MID on, each position is asked for the next token of the sorted
    list. No training list has the elements of a validation or
    test list, in any order. Source: Patel et al., section 3.4.
    Raises ValueError where there are too few numbers, or too few different lists for the two sets.
    """
    shortest, longest = (length, length) if isinstance(length, int) else length
    if not (type(shortest) is type(longest) is int and 1 <= shortest <= longest):
        raise ValueError(
            "length must be an integer of at least 1, or two of them (shortest, longest), got "
            f"{length!r}"
        )
    if type(n_values) is not int or n_values < (1 if repeats else longest):
        raise ValueError(
            f"a list of {longest} different numbers needs n_values of at least {longest}, got "
            f"{n_values!r}; or set repeats=True"
        )
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer in 0 .. 2^32 - 1, got {seed!r}")
    if min(n_validation, n_test) < 1:
        raise ValueError(
            f"n_validation and n_test must be at least 1, got {n_validation} and {n_test}"
        )
    possible = {
        n: math.comb(n_values + (n - 1 if repeats else 0), n) for n in range(shortest, longest + 1)
    }
    room = np.array(
        [min(possible.get(n, 0) // 2, 2**31) for n in range(longest + 1)]
    )  # half of each length stays for training
    if n_validation + n_test > room.sum():
        raise ValueError(
            f"there are {sum(possible.values())} such lists up to order; n_validation + n_test = "
            f"{n_validation + n_test} must leave half "
            f"(of each length) for training"
        )

    def draw(random: np.random.RandomState, n: int) -> Sequences:
        lengths = random.randint(shortest, longest + 1, n)
        if repeats:
            return _to_sort(
                random.randint(0, n_values, (n, longest)), lengths, n_values, shortest < longest
            )
        permutations = random.random_sample((n, n_values)).argsort(1)
        return _to_sort(permutations[:, :longest], lengths, n_values, shortest < longest)

    random, params = (
        np.random.RandomState,
        {"n_values": n_values, "length": length, "repeats": repeats, "seed": seed},
    )
    validation = _distinct(
        draw, random([seed, VALIDATION]), n_validation, np.empty(0, np.int64), room
    )
    test = _distinct(
        draw,
        random([seed, TEST]),
        n_test,
        _digests(validation),
        room - np.bincount(_lengths(validation), minlength=longest + 1),
    )
    return StreamTask(
        "sorting",
        draw,
        validation,
        test,
        seed,
        {**params, "n_validation": n_validation, "n_test": n_test},
    )


def _to_sort(lists: np.ndarray, lengths: np.ndarray, n_values: int, pad: bool) -> Sequences:
    """lists: "n longest", of which the first `lengths` numbers of each count."""
    n, longest = lists.shape
    start, mid, padding = n_values, n_values + 1, n_values + 2
    lengths = lengths[:, None]
    ordered = np.sort(np.where(np.arange(longest) < lengths, lists, padding), axis=1)
    position = np.broadcast_to(np.arange(2 * longest + 2), (n, 2 * longest + 2))

    def at(values: np.ndarray, index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, index.clip(0, longest - 1), 1)

    tokens = np.select(
        [position == 0, position <= lengths, position == lengths + 1, position <= 2 * lengths + 1],
        [start, at(lists, position - 1), mid, at(ordered, position - lengths - 2)],
        default=padding,
    )
    asked = (position > lengths) & (position <= 2 * lengths)
    labels = np.where(asked, at(ordered, position - lengths - 1), NOTHING)
    d_vocab = n_values + (3 if pad else 2)
    return Sequences("sorting", torch.from_numpy(tokens), torch.from_numpy(labels), d_vocab)


def _distinct(
    draw: Callable, random: np.random.RandomState, n: int, without: np.ndarray, room: np.ndarray
) -> Sequences:
    """n sequences whose answers differ from each other and from those `without`, at most
    room[length] of a length.
    """
    found = _draw_without(draw, random, n, without)
    for _ in range(REDRAWS):
        kept = _take(found, _first_of_each(found, room))
        if len(kept) == n:
            return found
        found = _cat(
            kept,
            _draw_without(draw, random, n - len(kept), np.concatenate([without, _digests(kept)])),
        )
    raise ValueError(
        f"found only {len(kept)} of {n} different lists to hold out: ask for fewer, or take more "
        "numbers"
    )


def _first_of_each(sequences: Sequences, room: np.ndarray) -> np.ndarray:
    """The rows that have an answer first, and of each length the first as many as there is room
    for.
    """
    first = np.sort(np.unique(_digests(sequences), return_index=True)[1])
    lengths = _lengths(sequences)[first]
    by_length = np.argsort(lengths, kind="stable")
    before = np.concatenate([[0], np.bincount(lengths).cumsum()])[
        lengths[by_length]
    ]  # rows of shorter lengths
    rank = np.empty_like(by_length)
    rank[by_length] = np.arange(len(first)) - before
    return first[rank < room[lengths]]


def _draw_without(
    draw: Callable, random: np.random.RandomState, n: int, without: np.ndarray
) -> Sequences:
    """n sequences, each drawn again until its answer is not among those `without`."""
    found = draw(random, n)
    for _ in range(REDRAWS):
        taken = np.isin(_digests(found), without)
        if not taken.any():
            return found
        found = _cat(_take(found, np.flatnonzero(~taken)), draw(random, int(taken.sum())))
    raise ValueError(
        "nearly every list that is drawn is held out: hold out fewer, or take more numbers or "
        "lengths"
    )


def _take(sequences: Sequences, rows: np.ndarray) -> Sequences:
    chosen = torch.from_numpy(rows)
    return Sequences(
        sequences.name, sequences.tokens[chosen], sequences.labels[chosen], sequences.d_vocab
    )


def _lengths(sequences: Sequences) -> np.ndarray:
    return sequences.asked.sum(1).numpy()


def _cat(one: Sequences, other: Sequences) -> Sequences:
    return Sequences(
        one.name,
        torch.cat([one.tokens, other.tokens]),
        torch.cat([one.labels, other.labels]),
        one.d_vocab,
    )


def _digests(sequences: Sequences) -> np.ndarray:
    """A 64-bit number per answer. Two answers with the same number are treated as one: at worst a
    list is drawn again.
    """
    labels = sequences.labels.numpy()
    odd = np.random.RandomState(0).randint(0, 2**62, labels.shape[1], dtype=np.int64) * 2 + 1
    mixed = (labels + 2) * odd
    mixed ^= mixed >> 29
    return (mixed * odd[::-1]).sum(1)
