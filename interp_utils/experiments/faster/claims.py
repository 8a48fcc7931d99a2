"""What was published on grokking sooner, and what this suite found."""

from __future__ import annotations

from collections.abc import Callable

from interp_utils.experiments.claims import Claim, Undecided, own
from interp_utils.experiments.faster.together import IN_T, MOST, PUBLISHED, TITLES, over
from interp_utils.experiments.rules import Row, above, at_least, at_most, below, between, exactly

ARMS_IN_STEPS = "13 · The bake-off"
CIRCUIT = "13 · The same circuit?"
SEEDS = "13 · Many seeds of the fast recipe"
YES = exactly(True, "test accuracy above 99 % to stay")


def arm(*names: str) -> Callable[[Row], bool]:
    titles = [TITLES[name] for name in names]
    return lambda row: row.get("arm") in titles


def together(row: Row) -> bool:
    return "runs" in row and "arm" not in row


def published(row: Row) -> bool:
    return row.get("arm") == PUBLISHED


def not_yet(row: Row, fulfilled: bool) -> str | None:
    """A training that had not generalised by its end may still do so."""
    return None if fulfilled else f"ended by {row['lengths'][-1]:,}"


def censored(name: str) -> Undecided:
    """Where an arm's median is censored the ratio is one at most: only that it is too small is
    known. One training alone decides nothing.
    """

    def undecided(row: Row, fulfilled: bool) -> str | None:
        if TITLES[name] in row["trained once"]:
            return "one training, at one of few settings"
        open_end = TITLES[name] in row["censored"]
        return "most had not generalised by their end" if open_end and fulfilled else None

    return undecided


def not_small(name: str) -> Undecided:
    """The same for a rule by which the ratio is to be small."""
    of = censored(name)
    return lambda row, fulfilled: of(row, not fulfilled)


TUNED = TITLES["adamw"]
COMPARED = ("adamw", "muon", "perpgrad", "mini_batches", "small_model")  # of which some generalised
CLAIMS = [
    Claim(
        "Grokfast is 50 times faster",
        "Lee et al. 2024, abstract",
        '"more than x50"',
        over(PUBLISHED, TITLES["grokfast"]),
        above(50, "times"),
        ARMS_IN_STEPS,
        tolerance="theirs: 97 numbers, two layers, mini-batches, other settings of AdamW",
        about=together,
        undecided=censored("grokfast"),
    ),
    Claim(
        "also faster than AdamW whose settings were searched likewise",
        "Lee et al. 2024, abstract",
        "the same",
        over(TUNED, TITLES["grokfast"]),
        above(2, "times"),
        ARMS_IN_STEPS,
        tolerance="twice as fast would do",
        about=together,
        undecided=censored("grokfast"),
    ),
    Claim(
        "Muon is faster than AdamW",
        "Tveit et al. 2025, abstract",
        '"from 153.09 to 102.89" epochs, 1.49 times',
        over(TUNED, TITLES["muon"]),
        above(1.2, "times"),
        ARMS_IN_STEPS,
        tolerance="under half of the gain; here every step takes all pairs",
        about=together,
        undecided=censored("muon"),
    ),
    Claim(
        "the advantage of Muon disappears with other settings",
        "Essential AI 2025",
        '"exploring a wider range of hyperparameters and model sizes, this advantage disappears"',
        over(TUNED, TITLES["muon"]),
        at_most(1.2, "times"),
        ARMS_IN_STEPS,
        tolerance="the other side of the same rule",
        about=together,
        undecided=not_small("muon"),
    ),
    Claim(
        "StableMax groks without weight decay",
        "Prieto et al. 2025, abstract",
        '"enables grokking without regularization"',
        "generalises",
        YES,
        ARMS_IN_STEPS,
        about=arm("stablemax"),
        undecided=not_yet,
    ),
    Claim(
        "perpGrad groks without weight decay",
        "Prieto et al. 2025, abstract",
        '"leads to quick generalization in grokking tasks"',
        "generalises",
        YES,
        ARMS_IN_STEPS,
        about=arm("perpgrad"),
        undecided=not_yet,
    ),
    Claim(
        "with a small initial norm it generalises",
        "Liu et al. 2022, section 4",
        "without a delay",
        "generalises",
        YES,
        ARMS_IN_STEPS,
        tolerance="whether there is a delay is not asked",
        about=arm("small_norm"),
        undecided=not_yet,
    ),
]
OWN = [
    own(
        "the published delay is one of the settings: the fast recipe generalises",
        measure="share that generalises",
        rule=at_least(0.95, "%"),
        notebook=SEEDS,
        about=arm("fast"),
    ),
    own(
        "in few steps",
        measure="median step",
        rule=at_most(300, "steps"),
        notebook=SEEDS,
        about=arm("fast"),
    ),
    own(
        "by few frequencies",
        measure="number of key frequencies",
        rule=at_most(6, "frequencies"),
        notebook=SEEDS,
        counts="seeds",
        about=arm("fast"),
    ),
    own(
        "which are most of the logits",
        measure="logit variance explained",
        rule=above(0.9, "%"),
        notebook=SEEDS,
        counts="seeds",
        about=arm("fast"),
    ),
    own(
        "every frequency is as likely",
        measure="frequencies alike: p",
        rule=above(0.05),
        notebook=SEEDS,
        about=arm("fast"),
    ),
    own(
        "the delay is one of the product of learning rate and weight decay alone",
        measure=IN_T,
        rule=between(0.5, 2, "times"),
        notebook="13 · The delay's law",
        tolerance="twice as many steps; T = 1 / (learning rate x weight decay)",
        about=together,
    ),
    own(
        "tuned AdamW is over 20 times faster than AdamW as published",
        measure=over(PUBLISHED, TUNED),
        rule=above(20, "times"),
        notebook=ARMS_IN_STEPS,
        about=together,
    ),
    own(
        "no other arm is twice as fast as that, in steps",
        measure=MOST,
        rule=below(2, "times"),
        notebook=ARMS_IN_STEPS,
        about=together,
    ),
    *(
        own(
            f"the same circuit: {TITLES[name]}",
            measure="logit variance explained",
            rule=above(0.9, "%"),
            notebook=CIRCUIT,
            counts="seeds",
            about=arm(name),
        )
        for name in COMPARED
    ),
]
