"""Which numbers are prime: as tokens, as digits, in rows of one table, and drawn afresh."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_utils.tasks import splits
from interp_utils.tasks.checks import plain_numbers
from interp_utils.tasks.digits import check_base, from_digits, n_digits, to_digits
from interp_utils.tasks.held_out import distinct, require_sizes, require_stored
from interp_utils.tasks.sequences import NOTHING, Sequences
from interp_utils.tasks.stream import TEST, VALIDATION, StreamTask
from interp_utils.tasks.task import Task

__all__ = [
    *("FreshPrimality", "NumberSplit", "Primality", "fresh_primality", "primality"),
    *("prime_rows", "primes_below", "sieve"),
]

NumberSplit = Literal["random", "in_order"]


@plain_numbers
def sieve(n: int) -> Bool[Tensor, "n"]:
    """Whether each of 0 .. n - 1 is prime, by Eratosthenes's sieve."""
    prime = torch.ones(max(n, 0), dtype=torch.bool)
    prime[:2] = False
    for q in range(2, math.isqrt(max(n - 1, 0)) + 1):
        if prime[q]:
            prime[q * q :: q] = False
    return prime


def primes_below(n: int) -> list[int]:
    """All primes q < n."""
    return sieve(n).nonzero().flatten().tolist()


@dataclass(frozen=True, eq=False)
class Primality(Task):
    """base: of the digits; None where every number is a token of its own.
    endings: the last digits of the numbers of which an input gives the others, one for each
    answer; () where an input gives the whole number.
    """

    base: int | None = None
    endings: tuple[int, ...] = ()
    kind: ClassVar[str] = "primality"

    @property
    def numbers(self) -> Int[Tensor, "n *answer"]:
        """The number that each label is of, which is what identifies an input."""
        if self.base is None:
            return self.tokens[:, 0]
        given = from_digits(self.tokens[:, :-1], self.base)  # the last token is "="
        if not self.endings:
            return given
        return given[:, None] * self.base + torch.tensor(self.endings, device=given.device)

    @property
    def answer_names(self) -> tuple[int, ...]:
        """The last digit of each answer's number."""
        return self.endings or super().answer_names

    def about(self) -> dict[str, Any]:
        return super().about() | {"base": self.base, "endings": list(self.endings)}

    @classmethod
    def stored_fields(
        cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> dict[str, Any]:
        own = {"base": about["base"], "endings": tuple(about["endings"])}
        return super().stored_fields(about, tensors) | own


@plain_numbers
def primality(
    n: int,
    base: int | None = None,
    frac_train: float = 0.7,
    seed: int = 0,
    split: NumberSplit = "random",
) -> Primality:
    """Whether each of 1 .. n is prime (class 1), as its digits in a base and "=", or as one token.

    base:  any from 2, every number with as many digits as n, the highest first. None: token t is
           the number t. A token that is not trained on then says nothing about its number: no
           model can generalise.
    split: "random", or "in_order", the first int(frac_train * n) numbers.
    Patel et al., section 3.1, is base=None, n=1000, split="in_order": their code, which their text
    describes otherwise. Raises ValueError where training or test numbers are not of both classes.
    """
    if type(n) is not int or n < 1:
        raise ValueError(f"n must be an integer of at least 1, got {n!r}")
    numbers, params = torch.arange(1, n + 1), {"n": n, "base": base, "frac_train": frac_train}
    if base is None:
        tokens, d_vocab = numbers[:, None], n + 1
    else:
        tokens, d_vocab = _spelled(numbers, check_base(base), n_digits(n, base)), base + 1
    return _task("primality", tokens, numbers, base, (), d_vocab, params, seed, split)


@plain_numbers
def prime_rows(
    base: int = 10,
    width: int = 4,
    frac_train: float = 0.7,
    seed: int = 0,
    split: NumberSplit = "random",
) -> Primality:
    """Which numbers with the digits of k before their last one are prime, for every k.

    There is an answer for each last digit that shares no factor with the base, and an input for
    each k that gives numbers of `width` digits: the digits of k and "=", without the last digits,
    which are the same in all rows. Base 10 and width 4 are 900 rows of 10k + 1, 10k + 3, 10k + 7
    and 10k + 9, 1,061 of these 3,600 numbers prime (Syrkis's slides of February 2024, where the
    last digits are part of the input). Rows are split, not numbers.
    """
    endings = tuple(last for last in range(1, check_base(base)) if math.gcd(last, base) == 1)
    if type(width) is not int or width < 2:
        raise ValueError(f"width must be an integer of at least 2, got {width!r}")
    k = torch.arange(base ** (width - 2), base ** (width - 1))
    params = {"base": base, "width": width, "frac_train": frac_train}
    numbers = k[:, None] * base + torch.tensor(endings)
    tokens = _spelled(k, base, width - 1)
    return _task("prime_rows", tokens, numbers, base, endings, base + 1, params, seed, split)


def _spelled(numbers: Tensor, base: int, width: int) -> Int[Tensor, "n ctx"]:
    """Digits and "=", which is the token after them."""
    equals = torch.full_like(numbers, base)[:, None]
    return torch.cat([to_digits(numbers, base, width), equals], 1)


def _task(
    name: str,
    tokens: Tensor,
    numbers: Tensor,
    base: int | None,
    endings: tuple[int, ...],
    d_vocab: int,
    params: dict[str, Any],
    seed: int,
    split: NumberSplit,
) -> Primality:
    labels = sieve(int(numbers.max()) + 1)[numbers].long()
    mask = _mask(len(numbers), params["frac_train"], seed, split)
    for part, of_part in (("training", mask), ("test", ~mask)):
        if of_part.any() and len(labels[of_part].unique()) < 2:
            raise ValueError(
                f"the {int(of_part.sum())} {part} inputs of {len(mask)} must have primes and other "
                f"numbers among them: take more numbers, or another frac_train"
            )
    n_answers = max(len(endings), 1)
    return Primality(
        name=name,
        tokens=tokens,
        labels=labels,
        train_mask=mask,
        n_classes=tuple(2 for _ in range(n_answers)),
        d_vocab=d_vocab,
        params=params | {"seed": seed, "split": split},
        weights=tuple(1 / n_answers for _ in endings) or None,
        base=base,
        endings=endings,
    )


def _mask(n: int, frac_train: float, seed: int, split: NumberSplit) -> Bool[Tensor, "n"]:
    if split not in get_args(NumberSplit):
        raise ValueError(f"split must be one of {get_args(NumberSplit)}, got {split!r}")
    drawn = splits.train_mask(n, frac_train, seed, "random")
    return drawn if split == "random" else torch.arange(n) < drawn.sum()


@dataclass(frozen=True, eq=False)
class FreshPrimality(StreamTask):
    """Two inputs are the same where they spell the same number. base, limit: see
    `fresh_primality`.
    """

    base: int
    limit: int
    kind: ClassVar[str] = "fresh_primality"

    @property
    def params(self) -> dict[str, Any]:
        return {"limit": self.limit, "base": self.base} | super().params

    def draw(self, random: np.random.RandomState, n: int) -> Sequences:
        return _draw(self.base, self.limit, random, n)

    def identity(self, sequences: Sequences) -> np.ndarray:
        return self.numbers(sequences).numpy()

    def numbers(self, sequences: Sequences) -> Int[Tensor, "n"]:
        """The number that each input spells."""
        return from_digits(sequences.tokens[:, :-1], self.base)

    @classmethod
    def restore(cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> FreshPrimality:
        """Raises ValueError if the stored numbers are not those that the description makes."""
        params = about["params"]
        width = n_digits(params["limit"] - 1, params["base"]) + 1
        sizes = {name: (params[f"n_{name}"], width) for name in ("validation", "test")}
        require_sizes(tensors, sizes, "numbers")
        return require_stored(fresh_primality(**params), tensors, "numbers")


@plain_numbers
def fresh_primality(
    limit: int = 10**6, base: int = 10, seed: int = 0, n_validation: int = 1000, n_test: int = 10000
) -> FreshPrimality:
    """Whether numbers 1 .. limit - 1, each equally likely, are prime: digits in a base and "=",
    where the class is asked for, 1 for a prime.

    No training number is a validation or test number. Raises ValueError where they are more than
    half of all numbers, or a base is below 2.
    """
    check_base(base)
    splits.check_seed(seed)
    if type(limit) is not int or not 5 <= limit <= 10**8:
        raise ValueError(f"limit must be an integer in 5 .. 10^8, got {limit!r}")
    if min(n_validation, n_test) < 1 or 2 * (n_validation + n_test) > limit - 1:
        raise ValueError(
            f"n_validation and n_test must be at least 1 and leave half of the {limit - 1} numbers "
            f"for training, got {n_validation} and {n_test}"
        )
    draw = functools.partial(_draw, base, limit)

    def identity(sequences: Sequences) -> np.ndarray:
        return from_digits(sequences.tokens[:, :-1], base).numpy()

    random, none = np.random.RandomState, np.empty(0, np.int64)
    validation = distinct(draw, identity, random([seed, VALIDATION]), n_validation, none)
    test = distinct(draw, identity, random([seed, TEST]), n_test, identity(validation))
    return FreshPrimality("fresh_primality", validation, test, seed, base=base, limit=limit)


def _draw(base: int, limit: int, random: np.random.RandomState, n: int) -> Sequences:
    numbers = torch.from_numpy(random.randint(1, limit, n, dtype=np.int64))
    tokens = _spelled(numbers, base, n_digits(limit - 1, base))
    labels = torch.full_like(tokens, NOTHING)
    labels[:, -1] = _sieve_once(limit)[numbers].long()
    return Sequences("fresh_primality", tokens, labels, d_vocab=base + 1, n_outputs=2)


@functools.lru_cache(maxsize=1)
def _sieve_once(limit: int) -> Bool[Tensor, "limit"]:
    """Each batch asks for it."""
    return sieve(limit)
