"""Integer sequences by their rules: eight kinds of generators, and the sequences that each makes.

A sequence is known here by its first terms up to a constant, since adding one changes no rule.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interp_utils.tasks.held_out import digests
from interp_utils.tasks.primes import sieve

RECURRENCES = ((1, 1), (-1, 1), (2, 1), (-2, 1), (3, -1), (-3, -1))
BASES = ((5, 4), (4, 3), (3, 2), (5, 3), (7, 4), (2, 1), (-5, 4), (-3, 2), (-2, 1))
DEGREES = 3
PRIMES, BLOCK = 40_000, 24  # primes up to the first, and so many of them in a row to a rule
CYCLES = 1000  # of each period

Made = Iterator[tuple[tuple[int, ...], np.ndarray]]  # rules, and sequences "k n" of each


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Sequences up to a constant, each of one kind and of one rule.

    terms:   Int "k n", whose smallest is 0.
    kind:    Int "k", by its place in `GENERATORS`.
    variety: Int "k", what a kind is drawn by: a polynomial's degree, a period, a recurrence.
    rule:    Int "k". Sequences have one rule where one is the other later on, or by another
             constant; rules of one kind are numbered on from those of the kind before it.
    """

    terms: np.ndarray
    kind: np.ndarray
    variety: np.ndarray
    rule: np.ndarray

    def told(self, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The kind and the variety of each sequence "n terms", whatever constant was added to it.
        Raises ValueError where the catalogue has no such sequence.
        """
        known, order = self._digests
        asked = digests(terms - terms.min(1, keepdims=True))
        ranks = np.searchsorted(known, asked).clip(max=len(known) - 1)
        stranger = known[ranks] != asked
        if stranger.any():
            raise ValueError(f"no generator makes {terms[stranger][0].tolist()}")
        return self.kind[order[ranks]], self.variety[order[ranks]]

    @functools.cached_property
    def _digests(self) -> tuple[np.ndarray, np.ndarray]:
        of_each = digests(self.terms)
        order = np.argsort(of_each)
        return of_each[order], order


def polynomial(n: int, span: int) -> Made:
    """sum over k of c_k binomial(i, k), which are the polynomials with integer values.

    A rule has the degree d, c_d, and c_(d-1) modulo c_d, since i + 1 in place of i adds each
    coefficient to the one before it.
    """
    i, widest = np.arange(n), np.arange(-span, span + 1)
    second, third = i * (i - 1) // 2, i * (i - 1) * (i - 2) // 6
    for c in range(1, span // 7):
        for lead in (c, -c):
            yield (1, lead), lead * i[None]
            for rest in range(c):
                below = widest[(widest - rest) % c == 0]
                yield (2, lead, rest), lead * second + below[:, None] * i
                shapes = (lead * third + below[:, None] * second)[:, None] + widest[:, None] * i
                yield (3, lead, rest), shapes.reshape(-1, n)


def exponential(n: int, span: int) -> Made:
    """floor(a b^i / 16) for fractions b = p / q, in integers: a p^i // (16 q^i).

    A rule has the first a of those that a b, a b^2, ... lead to, since a b is one term later on.
    """
    i = np.arange(n)
    for p, q in BASES:
        for a in range(-16 * span, 16 * span + 1):
            first = a
            while first and first % p == 0:
                first = first // p * q
            yield (10 * p + q, first), (a * p**i // (16 * q**i))[None]


def periodic(n: int, span: int) -> Made:
    """Cycles of 2 .. n // 2 terms, a sample of them; a rule has all turns of a cycle."""
    random = np.random.RandomState(0)
    for period in range(2, n // 2 + 1):
        for _ in range(CYCLES):
            cycle = random.randint(0, random.randint(1, span + 1) + 1, period)
            turns = np.stack([np.roll(cycle, -k) for k in range(period)])
            first = min(map(tuple, turns - cycle.min()))
            yield (period, *map(int, first)), np.tile(turns, n)[:, :n]


def modular(n: int, span: int) -> Made:
    """(k i + c) mod m."""
    i = np.arange(n)
    for m in range(3, min(span, 40) + 1):
        for k in range(1, m):
            yield (0, k, m), (k * i + np.arange(m)[:, None]) % m


def prime(n: int, span: int) -> Made:
    """n primes in a row; a rule has the windows inside of a block of primes in a row."""
    primes = np.flatnonzero(sieve(PRIMES).numpy())
    for start in range(0, len(primes) - BLOCK, BLOCK):
        block = primes[start : start + BLOCK]
        yield (0, start), np.lib.stride_tricks.sliding_window_view(block, n)


def recurrence(n: int, span: int) -> Made:
    """s(i) = u s(i - 1) + v s(i - 2) with v = 1 or -1.

    Then s(i)^2 - u s(i) s(i - 1) - v s(i - 1)^2 is the same up to its sign for all i: a rule has
    what it is.
    """
    a, b = np.meshgrid(np.arange(-span, span + 1), np.arange(-span, span + 1))
    for place, (u, v) in enumerate(RECURRENCES):
        terms = [a.ravel(), b.ravel()]
        while len(terms) < n:
            terms.append(u * terms[-1] + v * terms[-2])
        invariant = np.abs(terms[1] ** 2 - u * terms[1] * terms[0] - v * terms[0] ** 2)
        made = np.stack(terms, 1)
        fits = np.ptp(made, axis=1) <= span
        made, invariant = made[fits], invariant[fits]
        for each in np.unique(invariant):
            yield (place, int(each)), made[invariant == each]


def bounded(n: int, span: int) -> Made:
    """min(h, a max(0, i - j)), and the same from the last term to the first, with both bounds
    reached for at least two terms.
    """
    i = np.arange(n)
    for a in range(1, span):
        for h in range(a, min(span, a * n) + 1):
            made = np.minimum(h, a * (i - i[:, None]).clip(0))
            made = made[((made == 0).sum(1) > 1) & ((made == h).sum(1) > 1)]
            yield (0, a, h), made
            yield (1, a, h), made[:, ::-1]


def trigonometric(n: int, span: int) -> Made:
    """The nearest integers to A cos(2 pi (i / T + phase)), for periods T that are no integers."""
    i, phases = np.arange(n), np.arange(12)[:, None] / 12
    for eighths in range(36, 88):
        if eighths % 8:
            for A in range(3, span // 2 + 1):
                exact = A * np.cos(2 * np.pi * (8 * i / eighths + phases))
                clear = np.abs(exact % 1 - 0.5).min(1) > 1e-6  # of rounding that may go either way
                yield (0, A, eighths), exact.round().astype(np.int64)[clear]


GENERATORS = (
    polynomial,
    exponential,
    periodic,
    modular,
    prime,
    recurrence,
    bounded,
    trigonometric,
)
KINDS = tuple(each.__name__ for each in GENERATORS)


@functools.lru_cache(maxsize=2)
def catalogue(n: int, span: int) -> Catalogue:
    """The sequences of n terms, none of them constant, whose largest and smallest differ by at most
    `span`.

    Left out is every sequence that has two kinds, or two rules: a polynomial of a degree up to 3, a
    recurrence or a cycle is of no other kind, and what two generators make is of neither.
    """
    found = [
        (made - made.min(1, keepdims=True), kind, rule)
        for kind, generator in enumerate(GENERATORS)
        for rule, made in generator(n, span)
    ]
    numbers = {each: number for number, each in enumerate(dict.fromkeys(f[1:] for f in found))}
    labels = np.array([(kind, rule[0], numbers[kind, rule]) for _, kind, rule in found])
    terms = np.concatenate([made for made, *_ in found])
    labels = labels.repeat([len(made) for made, *_ in found], axis=0)
    fits = (terms.max(1) > 0) & (terms.max(1) <= span)
    terms, labels = terms[fits], labels[fits]
    own = has_kind(terms, labels[:, 0])
    terms, (kind, variety, rule) = terms[own], labels[own].T
    _, first, which = np.unique(digests(terms), return_index=True, return_inverse=True)
    lowest, highest = np.full(len(first), len(numbers)), np.full(len(first), -1)
    np.minimum.at(lowest, which, rule)
    np.maximum.at(highest, which, rule)
    kept = np.sort(first[lowest == highest])
    return Catalogue(*(each[kept] for each in (terms, kind, variety, rule)))


def has_kind(terms: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Whether each sequence is of its kind, and of no other, where the terms themselves tell."""
    told = {
        "polynomial": (np.diff(terms, DEGREES + 1) == 0).all(1),
        "periodic": least_period(terms) <= terms.shape[1] // 2,
        "recurrence": follows_recurrence(terms),
    }
    agree = [holds == (kind == KINDS.index(name)) for name, holds in told.items()]
    return np.logical_and.reduce(agree)


def degree(terms: np.ndarray) -> np.ndarray:
    """The least d for which the differences of order d + 1 vanish: the degree of the polynomial
    through the terms.
    """
    n = terms.shape[1]
    vanish = [(np.diff(terms, order) == 0).all(1) for order in range(1, n)]
    return np.stack([*vanish, np.ones(len(terms), dtype=bool)]).argmax(0)


def least_period(terms: np.ndarray) -> np.ndarray:
    """The least T with s(i + T) = s(i) wherever both are seen; n where there is none."""
    n = terms.shape[1]
    repeat = [(terms[:, T:] == terms[:, :-T]).all(1) for T in range(1, n)]
    return np.stack([*repeat, np.ones(len(terms), dtype=bool)]).argmax(0) + 1


def follows_recurrence(terms: np.ndarray) -> np.ndarray:
    """Whether the differences follow one of `RECURRENCES`, as those of s + constant do."""
    d = np.diff(terms)
    return np.logical_or.reduce(
        [(d[:, 2:] == u * d[:, 1:-1] + v * d[:, :-2]).all(1) for u, v in RECURRENCES]
    )
