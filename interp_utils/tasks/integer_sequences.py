"""Four questions about integer sequences, for one encoder: which kind, the same kind or not, the
next term, the hidden term (after Belcak et al. 2022, FACT).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_utils.tasks.checks import plain_numbers
from interp_utils.tasks.held_out import require_sizes, require_stored
from interp_utils.tasks.integer_generators import KINDS, Catalogue, catalogue
from interp_utils.tasks.sequences import NOTHING, Sequences
from interp_utils.tasks.splits import check_seed
from interp_utils.tasks.stream import TEST, VALIDATION, StreamTask

__all__ = ["QUESTIONS", "SEQUENCE_KINDS", "IntegerSequences", "integer_sequences"]

SEQUENCE_KINDS = KINDS
QUESTIONS = ("classification", "comparison", "continuation", "unmasking")
SPLIT = 3  # a stream of random numbers, after those of every stream


@dataclass(frozen=True)
class Writing:
    """Sequences as tokens: [question, terms, terms of the other sequence or padding].

    Token t < 2 limit + 1 is the number t - limit; then come the hidden term, padding, and the four
    questions. Where a term is hidden it is asked for at its place, anything else at the question.
    Each question has outputs of its own, side by side, at one encoder.
    """

    n_terms: int
    limit: int

    @property
    def n_numbers(self) -> int:
        return 2 * self.limit + 1

    @property
    def hidden(self) -> int:
        return self.n_numbers

    @property
    def padding(self) -> int:
        return self.n_numbers + 1

    @property
    def d_vocab(self) -> int:
        return self.n_numbers + 2 + len(QUESTIONS)

    @property
    def n_ctx(self) -> int:
        return 1 + 2 * self.n_terms

    def outputs(self, question: str) -> range:
        """The outputs that are a question's answers: kinds, in the order of `SEQUENCE_KINDS`;
        other kinds and the same kind; numbers, from -limit. Raises ValueError for another question.
        """
        if question not in QUESTIONS:
            raise ValueError(f"question must be one of {QUESTIONS}, got {question!r}")
        sizes = (len(KINDS), 2, self.n_numbers, self.n_numbers)
        place = QUESTIONS.index(question)
        return range(sum(sizes[:place]), sum(sizes[: place + 1]))

    def written(
        self, questions: np.ndarray, terms: np.ndarray, others: np.ndarray, answers: np.ndarray
    ) -> Sequences:
        """questions: "n", by their places. terms, others: "n terms", others only where compared.

        answers: "n 4": the kind; whether the other's is the same; the places of the hidden terms.
        """
        rows = np.arange(len(terms))
        tokens = np.full((len(terms), self.n_ctx), self.padding)
        tokens[:, 0] = self.padding + 1 + questions
        tokens[:, 1 : self.n_terms + 1] = terms + self.limit
        compared = questions == QUESTIONS.index("comparison")
        tokens[compared, self.n_terms + 1 :] = others[compared] + self.limit
        asked = answers[rows, questions]
        hides = questions >= QUESTIONS.index("continuation")
        at = np.where(hides, 1 + asked, 0)
        first = np.array([self.outputs(question).start for question in QUESTIONS])
        labels = np.full_like(tokens, NOTHING)
        labels[rows, at] = first[questions] + np.where(hides, tokens[rows, at], asked)
        tokens[rows[hides], at[hides]] = self.hidden
        of = (torch.from_numpy(tokens), torch.from_numpy(labels))
        n_outputs = self.outputs(QUESTIONS[-1]).stop
        return Sequences("integer_sequences", *of, self.d_vocab, n_outputs)


class Drawing:
    """Sequences of some rules: each kind, each variety of it, each of its sequences, and each
    constant that leaves it within the limit, equally likely.
    """

    def __init__(self, writing: Writing, found: Catalogue, rules: np.ndarray) -> None:
        rows = np.flatnonzero(np.isin(found.rule, rules))
        order = rows[np.lexsort((found.variety[rows], found.kind[rows]))]
        _, varieties, sizes = np.unique(
            np.stack([found.kind[order], found.variety[order]]),
            axis=1,
            return_index=True,
            return_counts=True,
        )
        self.writing = writing
        self.terms = found.terms[order]
        self.start, self.size = varieties, sizes  # of each variety, in the order of rows
        self.n_varieties = np.bincount(found.kind[order[varieties]], minlength=len(KINDS))
        self.first = self.n_varieties.cumsum() - self.n_varieties

    def sequences(self, random: np.random.RandomState, kinds: np.ndarray) -> np.ndarray:
        """A sequence of each kind: "n terms"."""

        def below(limits: np.ndarray) -> np.ndarray:
            return (random.random_sample(len(kinds)) * limits).astype(np.int64)

        variety = self.first[kinds] + below(self.n_varieties[kinds])
        terms = self.terms[self.start[variety] + below(self.size[variety])]
        room = self.writing.n_numbers - terms.max(1)
        return terms + (below(room) - self.writing.limit)[:, None]

    def asked(self, random: np.random.RandomState, questions: np.ndarray) -> Sequences:
        """A sequence for each question, and for a comparison one of the same kind, or of another
        one, with equal chances.
        """
        n, n_terms = len(questions), self.writing.n_terms
        kinds = random.randint(0, len(KINDS), n)
        same = random.randint(0, 2, n)
        shift = np.where(same == 1, 0, random.randint(1, len(KINDS), n))
        places = random.randint(0, n_terms - 1, n), np.full(n, n_terms - 1)
        answers = np.stack([kinds, same, places[1], places[0]], 1)
        terms = self.sequences(random, kinds)
        others = self.sequences(random, (kinds + shift) % len(KINDS))
        return self.writing.written(questions, terms, others, answers)


@dataclass(frozen=True, eq=False)
class IntegerSequences(StreamTask):
    """See `integer_sequences`. Validation and test ask all four questions equally often, of
    sequences whose rules are for nothing else.

    drawings: of the rules for training, validation and test, in this order.
    """

    writing: Writing
    drawings: tuple[Drawing, Drawing, Drawing]
    kind: ClassVar[str] = "integer_sequences"
    shows_answers: ClassVar[bool] = False

    @property
    def params(self) -> dict[str, Any]:
        own = {"n_terms": self.writing.n_terms, "limit": self.writing.limit}
        return own | super().params

    def draw(self, random: np.random.RandomState, n: int) -> Sequences:
        return self.drawings[0].asked(random, random.randint(0, len(QUESTIONS), n))

    def asks(self, sequences: Sequences, question: str) -> Bool[Tensor, "n"]:
        """Which inputs ask a question. Raises ValueError for another one than `QUESTIONS`."""
        self.writing.outputs(question)
        return sequences.tokens[:, 0] == self.writing.padding + 1 + QUESTIONS.index(question)

    def terms(self, sequences: Sequences) -> Int[Tensor, "n terms"]:
        """The terms of each input, of the first of two sequences, the hidden one included."""
        places = slice(1, self.writing.n_terms + 1)
        tokens, labels = sequences.tokens[:, places], sequences.labels[:, places]
        hides = tokens == self.writing.hidden
        first = torch.full_like(tokens[:, :1], self.writing.outputs("continuation").start)
        first[self.asks(sequences, "unmasking")] = self.writing.outputs("unmasking").start
        return torch.where(hides, labels - first, tokens) - self.writing.limit

    def told(self, terms: Int[Tensor, "n terms"]) -> tuple[Int[Tensor, "n"], Int[Tensor, "n"]]:
        """The kind of each sequence, by its place in `SEQUENCE_KINDS`, and its variety: a degree,
        a period. Raises ValueError for a sequence that no generator makes.
        """
        found = catalogue(self.writing.n_terms, 2 * self.writing.limit)
        return tuple(torch.from_numpy(each) for each in found.told(terms.cpu().numpy()))

    @classmethod
    def restore(cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> IntegerSequences:
        """Raises ValueError if the stored sequences are not those that the description makes."""
        params = about["params"]
        n_ctx = Writing(params["n_terms"], params["limit"]).n_ctx
        sizes = {name: (params[f"n_{name}"], n_ctx) for name in ("validation", "test")}
        require_sizes(tensors, sizes, "sequences")
        return require_stored(integer_sequences(**params), tensors, "sequences")


@plain_numbers
def integer_sequences(
    n_terms: int = 8,
    limit: int = 50,
    seed: int = 0,
    n_validation: int = 800,
    n_test: int = 8000,
) -> IntegerSequences:
    """The kind of an integer sequence, whether two are of one kind, its next term, a hidden term.

    Sequences are polynomial, exponential, periodic, modular, prime, recurrence, bounded or
    trigonometric (`integer_generators`), n_terms numbers of -limit .. limit, a token each: digits
    would put carries between a model and the differences of terms. Continuation hides the last
    term, unmasking one of the others. Of each variety of a kind (a degree, a period) a tenth of
    the rules are for validation, two tenths for test, at least one each, and no training sequence
    has such a rule: it is none of the held-out ones plus a constant. Rules have all turns of a
    cycle, and of polynomials and recurrences all windows.
    Raises ValueError where a variety has too few sequences of so many terms within the limit.
    """
    check_seed(seed)
    if type(n_terms) is not int or not 7 <= n_terms <= 12:
        raise ValueError(f"n_terms must be an integer in 7 .. 12, got {n_terms!r}")
    if type(limit) is not int or not 20 <= limit <= 100:
        raise ValueError(f"limit must be an integer in 20 .. 100, got {limit!r}")
    for name, n in (("n_validation", n_validation), ("n_test", n_test)):
        if type(n) is not int or n < 1 or n % len(QUESTIONS):
            raise ValueError(f"{name} must be a multiple of {len(QUESTIONS)}, got {n!r}")
    writing = Writing(n_terms, limit)
    found = catalogue(n_terms, 2 * limit)
    parts = _split(found, seed)
    drawings = tuple(Drawing(writing, found, rules) for rules in parts)
    random = np.random.RandomState
    validation, test = (
        drawing.asked(random([seed, stream]), np.arange(n) * len(QUESTIONS) // n)
        for drawing, stream, n in zip(
            drawings[1:], (VALIDATION, TEST), (n_validation, n_test), strict=True
        )
    )
    of_all = ("integer_sequences", validation, test, seed)
    return IntegerSequences(*of_all, writing=writing, drawings=drawings)


def _split(found: Catalogue, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rules for training, validation and test, of every variety."""
    random = np.random.RandomState([seed, SPLIT])
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    varieties = np.unique(np.stack([found.kind, found.variety]), axis=1).T
    for kind, variety in varieties:
        rules = np.unique(found.rule[(found.kind == kind) & (found.variety == variety)])
        if len(rules) < 3:
            raise ValueError(
                f"{KINDS[kind]} sequences have {len(rules)} rules of variety {variety}, too few to "
                f"hold some out: take a larger limit, or fewer terms"
            )
        held_out = max(1, len(rules) // 10), max(1, len(rules) // 5)
        cuts = [held_out[0], sum(held_out)]
        validation, test, training = np.split(random.permutation(rules), cuts)
        for part, own in zip(parts, (training, validation, test), strict=True):
            part.extend(own.tolist())
    return tuple(np.array(part) for part in parts)
