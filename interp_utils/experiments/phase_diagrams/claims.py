"""What was published of when models grok, and the rules."""

from __future__ import annotations

from interp_utils.experiments.claims import (
    Claim,
    Undecided,
    ended,
    ended_early,
    other_settings,
    while_it_lasted,
)
from interp_utils.experiments.phase_diagrams.branches import LAST, SETTLED
from interp_utils.experiments.phase_diagrams.plateau import compared_with
from interp_utils.experiments.rules import Row, above, at_least, at_most, below, between, exactly

DIAGRAM = "14 · Weight decay and the share of pairs"
LAW = "14 · How long it waits"
OPERATIONS = "14 · Which operations"
BACK = "14 · Back again: hysteresis"

NOT_NANDAS = other_settings("p = 53, width 64, learning rate 0.01")
FIFTH, OF_FIVE = "a fifth of the exponent", "grokking is five times later than memorising"
CENSORED = "a training that had not generalised counts with its last step"
PLATEAU = "14 · What ends the plateau"
SHAPES = "14 · Other models"
TRAININGS, DECAYS, SHARES = "trainings", "weight decays", "shares"


def division_censored(row: Row, fulfilled: bool) -> str | None:
    return f"a / b {ended(row)}" if row["a / b was censored"] else None


def still_falling(row: Row, fulfilled: bool) -> str | None:
    lost = row["test accuracy, lost in the last steps"]
    return f"still falling, by {lost:.1%} in {LAST} steps" if lost > SETTLED else None


def still_waiting(way: str) -> Undecided:
    """A median that is censored is a bound, of this way or of what it is compared with."""
    two = {way, compared_with(way)}
    return lambda row, fulfilled: ended(row) if two & set(row["censored"]) else None


CLAIMS = [
    Claim(
        "all four learning phases occur",
        "Liu, Kitouni et al. 2022, abstract",
        '"the presence of four learning phases: comprehension, grokking, memorization, and '
        'confusion"',
        "phases that occur",
        exactly(4),
        DIAGRAM,
        tolerance=f"99 % of pairs right where theirs is 90 %; {OF_FIVE}",
    ),
    Claim(
        "grokking lies between memorising and comprehension",
        "Liu, Kitouni et al. 2022, figure 6",
        '"grokking is sandwiched between comprehension and memorization"',
        "phases in order as weight decay grows",
        exactly(True, "in this order, confusion last"),
        DIAGRAM,
        counts=SHARES,
    ),
    Claim(
        "the fewer the pairs, the longer it takes",
        "Power et al. 2022, §3.1.1",
        '"the optimization time required to achieve that performance grows quickly as the dataset '
        'size is decreased"',
        "steps at 40 % over those at 70 %",
        above(2, "times"),
        DIAGRAM,
        counts=DECAYS,
        tolerance=CENSORED,
    ),
    Claim(
        "with more pairs, train and test accuracy rise together",
        "Power et al. 2022, §3.1",
        '"the training and validation curves tend to track each other more closely"',
        "delay at 70 % over that at 40 %",
        below(0.5),
        DIAGRAM,
        counts=DECAYS,
        tolerance=CENSORED,
    ),
    Claim(
        "30 to 50 % of the pairs grok",
        "Nanda et al. 2023, appendix D",
        "at 30 to 50 % of the pairs it groks",
        "groks at 30 to 50 %",
        exactly(True, "grokking"),
        DIAGRAM,
        counts=TRAININGS,
        tolerance=OF_FIVE,
        undecided=NOT_NANDAS,
    ),
    Claim(
        "with over 60 % it generalises at once",
        "Nanda et al. 2023, appendix D",
        "from 60 % on it generalises at once",
        "generalises at once at 70 %",
        exactly(True, "comprehension"),
        DIAGRAM,
        counts=TRAININGS,
        tolerance=OF_FIVE,
        undecided=NOT_NANDAS,
    ),
    Claim(
        "with 20 % it never generalises",
        "Nanda et al. 2023, appendix D",
        "at 10 and 20 % it has not generalised by 40,000 steps",
        "generalises at 20 %",
        exactly(False, "test accuracy never stays above 99 %"),
        DIAGRAM,
        counts=TRAININGS,
        undecided=while_it_lasted,
    ),
    Claim(
        "without weight decay it does not grok",
        "Nanda et al. 2023, appendix D",
        "without weight decay there is no grokking",
        "groks without weight decay",
        exactly(False, "no grokking"),
        DIAGRAM,
        counts=TRAININGS,
        tolerance=OF_FIVE,
        undecided=while_it_lasted,
    ),
    Claim(
        "the delay is inverse to the weight decay",
        "Truong et al. 2026, abstract",
        '"inverse scaling with weight decay"',
        "exponent of weight_decay",
        between(-1.2, -0.8),
        LAW,
        tolerance=FIFTH,
    ),
    Claim(
        "and to the learning rate",
        "Truong et al. 2026, abstract",
        '"inverse scaling with learning rate"',
        "exponent of lr",
        between(-1.2, -0.8),
        LAW,
        tolerance=FIFTH,
    ),
    Claim(
        "what is h(g(a) + g'(b)) is learned",
        "Doshi et al. 2024, hypothesis 5.2",
        '"The network achieves 100% test accuracy if the modular polynomial is of the from of '
        'equation 14"',
        "sums generalise",
        exactly(True, "test accuracy stays above 99 %"),
        OPERATIONS,
        counts=TRAININGS,
        undecided=ended_early,
    ),
    Claim(
        "what is not, is not",
        "Doshi et al. 2024, §5",
        'transformers "have also been unable to solve general modular arithmetic tasks that do not '
        'fall under equation 14"',
        "others, steps over the slowest sum's",
        at_least(5, "times"),
        OPERATIONS,
        counts=TRAININGS,
        tolerance=CENSORED,
        undecided=ended_early,
    ),
    Claim(
        "a^3 + a b^2 + b is memorised",
        "Power et al. 2022, §3.2",
        "\"didn't lead to generalization within the allowed optimization budget at any percentage "
        'of data up to 95%"',
        "a^3 + a b^2 + b generalises",
        exactly(False, "test accuracy never stays above 99 %"),
        OPERATIONS,
        counts=TRAININGS,
        undecided=while_it_lasted,
    ),
    Claim(
        "without an order of a and b it is easier",
        "Power et al. 2022, §3.2",
        '"tend to require less data for generalization than closely related non-symmetrical '
        'counterparts"',
        "steps, order over no order",
        above(1, "times"),
        OPERATIONS,
        counts="pairs of operations",
        tolerance="steps at half of the pairs in place of the least share",
    ),
    Claim(
        "a / b is as easy as a - b",
        "Power et al. 2022, §3.2",
        '"indeed take about the same amount of data for generalization to occur"',
        "steps of a / b over a - b",
        between(0.5, 2, "times"),
        OPERATIONS,
        tolerance="steps at half of the pairs, within a factor of two",
        undecided=division_censored,
    ),
    Claim(
        "with little data it forgets what it had learned",
        "Varma et al. 2023, §1",
        '"returns to poor test accuracy when further trained on a dataset much smaller than" the '
        "critical one",
        "test accuracy at the least share",
        below(0.5, "%"),
        BACK,
        counts=TRAININGS,
        tolerance="under half of the pairs right",
    ),
    Claim(
        "it forgets at less than half of what learning takes",
        "Varma et al. 2023, appendix A.2",
        '"less than half of what the semi-grokking run required"',
        "share kept over share reached",
        below(0.5),
        BACK,
        tolerance="both at a test accuracy of 70 %, as theirs",
    ),
    Claim(
        "how far it forgets does not depend on weight decay",
        "Varma et al. 2023, prediction P3",
        "the final test accuracy is independent of weight decay",
        "test accuracy, difference by decay",
        at_most(0.1, "%"),
        BACK,
        tolerance="a tenth of the pairs, at every share",
        undecided=still_falling,
    ),
    Claim(
        "weight decay from the plateau on sets the rest of the wait: twice as much",
        "Truong et al. 2026, abstract",
        '"inverse scaling with weight decay"',
        "wait, twice the weight decay",
        between(0.3, 0.7, "times"),
        PLATEAU,
        tolerance="40 % of half the wait",
        undecided=still_waiting("twice the weight decay"),
    ),
    Claim(
        "and four times as much",
        "Truong et al. 2026, abstract",
        '"inverse scaling with weight decay"',
        "wait, four times the weight decay",
        between(0.15, 0.35, "times"),
        PLATEAU,
        tolerance="40 % of a quarter of the wait",
        undecided=still_waiting("four times the weight decay"),
    ),
    Claim(
        "weights made smaller end the plateau",
        "Liu et al. 2022, section 2",
        "grokking is from a norm that is too large at first",
        "wait, weights x 0.6",
        below(0.5, "times"),
        PLATEAU,
        tolerance="half of the wait from the same weights, with moments at zero",
        undecided=still_waiting("weights x 0.6"),
    ),
    Claim(
        "two layers grok, too",
        "Nanda et al. 2023, appendix D",
        "some grokking, obscured by slingshots",
        "generalises, n_layers 2",
        exactly(True, "test accuracy stays above 99 %"),
        SHAPES,
        counts=TRAININGS,
        undecided=ended_early,
    ),
]
