"""What was found in addition to the published claims."""

from __future__ import annotations

from interp_utils.experiments.claims import own
from interp_utils.experiments.powers.claims.mechanism import EVEN_PAIRS
from interp_utils.experiments.powers.claims.rows import one_of, renamed, together
from interp_utils.experiments.rules import above, at_least, at_most, below

IN_U, EVEN = "07 · Embeddings in x and in u", "07 · Even exponents: only cosines"
NEURONS = "07 · Neurons in (x, y) and in (u, v)"
SUMS = "07 · Key frequencies, restricted and excluded loss in u and v"
SEVENS = "07 · (7, 7) mod 113 and mod 101"
SIZE = "07 · The size of the exponents, or the classes seen?"

OWN = [
    own(
        "the operands write key frequencies of u and v: the task is modular addition renamed",
        measure="written by x, share on key frequencies",
        rule=above(0.8, "%"),
        notebook=IN_U,
        tolerance="a fifth of the power",
        about=renamed,
    ),
    own(
        "each neuron has one frequency of u and v",
        measure="neurons, share of one frequency of (u, v)",
        rule=above(0.85, "%"),
        notebook=NEURONS,
        tolerance="the median neuron, as clusters are defined for modular addition",
        about=renamed,
    ),
    own(
        "the logits are sums of cos w(u+v-z)",
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
        "with (2n, 2n) the embedding has only cosines",
        measure="W_E in x, share of sines",
        rule=below(0.01, "%"),
        notebook=EVEN,
        about=one_of(*EVEN_PAIRS),
    ),
    own(
        "the more pairs of classes training leaves unseen, the later the model generalises",
        measure="step with unseen classes, exponents alike",
        rule=above(0.5),
        notebook=SIZE,
        tolerance="a rank correlation of a half",
        about=together,
    ),
]
