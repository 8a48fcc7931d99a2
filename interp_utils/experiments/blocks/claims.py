"""What was published of simplified blocks, and what was found of them here."""

from __future__ import annotations

from functools import partial

from interp_utils.experiments.blocks.recipes import OF_PRIMES, PLAIN
from interp_utils.experiments.blocks.together import PLAIN_S, less, name_of_primes, over
from interp_utils.experiments.claims import Claim, ended, ended_early, own, where
from interp_utils.experiments.rules import LN_P, Row, above, at_least, at_most, below, exactly

WHEN = "17 · Does it grok, and when?"
FIRST = "17 · What is learned first"
WHERE = "17 · Where the waves are multiplied"
SAME = "17 · The same circuit?"
PRIMES = "17 · Rows of primes"

PAPER = "He and Hofmann 2023, abstract"
NO_LOSS = '"removed with no loss of training speed"'
TENTH = "a tenth slower; theirs is the loss of language models with 18 layers, in one epoch"
YES = exactly(True, "test accuracy above 99 % to stay")
TRAININGS = "trainings"


def censored(row: Row, fulfilled: bool) -> str | None:
    """An arm whose median is censored is at least so much slower."""
    most = sum(row["generalises"]) > row["runs"] / 2
    return ended(row) if fulfilled and not most else None


speed = partial(Claim, source=PAPER, notebook=WHEN, tolerance=TENTH)
CLAIMS = [
    speed(
        "without the skip, W_V and W_O it learns what it is trained on as fast",
        says=NO_LOSS,
        measure=f"memorises, steps over {PLAIN_S}",
        rule=at_most(1.1, "times"),
        about=where("arm", "SAS"),
    ),
    speed(
        "and other pairs",
        says=NO_LOSS,
        measure=f"generalises, steps over {PLAIN_S}",
        rule=at_most(1.1, "times"),
        about=where("arm", "SAS"),
        undecided=censored,
    ),
    speed(
        "also with attention and MLP in parallel",
        says=NO_LOSS,
        measure=f"generalises, steps over {PLAIN_S}",
        rule=at_most(1.1, "times"),
        about=where("arm", "SAS-P"),
        undecided=censored,
    ),
    Claim(
        "it is as good in the end",
        PAPER,
        '"emulate the per-update training speed and performance of standard transformers"',
        "generalises",
        YES,
        WHEN,
        counts=TRAININGS,
        about=where("arm", "SAS"),
        undecided=ended_early,
    ),
    *(
        Claim(
            text,
            PAPER,
            '"sequential sub-blocks" are among what is removed',
            "generalises",
            YES,
            WHEN,
            counts=TRAININGS,
            about=where("arm", name),
            undecided=ended_early,
        )
        for text, name in (("also in parallel", "SAS-P"), ("in two layers", "SAS-P, two layers"))
    ),
    Claim(
        "a seventh of the parameters can go",
        PAPER,
        '"using 15% fewer parameters"',
        "fewer parameters",
        at_least(0.15, "%"),
        WHEN,
        tolerance="none; theirs has 18 layers, of which one keeps W_V",
        about=where("arm", "SAS"),
    ),
    Claim(
        "normalisation can go",
        PAPER,
        f"normalisation layers are {NO_LOSS}",
        over("SAS"),
        at_least(0.9, "times"),
        WHEN,
        tolerance="normalized it is at most a tenth faster",
        about=where("arm", "SAS, normalized"),
    ),
    Claim(
        "alpha I + beta A is slower",
        "He and Hofmann 2023, appendix C",
        'Shaped Attention "gives a small but consistent gain throughout training"',
        over("SAS"),
        above(1, "times"),
        WHEN,
        tolerance="steps to generalise in place of the loss",
        about=where("arm", "alpha I + beta A"),
    ),
    Claim(
        "alpha I + beta A learns",
        "Syrkis 2024, equation 1",
        "the mixing on which the slides would build",
        "generalises",
        YES,
        WHEN,
        counts=TRAININGS,
        about=where("arm", "alpha I + beta A"),
        undecided=ended_early,
    ),
]
found = partial(own, counts=TRAININGS)
OWN = [
    found(
        "values are not needed in the first layer either",
        measure="generalises",
        rule=YES,
        notebook=WHEN,
        about=where("arm", "SAS, no values"),
        undecided=ended_early,
    ),
    found(
        "part of the delay is that of gains without weight decay",
        measure=over("SAS"),
        rule=below(0.9, "times"),
        notebook=WHEN,
        about=where("arm", "SAS, gains decayed"),
        tolerance="a tenth sooner",
    ),
    found(
        "but without free gains SAS-P learns less",
        measure=less("SAS-P"),
        rule=below(-0.1, "%"),
        notebook=WHEN,
        about=where("arm", "SAS-P, gains decayed"),
        tolerance="at the end of trainings of which none had generalised",
    ),
    found(
        "= first sees the operands by position",
        measure="sees by position first",
        rule=exactly(True, "nothing costs more to take away than what = takes by position"),
        notebook=FIRST,
        about=where("arm", "SAS"),
    ),
    found(
        "within 32 steps",
        measure="sees an operand at",
        rule=at_most(32, "steps"),
        notebook=FIRST,
        about=where("arm", "SAS"),
    ),
    found(
        "in the end by position alone",
        measure="costs at the end, nothing by content",
        rule=below(0.01, "nats"),
        notebook=FIRST,
        about=where("arm", "SAS"),
    ),
    found(
        "the plain block's heads have products",
        measure="products in heads",
        rule=above(0.1, "%"),
        notebook=WHERE,
        about=where("arm", PLAIN),
    ),
    found(
        "those of SAS have none",
        measure="products in heads",
        rule=below(0.01, "%"),
        notebook=WHERE,
        about=where("arm", "SAS"),
    ),
    found(
        "its neurons multiply",
        measure="accuracy without products in neurons",
        rule=below(0.1, "%"),
        notebook=WHERE,
        about=where("arm", "SAS"),
    ),
    found(
        "in SAS-P the heads do",
        measure="accuracy without products in heads",
        rule=below(0.1, "%"),
        notebook=WHERE,
        about=where("arm", "SAS-P"),
    ),
    found(
        "with two layers of it the neurons again",
        measure="accuracy without products in heads",
        rule=above(0.9, "%"),
        notebook=WHERE,
        about=where("arm", "SAS-P, two layers"),
    ),
    found(
        "SAS adds by the same circuit: cosines of few frequencies",
        measure="logit variance explained",
        rule=above(0.9, "%"),
        notebook=SAME,
        about=where("arm", "SAS"),
    ),
    found(
        "the key frequencies alone do better",
        measure="restricted over full loss",
        rule=below(1),
        notebook=SAME,
        about=where("arm", "SAS", "SAS-P"),
    ),
    found(
        "and without them the training pairs are lost",
        measure="excluded loss",
        rule=above(LN_P),
        notebook=SAME,
        about=where("arm", "SAS", "SAS-P"),
    ),
    found(
        "no block tells primes better than small divisors do",
        measure="AUC over the best sieve's",
        rule=at_most(0.0),
        notebook=PRIMES,
        about=where("arm", *map(name_of_primes, OF_PRIMES)),
    ),
]
