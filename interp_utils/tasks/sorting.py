"""Lists of numbers to be sorted."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from interp_utils.tasks.checks import plain_numbers
from interp_utils.tasks.held_out import digests, first_of_each, require_sizes, require_stored
from interp_utils.tasks.held_out import distinct as distinct_inputs
from interp_utils.tasks.sequences import NOTHING, Sequences
from interp_utils.tasks.splits import check_seed
from interp_utils.tasks.stream import TEST, VALIDATION, StreamTask

__all__ = ["Sorting", "sorting"]


@dataclass(frozen=True, eq=False)
class Sorting(StreamTask):
    """Two lists are the same input if they have the same elements, in any order.

    n_values, lengths, repeats: see `sorting`; lengths is (shortest, longest).
    """

    n_values: int
    lengths: tuple[int, int]
    repeats: bool
    kind: ClassVar[str] = "sorting"

    @property
    def params(self) -> dict[str, Any]:
        shortest, longest = self.lengths
        length = longest if shortest == longest else self.lengths
        own = {"n_values": self.n_values, "length": length, "repeats": self.repeats}
        return own | super().params

    def draw(self, random: np.random.RandomState, n: int) -> Sequences:
        return _draw(self.n_values, self.lengths, self.repeats, random, n)

    def identity(self, sequences: Sequences) -> np.ndarray:
        return _elements(sequences)

    @classmethod
    def restore(cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Sorting:
        """Raises ValueError if the stored lists are not those that the description makes."""
        params = dict(about["params"])
        if isinstance(params["length"], list):
            params["length"] = tuple(params["length"])
        longest = max(params["length"]) if isinstance(params["length"], tuple) else params["length"]
        names = ("validation", "test")
        require_sizes(tensors, {n: (params[f"n_{n}"], 2 * longest + 2) for n in names}, "lists")
        for name in names:
            start = int(tensors[name][0, 0])
            if start != params["n_values"]:
                raise ValueError(
                    f"the stored {name} lists must begin with the token {params['n_values']} by "
                    f"the task's description, got {start}"
                )
        return require_stored(sorting(**params), tensors, "lists")


@plain_numbers
def sorting(
    n_values: int,
    length: int | tuple[int, int],
    repeats: bool = False,
    seed: int = 0,
    n_validation: int = 500,
    n_test: int = 1000,
) -> Sorting:
    """Lists of the numbers 0 .. n_values - 1 to be sorted: [START, list, MID, sorted list, PAD
    ...].

    length:  the length of every list, or (shortest, longest), each equally likely. Shorter lists
             are padded at the end, where a causal model never looks: each list is asked for exactly
             its own elements.
    repeats: whether a number may occur more than once.
    START, MID and PAD are the tokens n_values, n_values + 1 and n_values + 2 (the last with
    variable lengths only). From MID on, each position is asked for the next token of the sorted
    list. No training list has the elements of a validation or test list, in any order. Source:
    Patel et al., section 3.4.
    Raises ValueError where there are too few numbers, or too few different lists for the two sets.
    """
    shortest, longest = (length, length) if isinstance(length, int) else length
    if not (type(shortest) is type(longest) is int and 1 <= shortest <= longest):
        raise ValueError(
            f"length must be an integer of at least 1, or two of them (shortest, longest), got "
            f"{length!r}"
        )
    if type(n_values) is not int or n_values < (1 if repeats else longest):
        raise ValueError(
            f"a list of {longest} different numbers needs n_values of at least {longest}, got "
            f"{n_values!r}; or set repeats=True"
        )
    check_seed(seed)
    if min(n_validation, n_test) < 1:
        raise ValueError(
            f"n_validation and n_test must be at least 1, got {n_validation} and {n_test}"
        )
    possible = {
        n: math.comb(n_values + (n - 1 if repeats else 0), n) for n in range(shortest, longest + 1)
    }
    # Half of the lists of each length stay for training.
    room = np.array([min(possible.get(n, 0) // 2, 2**31) for n in range(longest + 1)])
    if n_validation + n_test > room.sum():
        raise ValueError(
            f"there are {sum(possible.values())} such lists up to order; n_validation + n_test = "
            f"{n_validation + n_test} must leave half (of each length) for training"
        )
    random, none = np.random.RandomState, np.empty(0, np.int64)
    draw = functools.partial(_draw, n_values, (shortest, longest), repeats)
    held_out = functools.partial(distinct_inputs, draw, _elements)
    of_length = functools.partial(_first_of_each_length, room=room)
    validation = held_out(random([seed, VALIDATION]), n_validation, none, of_length)
    left = room - np.bincount(_lengths(validation), minlength=longest + 1)
    of_length = functools.partial(_first_of_each_length, room=left)
    test = held_out(random([seed, TEST]), n_test, _elements(validation), of_length)
    of_all = ("sorting", validation, test, seed)
    return Sorting(*of_all, n_values=n_values, lengths=(shortest, longest), repeats=repeats)


def _draw(
    n_values: int,
    lengths: tuple[int, int],
    repeats: bool,
    random: np.random.RandomState,
    n: int,
) -> Sequences:
    shortest, longest = lengths
    drawn = random.randint(shortest, longest + 1, n)
    if repeats:
        lists = random.randint(0, n_values, (n, longest))
    else:
        lists = random.random_sample((n, n_values)).argsort(1)[:, :longest]
    return _to_sort(lists, drawn, n_values, shortest < longest)


def _to_sort(lists: np.ndarray, lengths: np.ndarray, n_values: int, pad: bool) -> Sequences:
    """lists: "n longest"; in each list the first numbers, as many as `lengths` says, count."""
    n, longest = lists.shape
    start, mid, padding = n_values, n_values + 1, n_values + 2
    lengths = lengths[:, None]
    ordered = np.sort(np.where(np.arange(longest) < lengths, lists, padding), axis=1)
    position = np.broadcast_to(np.arange(2 * longest + 2), (n, 2 * longest + 2))

    tokens = np.select(
        [position == 0, position <= lengths, position == lengths + 1, position <= 2 * lengths + 1],
        [start, _at(lists, position - 1), mid, _at(ordered, position - lengths - 2)],
        default=padding,
    )
    asked = (position > lengths) & (position <= 2 * lengths)
    labels = np.where(asked, _at(ordered, position - lengths - 1), NOTHING)
    d_vocab = n_values + (3 if pad else 2)
    return Sequences("sorting", torch.from_numpy(tokens), torch.from_numpy(labels), d_vocab)


def _at(lists: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The numbers at these places of each list, or at the nearest that there is."""
    return np.take_along_axis(lists, places.clip(0, lists.shape[1] - 1), 1)


def _elements(sequences: Sequences) -> np.ndarray:
    """The labels are the sorted list: the same for lists of the same elements."""
    return digests(sequences.labels.numpy())


def _lengths(sequences: Sequences) -> np.ndarray:
    return sequences.asked.sum(1).numpy()


def _first_of_each_length(sequences: Sequences, room: np.ndarray) -> np.ndarray:
    return first_of_each(_lengths(sequences), room)
