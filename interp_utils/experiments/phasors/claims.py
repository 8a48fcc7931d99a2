"""What was published on phasor networks, and what this suite found on modular addition."""

from __future__ import annotations

from collections.abc import Callable

from interp_utils.experiments.claims import Claim, own
from interp_utils.experiments.phasors.recipes import SHARE
from interp_utils.experiments.phasors.row import OUTPUTS, OWN_WAVE, PLANTED, STRONGEST
from interp_utils.experiments.rules import Row, above, at_least, at_most, below, exactly

SPIKES = "18 · The same weights in spikes"
ACCURACY = "18 · What training reaches"
EXACT = "18 · One phasor adds"
WAVES = "18 · Which frequency each phasor has"
TEST, TRAIN = "test accuracy", "train accuracy"
# Phases that are right on the training pairs, and of a random direction on all others, have this
# share of their power in functions of a + b.
BY_HEART = SHARE**2


def arm(*names: str) -> Callable[[Row], bool]:
    return lambda row: row.get("trained") in names


def by_hand(row: Row) -> bool:
    return "accuracy of one phasor" in row


ABSTRACT = "Olin-Ammentorp and Bazhenov 2021, abstract"
THEIRS = "theirs: images of ten classes"
CLAIMS = [
    Claim(
        "static and spiking execution are equivalent",
        ABSTRACT,
        '"mathematically equivalent versions of the network can be executed with or without '
        'regard to a temporal variable"',
        "agreement after ten cycles",
        at_least(0.95, "%"),
        SPIKES,
        tolerance=f"one answer in twenty; {THEIRS}",
        about=arm("paper"),
    ),
    Claim(
        "also where sums are rotations",
        ABSTRACT,
        "the same",
        "agreement after ten cycles",
        at_least(0.95, "%"),
        SPIKES,
        tolerance="one answer in twenty",
        about=arm("numbers", "direct"),
    ),
    Claim(
        "spikes lose under a point of accuracy",
        "Olin-Ammentorp and Bazhenov 2021, released code",
        "0.58 points, the mean of 16 networks' outputs",
        "accuracy lost in spikes",
        at_most(0.02, "%"),
        SPIKES,
        tolerance=f"two points; {THEIRS}",
        about=arm("paper"),
    ),
    Claim(
        "phasor networks reach high accuracy",
        ABSTRACT,
        '"allows models to reach high accuracy"',
        TEST,
        at_least(0.9, "%"),
        ACCURACY,
        tolerance=THEIRS,
        about=arm("paper"),
    ),
]
OWN = [
    own(
        "one phasor adds mod p, for every odd p to 127",
        measure="accuracy of one phasor",
        rule=exactly(1.0, "100 %"),
        notebook=EXACT,
        counts="moduli",
        about=by_hand,
    ),
    own(
        "without doubling its phase, half of the pairs are right",
        measure="right on half of the pairs without doubling",
        rule=exactly(True, "(p + 1) / 2p of them for p = 1 mod 4, (p - 1) / 2p for p = 3 mod 4"),
        notebook=EXACT,
        counts="moduli",
        about=by_hand,
    ),
    own(
        "with one frequency and no constant phasor the paper's code is not even memorised",
        measure=TRAIN,
        rule=below(0.25, "%"),
        notebook=ACCURACY,
        counts="trainings",
        about=arm("one_frequency"),
    ),
    own(
        "a constant phasor helps it to generalise",
        measure="test accuracy, minus the paper's code",
        rule=at_least(0.2, "%"),
        notebook=ACCURACY,
        counts="trainings",
        about=arm("constant"),
    ),
    own(
        "a code of numbers whose phases are doubled generalises to most other pairs",
        measure=TEST,
        rule=above(0.5, "%"),
        notebook=ACCURACY,
        counts="trainings",
        about=arm("numbers"),
    ),
    own(
        "not with labels in random order",
        measure=TEST,
        rule=at_most(0.15, "%"),
        notebook=ACCURACY,
        counts="trainings",
        about=arm("shuffled"),
    ),
    own(
        "nor with input phases trained from random ones",
        measure=TEST,
        rule=at_most(0.15, "%"),
        notebook=ACCURACY,
        counts="trainings",
        about=arm("learned"),
    ),
    own(
        "each output has its own frequency, in a + b",
        measure=OWN_WAVE,
        rule=at_least(0.95, "%"),
        notebook=WAVES,
        counts="trainings",
        about=arm("numbers"),
    ),
    own(
        "so has each output without a hidden layer",
        measure=OWN_WAVE,
        rule=at_least(0.95, "%"),
        notebook=WAVES,
        counts="trainings",
        about=arm("direct"),
    ),
    own(
        "outputs turn with a + b more than those of a memoriser can",
        measure=OUTPUTS,
        rule=above(BY_HEART, "%"),
        notebook=WAVES,
        counts="trainings",
        about=arm("numbers", "direct"),
    ),
    own(
        "with input phases trained from random ones they do not",
        measure=OUTPUTS,
        rule=at_most(BY_HEART, "%"),
        notebook=WAVES,
        counts="trainings",
        about=arm("learned", "shuffled"),
    ),
    own(
        "hidden phasors have no frequency of their own",
        measure=STRONGEST,
        rule=below(0.5, "%"),
        notebook=WAVES,
        counts="trainings",
        about=arm("numbers"),
    ),
    own(
        "without a hidden layer training finds the weights of the exact network",
        measure=PLANTED,
        rule=above(0.5, "%"),
        notebook=WAVES,
        tolerance="half of the squared weight",
        counts="trainings",
        about=arm("direct"),
    ),
    own(
        "one exact phasor is not robust in spikes",
        measure="one phasor, agreement in the tenth cycle",
        rule=below(0.95, "%"),
        notebook=SPIKES,
        about=by_hand,
    ),
    own(
        "one for each frequency is",
        measure="all phasors, agreement in the tenth cycle",
        rule=at_least(0.95, "%"),
        notebook=SPIKES,
        about=by_hand,
    ),
    own(
        "with a quarter of the leak and sixty cycles answers are alike",
        measure="agreement, a quarter of the leak",
        rule=at_least(0.95, "%"),
        notebook=SPIKES,
        counts="trainings",
        about=arm("paper", "numbers", "direct"),
    ),
]
