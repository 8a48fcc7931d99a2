"""What Patel et al., section 3.3, say of x^a + y^b, what was found beside it, and the rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from interp_utils.experiments.claims import Claim, ended_early
from interp_utils.experiments.powers.recipes import P
from interp_utils.experiments.powers.row import generalised, is_bijection, of_run
from interp_utils.experiments.powers.together import PUBLISHED
from interp_utils.experiments.rules import (
    LN_P,
    Row,
    above,
    at_least,
    at_most,
    below,
    exactly,
)


def one_of(*names: str) -> Callable[[Row], bool]:
    return lambda row: of_run(row) and row["task"] in names


def grokked_in_table(row: Row) -> bool:
    return of_run(row) and PUBLISHED.get(row["task"]) is not None


def no_sums(row: Row) -> bool:
    """Generalised on other exponents than 1 and 1."""
    return generalised(row) and row["task"] != "(1, 1)"


def renamed(row: Row) -> bool:
    """Generalised on modular addition under another name."""
    return no_sums(row) and is_bijection(row)


def uneven(row: Row) -> bool:
    return of_run(row) and row["entropy of labels"] < 0.9999


def together(row: Row) -> bool:
    return "runs" in row


def not_yet(row: Row, fulfilled: bool) -> str | None:
    """A run that had not generalised by its end says nothing of whether it would."""
    return None if row["has generalised"] else f"ended at {row['steps']:,}"


EVEN_PAIRS = ("(2, 2)", "(4, 4)")
LABELS, TABLE = "07 · Labels and classes", "07 · Table 1, with seeds"
SIZE = "07 · The size of the exponents, or the classes seen?"
IN_U, EVEN = "07 · Embeddings in x and in u", "07 · Even exponents: only cosines"
NEURONS = "07 · Neurons in (x, y) and in (u, v)"
SUMS = "07 · Key frequencies, restricted and excluded loss in u and v"
WEIGHTS = "07 · Squared weights, and excluded loss over training"
SEVENS = "07 · (7, 7) mod 113 and mod 101"
FIVE = "grokked is five times later than memorised"
WEAK = "a rank correlation of a half"

CLAIMS = [
    Claim(
        "the pairs that grokked generalise",
        "Table 1",
        "grokked at 600 to 70,000 epochs",
        "test accuracy",
        above(0.99, "%"),
        TABLE,
        about=grokked_in_table,
        undecided=ended_early,
    ),
    Claim(
        "and grok",
        "Table 1",
        '"Grokked: Yes"',
        "grokked",
        exactly(True, "five times later than memorised"),
        TABLE,
        tolerance=FIVE,
        about=grokked_in_table,
        undecided=not_yet,
    ),
    Claim(
        "(7, 7) mod 113 does not grok",
        "Table 1",
        '"Grokked: No"',
        "grokked",
        exactly(False, "no delay of five times"),
        SEVENS,
        tolerance=FIVE,
        about=one_of("(7, 7)"),
        undecided=not_yet,
    ),
    Claim(
        "that is, it does not generalise",
        "§3.3",
        '"most choices of symmetric values for (a, b) will grok, except for a, b = 7"',
        "has generalised",
        exactly(False, "test accuracy never stays above 99 %"),
        SEVENS,
        about=one_of("(7, 7)"),
    ),
    Claim(
        "(7, 7) mod 101 groks",
        "Table 1",
        "at 2,500",
        "grokked",
        exactly(True, "five times later than memorised"),
        SEVENS,
        tolerance=FIVE,
        about=one_of("(7, 7) mod 101"),
        undecided=not_yet,
    ),
    Claim(
        "(4, 4) generalises at once",
        "§5.1",
        '"instant and precise generalization"',
        "step over that of memorising",
        at_most(2, "times"),
        TABLE,
        tolerance="twice the step of memorising",
        about=one_of("(4, 4)"),
        undecided=not_yet,
    ),
    Claim(
        "(9, 9) is faster than (3, 4)",
        "§5.1",
        '"performed better in this more complex setting"',
        "(9, 9) over (3, 4)",
        below(1),
        TABLE,
        about=together,
    ),
    Claim(
        "the order of Table 1",
        "Table 1",
        "from 18,100 for (1, 1) to 600 for (8, 9)",
        "order of Table 1",
        above(0.7),
        TABLE,
        tolerance="a rank correlation of 0.7, one for the same order",
        about=together,
    ),
    Claim(
        "grokking is faster the larger the exponents",
        "§3.3",
        '"the speed of grokking increases as the values of a and b increase"',
        "step with exponent, all tasks",
        below(-0.5),
        SIZE,
        tolerance=WEAK,
        about=together,
    ),
    Claim(
        "the same, at equal shares of unseen classes",
        "§3.3",
        "the same",
        "step with exponent, classes alike",
        below(-0.5),
        SIZE,
        tolerance=WEAK,
        about=together,
    ),
    Claim(
        "the same, on bijections: (1, 1), (3, 3), (5, 5), (9, 9)",
        "Table 1",
        "18,100, 10,000, 3,000 and 1,600",
        "step with exponent, bijections",
        below(-0.5),
        SIZE,
        tolerance=WEAK,
        about=together,
    ),
    Claim(
        "these differ at all",
        "Table 1",
        "the same",
        "one distribution, bijections: p",
        below(0.05),
        SIZE,
        tolerance="Kruskal and Wallis at 5 %; so few runs show large differences only",
        about=together,
    ),
    Claim(
        "the drop from (1, 1) to (3, 3)",
        "§3.3",
        '"most significant in the test runs between a, b = 1 to a, b = 3"',
        "(3, 3) and (1, 1): p",
        below(0.05),
        SIZE,
        tolerance="Kruskal and Wallis at 5 %",
        about=together,
    ),
    Claim(
        "(5, 4) takes longer than (4, 5)",
        "Table 1",
        "5,000 and 1,100: 4.5 times",
        "(5, 4) over (4, 5)",
        above(2, "times"),
        TABLE,
        tolerance="under half of the published ratio",
        about=together,
    ),
    Claim(
        "(3, 4) takes longest",
        "Table 1",
        "70,000 and 18,100 for (1, 1): 3.9 times",
        "(3, 4) over (1, 1)",
        above(2, "times"),
        TABLE,
        tolerance="half of the published ratio",
        about=together,
    ),
    Claim(
        "a = b is learned faster than others",
        "§5.1",
        '"absence of these specific conditions leads to slower generalization"',
        "a = b over neither",
        below(0.8, "times"),
        TABLE,
        tolerance="a fifth faster; bijections, which differ in nothing else",
        about=together,
    ),
    Claim(
        "so is a = k b",
        "§5.1",
        '"scaled rotations in the complex plane"',
        "a = k b over neither",
        below(0.8, "times"),
        TABLE,
        tolerance="the same",
        about=together,
    ),
    Claim(
        "(3, 3) has all labels equally",
        "§3.3",
        '"outputs all values in the range [0, p) equally"',
        "entropy of labels",
        above(0.99999),
        LABELS,
        tolerance="of ln p",
        about=one_of("(3, 3)"),
    ),
    Claim(
        "(7, 7) mod 113 lacks many labels",
        "§3.3",
        '"many values in the [0, p) not represented"',
        "labels that do not occur",
        above(10),
        LABELS,
        tolerance="many is over ten of 113",
        about=one_of("(7, 7)"),
    ),
    Claim(
        "(7, 7) mod 113 has many zeros",
        "§3.3, Fig. 2",
        '"a very uneven distribution, with emphasis on 0"',
        "pairs of label 0, over an even share",
        above(1.5, "times"),
        LABELS,
        tolerance="half as many again",
        about=one_of("(7, 7)"),
    ),
    Claim(
        "without even labels no generalisation",
        "§3.3",
        '"has to have a uniform distribution of remainders"',
        "has generalised",
        exactly(False, "test accuracy never stays above 99 %"),
        LABELS,
        tolerance="uneven is an entropy below 0.9999 ln p",
        about=uneven,
    ),
    Claim(
        "the embedding is dense in the Fourier basis",
        "§3.3",
        '"instead of being sparse in a few key values"',
        "W_E in x, share of the five largest",
        below(0.5, "%"),
        IN_U,
        tolerance="half of the power in five frequencies",
        about=no_sums,
    ),
    Claim(
        "it has no simple structure",
        "§3.3",
        '"no simple functional structure that is apparent"',
        "written by x, share on key frequencies",
        below(0.5, "%"),
        IN_U,
        tolerance="half of the power on the key frequencies of u",
        about=renamed,
    ),
    Claim(
        "(2n, 2n): power is spread evenly",
        "§3.3",
        '"widely but evenly (equal amplitude)"',
        "W_E in x, effective share of frequencies",
        above(0.9, "%"),
        EVEN,
        tolerance="a tenth of the frequencies",
        about=one_of(*EVEN_PAIRS),
    ),
    Claim(
        "only there",
        "§3.3",
        "inconclusive elsewhere",
        "W_E in x, effective share of frequencies",
        below(0.9, "%"),
        EVEN,
        tolerance="the same",
        about=lambda row: no_sums(row) and row["p"] == P and row["task"] not in EVEN_PAIRS,
    ),
    Claim(
        "no angle sums of x and y",
        "§3.3",
        '"angle-sum identities are no longer being formed"',
        "neurons, share of one frequency of (x, y)",
        below(0.4, "%"),
        NEURONS,
        tolerance="of the median neuron's variance",
        about=no_sums,
    ),
    Claim(
        "nor of u and v: another mechanism",
        "§3.3",
        '"the underlying mechanism has changed"',
        "neurons, share of one frequency of (u, v)",
        below(0.5, "%"),
        NEURONS,
        tolerance="of the median neuron's variance",
        about=renamed,
    ),
    Claim(
        "the logits are no cos w(u+v-z)",
        "§3.3",
        "the same",
        "logit variance explained",
        below(0.95, "%"),
        SUMS,
        tolerance="as for modular addition",
        about=renamed,
    ),
    Claim(
        "x and y are combined in the unembed",
        "§3.3",
        '"transforming the representations of x and y separately"',
        "accuracy, neurons additive",
        above(0.5, "%"),
        NEURONS,
        tolerance="half right with neurons f(x) + g(y)",
        about=no_sums,
    ),
    Claim(
        "the unembedding has key frequencies",
        "§3.3",
        '"still found in the unembed matrix"',
        "W_L, share of the five largest",
        above(0.7, "%"),
        SUMS,
        tolerance="30 % of power elsewhere",
        about=lambda row: generalised(row) and grokked_in_table(row),
    ),
    Claim(
        "excluded loss shows them",
        "Fig. 1",
        "a progress measure, drawn",
        "excluded loss",
        above(LN_P),
        SUMS,
        tolerance="worse than a guess, on training pairs",
        about=renamed,
    ),
    Claim(
        "squared weights fall after grokking",
        "Fig. 1",
        '"from high (when the model is memorizing and overfitting) to low"',
        "sum of squared weights, last over largest",
        below(0.5, "times"),
        WEIGHTS,
        tolerance="low is under half",
    ),
    Claim(
        "their fall indicates grokking",
        "Fig. 1",
        '"indicate progress in grokking"',
        "sum of squared weights, last over largest",
        above(0.9, "times"),
        WEIGHTS,
        tolerance="no fall by a tenth on random labels, where nothing is grokked",
        about=lambda row: row.get("task") == "random labels",
    ),
]
own = partial(Claim, source="-", says="-")
OWN = [
    own(
        "it is modular addition renamed: the operands write key frequencies of u and v",
        measure="written by x, share on key frequencies",
        rule=above(0.8, "%"),
        notebook=IN_U,
        tolerance="a fifth of the power",
        about=renamed,
    ),
    own(
        "neurons have one frequency of u and v",
        measure="neurons, share of one frequency of (u, v)",
        rule=above(0.85, "%"),
        notebook=NEURONS,
        tolerance="the median neuron, as clusters are defined for modular addition",
        about=renamed,
    ),
    own(
        "the logits are cos w(u+v-z)",
        measure="logit variance explained",
        rule=at_least(0.92, "%"),
        notebook=SUMS,
        tolerance="3 points under what is published for modular addition",
        about=renamed,
    ),
    own(
        "(7, 7) mod 113 generalises at once",
        measure="step over that of memorising",
        rule=at_most(2, "times"),
        notebook=SEVENS,
        tolerance="twice the step of memorising",
        about=one_of("(7, 7)"),
    ),
    own(
        "(2n, 2n): only cosines",
        measure="W_E in x, share of sines",
        rule=below(0.01, "%"),
        notebook=EVEN,
        about=one_of(*EVEN_PAIRS),
    ),
    own(
        "what decides is how many pairs of classes training leaves unseen",
        measure="step with unseen classes, exponents alike",
        rule=above(0.5),
        notebook=SIZE,
        tolerance=WEAK,
        about=together,
    ),
]
