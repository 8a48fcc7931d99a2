"""What Syrkis and Søgaard 2024 say of many remainders, what was found beside it, and the rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from interp_utils.experiments.claims import Claim, ended_before, other_settings
from interp_utils.experiments.remainders.row import FIRST, MASKED_FIRST
from interp_utils.experiments.rules import (
    Row,
    above,
    at_least,
    at_most,
    below,
    between,
    exactly,
)

PUBLISHED_STEPS = 65_536


def of_kind(*kinds: str) -> Callable[[Row], bool]:
    return lambda row: row.get("kind") in kinds


def has(measure: str) -> Callable[[Row], bool]:
    return lambda row: measure in row


OURS, ADDITION = of_kind("T_miiii"), of_kind("T_nanda")
TASK, TRAINING, CONTROLS = "08 · The task", "08 · Training", "08 · The controls, at equal length"
SEARCHED = "08 · The search for hyper-parameters"
POSITIONS, VALUES = "09 · Positional embeddings", "09 · The embedding's singular values"
SPECTRA, NEURONS = "09 · Spectra of the embedding", "09 · Neurons"
SPIKE = "09 · Is the spike in the number of active frequencies real?"
GRADIENTS, HEADS = "09 · Gradients by weight", "09 · Attention"
CIRCUITS = "10 · Neurons"
LAST_FIRST, LAST_MASKED = (f"place of the last of {first}" for first in (FIRST, MASKED_FIRST))
settings = other_settings("80 % of the numbers and λ = 2, for 30 % and 1/2")
RATIO = "half as many again"

CLAIMS = [
    Claim(
        "learns all remainders",
        "Fig. 5",
        '"a perfect accuracy of 1 on the validation set across all 29 tasks"',
        "lowest test accuracy",
        above(0.99, "%"),
        TRAINING,
        tolerance="1 point",
        about=OURS,
        undecided=ended_before(PUBLISHED_STEPS),
    ),
    Claim(
        "2, 3, 5 and 7 first",
        "Fig. 5",
        '"modulo 2, 3, 5, and 7 generalized in succession"',
        LAST_FIRST,
        at_most(4),
        TRAINING,
        about=OURS,
        undecided=settings,
    ),
    Claim(
        "these in this order",
        "Fig. 5",
        '"in that order"',
        "2, 3, 5 and 7 in this order",
        exactly(1, "steps to 99 % rise"),
        TRAINING,
        about=OURS,
        undecided=settings,
    ),
    Claim(
        "the others in no particular order",
        "Fig. 5",
        '"the remaining 25 in no particular order"',
        "the others, step with q",
        between(-0.5, 0.5),
        TRAINING,
        tolerance="a rank correlation of a half",
        about=OURS,
        undecided=settings,
    ),
    Claim(
        "the others together",
        "Results",
        '"around epoch 40000"',
        "the others, last over first",
        below(1.25, "times"),
        TRAINING,
        tolerance="a quarter",
        about=OURS,
        undecided=settings,
    ),
    Claim(
        "all tasks are grokked",
        "Fig. 5",
        '"We see grokking occur on all tasks"',
        "median answer's step over that of memorising",
        at_least(5, "times"),
        TRAINING,
        tolerance="grokked is five times later than memorised",
        about=OURS,
        undecided=settings,
    ),
    Claim(
        "slower than modular addition",
        "§1",
        '"the model can be expected to generalize slower"',
        "median answer's step, over addition's",
        above(1),
        TRAINING,
        about=OURS,
        undecided=other_settings("learning rate, data and Grokfast differ between the two"),
    ),
    Claim(
        "T_masked: 11, 13, 17, 19 first",
        "Fig. 19",
        "these, without 2, 3, 5 and 7",
        LAST_MASKED,
        at_most(4),
        CONTROLS,
        about=of_kind("T_masked"),
        undecided=settings,
    ),
    Claim(
        "does not converge at λ = 0",
        "Results",
        '"the model did not converge when λ = 0"',
        "answers at 99 %",
        replace(below("answers"), words="not all"),
        CONTROLS,
        about=of_kind("λ = 0"),
        undecided=lambda row, fulfilled: (
            f"ended at {row['steps']:,}" if row["steps"] < PUBLISHED_STEPS else None
        ),
    ),
    Claim(
        "Grokfast learns more, at equal length",
        "Results",
        '"confirming the utility of the gradient amplification"',
        "answers at 99 %, λ = 2 minus λ = 0",
        above(0, "answers"),
        CONTROLS,
        about=has("answers at 99 %, λ = 2 minus λ = 0"),
    ),
    Claim(
        "Grokfast is fifty times faster on x y mod 97",
        "Lee et al. 2024",
        "39,890 steps to 95 %, with it 790 or 910: 50 or 44 times",
        "x y mod 97, steps without Grokfast over with",
        above(5, "times"),
        CONTROLS,
        tolerance="a tenth of the published",
    ),
    Claim(
        "no dropout: 2 and 3 generalise",
        "Fig. 22",
        "two tasks of 29 generalise, mod 2 and mod 3",
        "test accuracy of 2 and 3, least",
        above(0.9, "%"),
        CONTROLS,
        tolerance="10 points",
        about=of_kind("no dropout"),
        undecided=ended_before(PUBLISHED_STEPS),
    ),
    Claim(
        "no dropout: all others overfit",
        "Fig. 22",
        "the other 27 do not",
        "test accuracy of the others, most",
        below(0.9, "%"),
        CONTROLS,
        tolerance="10 points",
        about=of_kind("no dropout"),
    ),
    Claim(
        "their hyper-parameters are the best",
        "Table 2",
        '"the best-performing hyper-parameters"',
        "rank of the published best",
        exactly(1, "first of the search"),
        SEARCHED,
        about=has("trials"),
        undecided=other_settings("p = 23 for 1,000 steps, in which none generalises"),
    ),
    Claim(
        "positions of addition agree",
        "Fig. 7",
        '"a Pearson correlation of 0.95"',
        "positions, Pearson",
        above(0.8),
        POSITIONS,
        tolerance="0.15",
        about=ADDITION,
    ),
    Claim(
        "of remainders are opposed",
        "Fig. 7",
        '"a Pearson correlation of -0.64"',
        "positions, Pearson",
        below(-0.3),
        POSITIONS,
        tolerance="half of it",
        about=OURS,
    ),
    Claim(
        "which reflects the task",
        "Fig. 7",
        '"due to the non-commutative nature of the task"',
        "positions, Pearson",
        above(-0.3),
        POSITIONS,
        tolerance="the same, where labels are permuted",
        about=of_kind("T_basis"),
    ),
    Claim(
        "singular values more diffuse",
        "Fig. 8",
        '"more diffuse"',
        "singular values, effective share, over addition's",
        above(1.5, "times"),
        VALUES,
        tolerance=RATIO,
        about=OURS,
    ),
    Claim(
        "few frequencies for addition",
        "Fig. 11",
        '"Only a few frequencies are active"',
        "frequencies, effective share",
        below(0.25, "%"),
        SPECTRA,
        tolerance="few is under a quarter",
        about=ADDITION,
    ),
    Claim(
        "many for remainders",
        "Fig. 12",
        '"a broader spectrum of active frequencies"',
        "frequencies, effective share, over addition's",
        above(1.5, "times"),
        SPECTRA,
        tolerance=RATIO,
        about=OURS,
    ),
    Claim(
        "none stands out with permuted labels",
        "Fig. 13",
        '"a structure inherent to the data"',
        "frequencies, effective share",
        above(0.8, "%"),
        SPECTRA,
        tolerance="a fifth of the frequencies",
        about=of_kind("T_basis"),
    ),
    Claim(
        "neurons are periodic",
        "Fig. 14",
        '"periodic patterns with respect to the input digits"',
        "neurons, share of their best wave",
        above(0.5, "%"),
        NEURONS,
        tolerance="half of the median neuron's variance",
        about=OURS,
    ),
    Claim(
        "active frequencies spike: its code",
        "Fig. 16",
        "10, 18, 10 at steps 4,096, 16,384 and 65,536",
        "code's count, largest over last",
        above(1.5, "times"),
        SPIKE,
        tolerance="1.8 times is published",
        about=OURS,
    ),
    Claim(
        "by the text's definition of active",
        "Table 3",
        "18 of 57 frequencies over mean and two standard deviations",
        "active by the text, most possible of 57",
        at_least(18),
        SPIKE,
        tolerance="arithmetic: a fifth at most can be (Cantelli)",
        about=has("active by the text, most possible of 57"),
    ),
    *(
        Claim(
            f"without a scale: {name}",
            "Fig. 16",
            "a spike",
            f"{name}, largest over last",
            above(1.5, "times"),
            SPIKE,
            tolerance="1.8 times is published",
            about=OURS,
        )
        for name in ("participation ratio", "90 % of power", "1 - Gini")
    ),
    Claim(
        "the spike coincides with generalisation",
        "post",
        '"as the model generalizes to complex tasks"',
        "code's count, step of the largest over the median answer's",
        between(0.5, 2, "times"),
        SPIKE,
        tolerance="a factor of two; snapshots are a thousand steps apart",
        about=OURS,
    ),
    Claim(
        "attention's gradients settle first",
        "Fig. 17",
        "norms of attention's gradients settle early",
        "gradients of attention, last over largest, over the others'",
        below(1),
        GRADIENTS,
        tolerance="Q, K, V and O together, against all other weights",
        about=OURS,
    ),
    Claim(
        "heads look at one digit",
        "Fig. 18",
        '"focus exclusively on one digit or the other"',
        "attention to one digit, least",
        above(0.9, "%"),
        HEADS,
        tolerance="10 points, every head",
        about=OURS,
    ),
    Claim(
        "addition looks at both",
        "Fig. 18",
        "T_nanda's heads attend to both",
        "attention to one digit, most",
        below(0.6, "%"),
        HEADS,
        tolerance="10 points, every head",
        about=ADDITION,
    ),
    Claim(
        "circuits of simple tasks are reused",
        "post",
        '"reuses and integrates circuits from simpler tasks"',
        "cluster's cost to other answers",
        above(0.1),
        CIRCUITS,
        tolerance="a tenth of accuracy, of a period's neurons at their means",
        about=OURS,
    ),
    Claim(
        "remainders do not commute",
        "§1",
        '"it is non-commutative"',
        "q that commute",
        exactly(0, "no q"),
        TASK,
        tolerance="arithmetic",
        about=has("q that commute"),
    ),
    Claim(
        "primes alone have no zero",
        "§1",
        '"primes are the only samples whose target vector contains no zeros"',
        "others without",
        exactly(0, "no other number"),
        TASK,
        tolerance="arithmetic",
        about=has("others without"),
    ),
    Claim(
        "no prime has one",
        "§1",
        "the same",
        "primes with a zero",
        exactly(0, "no prime"),
        TASK,
        tolerance="arithmetic",
        about=has("primes with a zero"),
    ),
]
own = partial(Claim, source="-", says="-")
OWN = [
    own(
        "the number of frequencies in all neurons does not change",
        measure="participation ratio, largest over last",
        rule=below(1.2, "times"),
        notebook=SPIKE,
        tolerance="a fifth",
        about=OURS,
    ),
    own(
        "neurons of a period serve their own answer",
        measure="cluster's cost to its own answer",
        rule=above(0.5),
        notebook=CIRCUITS,
        tolerance="half of accuracy, of a period's neurons at their means",
        about=OURS,
    ),
    own(
        "larger q come later",
        measure="the others, step with q",
        rule=above(0.3),
        notebook=TRAINING,
        tolerance="a rank correlation of 0.3",
        about=OURS,
    ),
    own(
        "two of 29 commute, mod 2 and mod 7",
        measure="q that commute",
        rule=exactly(2),
        notebook=TASK,
        tolerance="arithmetic",
        about=has("q that commute"),
    ),
]
