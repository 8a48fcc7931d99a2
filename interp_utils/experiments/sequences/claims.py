"""What the slides of February 2024 say of integer sequences, after Belcak et al. 2022 (FACT), what
else was found, and the rules. Those of what was found were set on the first seed, but those on
padding and on where periods are told, which the second one asked for.
"""

from __future__ import annotations

import itertools

from interp_utils.experiments.claims import Claim, ended_early, own
from interp_utils.experiments.rules import Row, Rule, above, below, between, exactly
from interp_utils.experiments.sequences.reading import WAYS
from interp_utils.tasks import QUESTIONS

SLIDES = "Syrkis, slides of February 2024"
NOTEBOOK = "19"
LEARNS = f"{NOTEBOOK} · Does it learn all four?"
HARDER = f"{NOTEBOOK} · Is each harder than the one before?"
BEHAVIOUR = f"{NOTEBOOK} · Which changes does it notice?"
EVEN = f"{NOTEBOOK} · What do even numbers do?"
COMPARED = f"{NOTEBOOK} · Which terms are compared?"
STREAM = f"{NOTEBOOK} · Does it take differences?"
POINTS = 0.05


def beyond(error: str) -> Rule:
    return Rule("above 0 % by twice the error of sampling", lambda lost, row: lost > row[error])


CLAIMS = [
    *(
        Claim(
            f"an encoder learns {question}",
            SLIDES,
            "transformers can do it, on thousands of sequences of the OEIS",
            f"{question}, skill",
            above(0.5, "%"),
            LEARNS,
            tolerance="half of what is above chance; generated sequences, held-out rules",
            undecided=ended_early,
        )
        for question in QUESTIONS
    ),
    *(
        Claim(
            f"{after} is harder than {before}",
            SLIDES,
            '"Each task is strictly harder than the previous one"',
            f"skill lost from {before} to {after}",
            beyond(f"twice the error of skill lost from {before} to {after}"),
            HARDER,
            tolerance="twice the error of sampling; at equal training",
        )
        for before, after in itertools.pairwise(QUESTIONS)
    ),
    Claim(
        "each is harder than the one before",
        SLIDES,
        '"Each task is strictly harder than the previous one"',
        "least skill lost, beyond its error",
        above(0.0, "%"),
        HARDER,
        tolerance="twice the error of sampling; at equal training",
    ),
]
SEES, READS, PADDING, NEITHER = WAYS


def at_terms(row: Row) -> bool:
    """Whether periods are told by terms that see terms in the first layer."""
    return row[f"periods, {SEES}"] > 0.5


OWN = [
    own(
        "held-out rules are classified as well as the training's",
        measure="classification, lost on held-out rules",
        rule=below(POINTS, "%"),
        notebook=LEARNS,
        tolerance="5 points",
    ),
    own(
        "two classifications compare better than the comparison",
        measure="comparison gained by classifying",
        rule=above(POINTS, "%"),
        notebook=HARDER,
        tolerance="5 points",
    ),
    own(
        "a constant added to all terms changes less than one term that is moved by 5",
        measure="same kind after a constant",
        rule=Rule(
            "above the share that stays after a term moved by 5",
            lambda same, row: same > row["same kind after a term moved by 5"],
        ),
        notebook=BEHAVIOUR,
    ),
    own(
        "odd moves are noticed more often than even ones",
        measure="odd moves noticed, over even ones",
        rule=above(1.5),
        notebook=BEHAVIOUR,
        tolerance="by half",
    ),
    own(
        "degree 4, which is in no training, passes for a polynomial",
        measure="degree 4 is polynomial",
        rule=above(0.25, "%"),
        notebook=BEHAVIOUR,
        tolerance="twice the share of one of eight kinds",
    ),
    own(
        "embeddings tell even numbers from odd ones",
        measure="parity's share of the embedding",
        rule=above("most of any random half", factor=3),
        notebook=EVEN,
    ),
    own(
        "without it primes are not known",
        measure="primes, lost without parity",
        rule=above(0.3, "%"),
        notebook=EVEN,
    ),
    own(
        "without what tells any other half of the numbers they are",
        measure="primes, lost without a random half, at most",
        rule=below(0.1, "%"),
        notebook=EVEN,
    ),
    own(
        "any even numbers that rise pass for primes",
        measure="rising even numbers, taken for prime",
        rule=above(0.5, "%"),
        notebook=EVEN,
    ),
    own(
        "numbers that rise, even or odd, do not",
        measure="rising numbers, taken for prime",
        rule=below(0.25, "%"),
        notebook=EVEN,
        tolerance="twice the share of one of eight kinds",
    ),
    own(
        "polynomials need what the question reads in the first layer",
        measure=f"polynomials, {READS}",
        rule=above(0.25, "%"),
        notebook=COMPARED,
    ),
    own(
        "padding, which says nothing, is where terms are read, too",
        measure=f"all, {PADDING}",
        rule=above(0.1, "%"),
        notebook=COMPARED,
    ),
    own(
        "periods are told by terms that see terms",
        measure=f"periods, {SEES}",
        rule=above(0.5, "%"),
        notebook=COMPARED,
    ),
    own(
        "each then loses more without its other turns than without as many other pairs",
        measure="periods compare turns",
        rule=exactly(True, "more than at each of five draws"),
        notebook=COMPARED,
        counts="periods",
        about=at_terms,
    ),
    own(
        "where they are not, they are told by what question and padding read",
        measure=f"periods, {NEITHER}",
        rule=above(0.5, "%"),
        notebook=COMPARED,
        about=lambda row: not at_terms(row),
    ),
    own(
        "a term's stream holds the term before it, not their difference",
        measure="error of the difference over 1, over that of the sum",
        rule=between(0.8, 1.25),
        notebook=STREAM,
        tolerance="a fifth; where terms are held, the sum is told as well",
    ),
    own(
        "the degree can be read where the kind is told",
        measure="degree, layer 1",
        rule=Rule(
            "above that of a model without training by a quarter",
            lambda read, row: read > 1.25 * row["degree, layer 1, untrained"],
        ),
        notebook=STREAM,
    ),
]
