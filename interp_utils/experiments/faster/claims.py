"""What was published on grokking sooner, and what this suite found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from interp_utils.experiments.addition import claims as addition
from interp_utils.experiments.claims import Claim, Undecided, ended_early, own, where
from interp_utils.experiments.faster.together import IN_T, MOST, PUBLISHED, TITLES, over
from interp_utils.experiments.rules import Row, above, at_least, at_most, below, between, exactly

ARMS_IN_STEPS = "13 · The bake-off"
CIRCUIT = "13 · The same circuit?"
SEEDS = "13 · Many seeds of the fast recipe"
YES = exactly(True, "test accuracy above 99 % to stay")


def arm(name: str) -> Callable[[Row], bool]:
    return where("arm", TITLES[name])


def together(row: Row) -> bool:
    return "runs" in row and "arm" not in row


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
# Arms of which some trainings generalised.
COMPARED = ("adamw", "muon", "perpgrad", "small_norm", "mini_batches", "small_model")
ratio = partial(Claim, notebook=ARMS_IN_STEPS, about=together)
groks = partial(
    Claim, measure="generalises", rule=YES, notebook=ARMS_IN_STEPS, undecided=ended_early
)
CLAIMS = [
    ratio(
        "Grokfast is 50 times faster",
        "Lee et al. 2024, abstract",
        '"more than x50"',
        over(PUBLISHED, TITLES["grokfast"]),
        above(50, "times"),
        tolerance="theirs: 97 numbers, two layers, mini-batches, other settings of AdamW",
        undecided=censored("grokfast"),
    ),
    ratio(
        "Grokfast is faster than AdamW with settings searched alike",
        "Lee et al. 2024, abstract",
        '"more than x50"',
        over(TUNED, TITLES["grokfast"]),
        above(2, "times"),
        tolerance="twice as fast is enough",
        undecided=censored("grokfast"),
    ),
    ratio(
        "Muon is faster than AdamW",
        "Tveit et al. 2025, abstract",
        '"from 153.09 to 102.89" epochs, 1.49 times',
        over(TUNED, TITLES["muon"]),
        above(1.2, "times"),
        tolerance="under half of the gain; here every step takes all pairs",
        undecided=censored("muon"),
    ),
    ratio(
        "the advantage of Muon disappears with other settings",
        "Essential AI 2025",
        '"exploring a wider range of hyperparameters and model sizes, this advantage disappears"',
        over(TUNED, TITLES["muon"]),
        at_most(1.2, "times"),
        tolerance="the other side of the same rule",
        undecided=not_small("muon"),
    ),
    groks(
        "StableMax groks without weight decay",
        "Prieto et al. 2025, abstract",
        '"enables grokking without regularization"',
        about=arm("stablemax"),
    ),
    groks(
        "perpGrad groks without weight decay",
        "Prieto et al. 2025, abstract",
        '"leads to quick generalization in grokking tasks"',
        about=arm("perpgrad"),
    ),
    groks(
        "a model with a small initial norm generalises",
        "Liu et al. 2022, section 4",
        "with a small initial norm there is no delay",
        tolerance="whether there is a delay is not asked",
        about=arm("small_norm"),
    ),
]
of_seeds = partial(own, notebook=SEEDS, about=arm("fast"))
of_arms = partial(own, notebook=ARMS_IN_STEPS, about=together)
# The claims of modular addition whose measures the rows have, on many seeds.
OF_ADDITION = {
    "number of key frequencies": {},
    "logit variance explained": {},
    "neurons clustered": {},
    "excluded loss": {},
    "restricted loss": {"measure": "restricted over full loss", "rule": below(1)},
}
CLAIMS += [
    replace(
        claim,
        text=f"models of the fast recipe: {claim.text}",
        source=f"Nanda et al. 2023, {claim.source}",
        notebook=SEEDS,
        counts="seeds",
        about=arm("fast"),
        **OF_ADDITION[claim.measure],
    )
    for claim in addition.CLAIMS
    if claim.measure in OF_ADDITION
]
OWN = [
    of_seeds(
        "nearly every seed of the fast recipe generalises",
        measure="share that generalises",
        rule=at_least(0.95, "%"),
    ),
    of_seeds(
        "the fast recipe generalises in few steps",
        measure="median step",
        rule=at_most(300, "steps"),
    ),
    of_seeds(
        "models of the fast recipe choose all frequencies equally often",
        measure="frequencies alike: p",
        rule=above(0.05),
    ),
    own(
        "the delay depends on the product of learning rate and weight decay alone",
        measure=IN_T,
        rule=between(0.5, 2, "times"),
        notebook="13 · The delay's law",
        tolerance="twice as many steps; T = 1 / (learning rate x weight decay)",
        about=together,
    ),
    of_arms(
        "tuned AdamW is over 20 times faster than AdamW as published",
        measure=over(PUBLISHED, TUNED),
        rule=above(20, "times"),
    ),
    of_arms(
        "no other arm is twice as fast as tuned AdamW, in steps",
        measure=MOST,
        rule=below(2, "times"),
    ),
    *(
        own(
            f"models of {TITLES[name]} have the same circuit",
            measure="logit variance explained",
            rule=above(0.9, "%"),
            notebook=CIRCUIT,
            counts="seeds",
            about=arm(name),
        )
        for name in COMPARED
    ),
]
