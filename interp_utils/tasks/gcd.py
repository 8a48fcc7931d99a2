"""Greatest common divisors of two numbers, all of them as digits in a base."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interp_utils.tasks.checks import plain_numbers
from interp_utils.tasks.digits import check_base, n_digits
from interp_utils.tasks.held_out import (
    distinct,
    draw_without,
    require_sizes,
    require_stored,
)
from interp_utils.tasks.pairs_as_digits import Spelling
from interp_utils.tasks.sequences import Sequences
from interp_utils.tasks.splits import check_seed
from interp_utils.tasks.stream import TEST, VALIDATION, StreamTask

__all__ = ["GCD", "Operands", "gcd"]

Operands = Literal["uniform", "log_uniform"]
STRATIFIED, DATA = 3, 4  # streams of random numbers, after those of every stream


@dataclass(frozen=True, eq=False)
class Drawing:
    """How pairs (a, b) are drawn; see `gcd`."""

    largest: int
    operands: Operands
    uniform_gcds: float
    n_gcds: int

    def pairs(self, random: np.random.RandomState, n: int) -> tuple[np.ndarray, np.ndarray]:
        a, b = self._operand(random, n), self._operand(random, n)
        if self.uniform_gcds:
            chosen = np.flatnonzero(random.random_sample(n) < self.uniform_gcds)
            a[chosen], b[chosen] = self.with_gcds(
                random, random.randint(1, self.n_gcds + 1, len(chosen))
            )
        return a, b

    def _operand(self, random: np.random.RandomState, n: int) -> np.ndarray:
        if self.operands == "uniform":
            return random.randint(1, self.largest + 1, n, dtype=np.int64)
        # The whole part of e^u, u < ln(largest + 1): every number can come, as the largest can.
        drawn = np.exp(random.random_sample(n) * np.log(self.largest + 1)).astype(np.int64)
        return drawn.clip(1, self.largest)

    def with_gcds(
        self, random: np.random.RandomState, gcds: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """A pair with each gcd k: k times two coprime numbers of 1 .. largest // k, each pair of
        them equally likely.
        """
        factors = np.zeros((2, len(gcds)), dtype=np.int64)
        open_ = np.arange(len(gcds))
        while len(open_):
            limits = np.broadcast_to(self.largest // gcds[open_] + 1, (2, len(open_)))
            factors[:, open_] = random.randint(1, limits, dtype=np.int64)
            open_ = open_[np.gcd(*factors[:, open_]) > 1]
        return factors[0] * gcds, factors[1] * gcds

    def strata(self, random: np.random.RandomState, per_gcd: int) -> tuple[np.ndarray, np.ndarray]:
        """per_gcd different pairs with each gcd 1 .. n_gcds."""
        gcds = np.arange(1, self.n_gcds + 1).repeat(per_gcd)
        a, b = self.with_gcds(random, gcds)
        while True:
            first = np.unique(np.stack([a, b]), axis=1, return_index=True)[1]
            again = np.setdiff1d(np.arange(len(gcds)), first)
            if not len(again):
                return a, b
            a[again], b[again] = self.with_gcds(random, gcds[again])


@dataclass(frozen=True, eq=False)
class GCD(StreamTask):
    """Two inputs are the same where they have the same a and the same b: (a, b) is not (b, a).

    spelling:   how pairs and answers are tokens; `spelling.operands(sequences)` gives a and b,
                `spelling.numbers(answers)` the number that a model answers.
    drawing:    how training pairs are drawn.
    stratified: as many pairs with each gcd 1 .. n_gcds; in the test set they are as they come.
    data:       the fixed training pairs, or None where every step draws fresh ones.
    """

    spelling: Spelling
    drawing: Drawing
    stratified: Sequences
    data: Sequences | None
    kind: ClassVar[str] = "gcd"

    @property
    def params(self) -> dict[str, Any]:
        return {
            "base": self.spelling.base,
            "largest": self.drawing.largest,
            "operands": self.drawing.operands,
            "uniform_gcds": self.drawing.uniform_gcds,
            "width": self.spelling.width,
            "separators": self.spelling.separators,
            "n_pairs": None if self.data is None else len(self.data),
            **super().params,
            "n_gcds": self.drawing.n_gcds,
            "per_gcd": len(self.stratified) // self.drawing.n_gcds,
        }

    def draw(self, random: np.random.RandomState, n: int) -> Sequences:
        if self.data is not None:
            return self.data.take(random.randint(0, len(self.data), n))
        return _spelled(self.spelling, self.drawing.pairs(random, n))

    def identity(self, sequences: Sequences) -> np.ndarray:
        return _identity(self.spelling, sequences)

    def gcds(self, sequences: Sequences) -> Int[Tensor, "n"]:
        """The greatest common divisor that each input asks for."""
        return torch.gcd(*self.spelling.operands(sequences))

    @property
    def held_out(self) -> dict[str, Sequences]:
        return super().held_out | {"stratified": self.stratified}

    def tensors(self) -> dict[str, Tensor]:
        """a and b of each pair: less to store than their digits."""
        return {
            name: torch.stack(self.spelling.operands(sequences), 1)
            for name, sequences in self.held_out.items()
        }

    @classmethod
    def restore(cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> GCD:
        """Raises ValueError if the stored pairs are not those that the description makes."""
        params = about["params"]
        sizes = {name: (params[f"n_{name}"], 2) for name in ("validation", "test")}
        sizes["stratified"] = (params["n_gcds"] * params["per_gcd"], 2)
        require_sizes(tensors, sizes, "pairs")
        return require_stored(gcd(**params), tensors, "pairs")


@plain_numbers
def gcd(
    base: int,
    largest: int = 10**6,
    operands: Operands = "uniform",
    uniform_gcds: float = 0.0,
    width: int | None = None,
    separators: bool = False,
    n_pairs: int | None = None,
    seed: int = 0,
    n_validation: int = 1000,
    n_test: int = 10000,
    n_gcds: int = 100,
    per_gcd: int = 20,
) -> GCD:
    """The greatest common divisor of a and b in 1 .. largest, as digits: a, b, "=", gcd.

    base:         of all three, any from 2; the highest digit comes first.
    operands:     of training, validation and test pairs: "uniform", or "log_uniform", the whole
                  part of e^u with u uniform in [0, ln(largest + 1)).
    uniform_gcds: the share of training pairs that are drawn by their gcd instead, uniform in 1 ..
                  n_gcds. Validation and test pairs are all drawn as `operands` says.
    width:        digits of every number, with zeros in front; default: those of `largest`.
    separators:   numbers without zeros in front, a separator before each, and an end token.
    n_pairs:      as many fixed training pairs, of which each step takes some; None: fresh ones.
    n_gcds, per_gcd: the stratified test set has per_gcd pairs with each gcd k of 1 .. n_gcds, k
                  times two uniform coprime numbers.
    No training pair (a, b) is a validation, test or stratified pair; (b, a) may be. All of these
    differ from each other, so that the frequent small pairs of "log_uniform" come less often than
    drawn, and in training least: a = 1 about 3.5 % of the time, not 5 %. Source: Charton
    2023, where an encoder and a decoder learn it; Patel et al., section 3.2, with fixed pairs.
    Raises ValueError where operands do not fit the width, or there are too few pairs with a gcd.
    """
    check_base(base)
    check_seed(seed)
    if operands not in get_args(Operands):
        raise ValueError(f"operands must be one of {get_args(Operands)}, got {operands!r}")
    if type(largest) is not int or not 2 <= largest <= 10**9:
        raise ValueError(f"largest must be an integer in 2 .. 10^9, got {largest!r}")
    if not 0 <= uniform_gcds <= 1:
        raise ValueError(f"uniform_gcds must be a share, from 0 to 1, got {uniform_gcds!r}")
    width = n_digits(largest, base) if width is None else width
    if type(width) is not int or not n_digits(largest, base) <= width <= 64:
        raise ValueError(
            f"operands up to {largest} take {n_digits(largest, base)} digits in base {base}, so "
            f"that width must be an integer from that to 64, got {width!r}"
        )
    counts = {"n_validation": n_validation, "n_test": n_test}
    if n_pairs is not None:
        counts["n_pairs"] = n_pairs
    for name, count in counts.items():
        if type(count) is not int or count < 1:
            raise ValueError(f"{name} must be an integer of at least 1, got {count!r}")
    if 2 * (n_validation + n_test) > largest**2:
        raise ValueError(
            f"n_validation + n_test = {n_validation + n_test} must leave half of the {largest**2} "
            f"pairs for training"
        )
    _check_strata(largest, n_gcds, per_gcd)
    spelling = Spelling(base, width, separators)
    drawing = Drawing(largest, operands, float(uniform_gcds), n_gcds)
    natural = Drawing(largest, operands, 0.0, n_gcds)
    identity = functools.partial(_identity, spelling)

    def draw(random: np.random.RandomState, n: int) -> Sequences:
        return _spelled(spelling, natural.pairs(random, n))

    random = np.random.RandomState
    # The strata first: a small one has few pairs, which the other sets leave to it.
    stratified = _spelled(spelling, drawing.strata(random([seed, STRATIFIED]), per_gcd))
    held_out = identity(stratified)
    validation = distinct(draw, identity, random([seed, VALIDATION]), n_validation, held_out)
    held_out = np.concatenate([held_out, identity(validation)])
    test = distinct(draw, identity, random([seed, TEST]), n_test, held_out)
    held_out = np.unique(np.concatenate([held_out, identity(test)]))
    data = None
    if n_pairs is not None:

        def draw_data(random: np.random.RandomState, n: int) -> Sequences:
            return _spelled(spelling, drawing.pairs(random, n))

        data = draw_without(draw_data, identity, random([seed, DATA]), n_pairs, held_out)
    of_all = ("gcd", validation, test, seed)
    return GCD(*of_all, spelling=spelling, drawing=drawing, stratified=stratified, data=data)


def _check_strata(largest: int, n_gcds: int, per_gcd: int) -> None:
    if type(n_gcds) is not int or not 1 <= n_gcds <= largest:
        raise ValueError(
            f"n_gcds must be an integer in 1 .. {largest}, since no two numbers up to {largest} "
            f"have a larger gcd, got {n_gcds!r}"
        )
    factors = np.arange(1, min(largest // n_gcds, 1000) + 1)
    coprime = int((np.gcd.outer(factors, factors) == 1).sum())  # at least as many
    if type(per_gcd) is not int or not 1 <= 2 * per_gcd <= coprime:
        raise ValueError(
            f"per_gcd must be at least 1 and leave half of the {coprime} pairs with gcd {n_gcds} "
            f"for training, got {per_gcd!r}: take a smaller n_gcds, or a larger `largest`"
        )


def _spelled(spelling: Spelling, pairs: tuple[np.ndarray, np.ndarray]) -> Sequences:
    a, b = map(torch.from_numpy, pairs)
    return spelling.sequences("gcd", a, b, torch.gcd(a, b))


def _identity(spelling: Spelling, sequences: Sequences) -> np.ndarray:
    """a and b as one number: both are below 2^31."""
    a, b = spelling.operands(sequences)
    return (a * 2**31 + b).numpy()
