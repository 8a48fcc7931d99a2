"""What a model that adds learns, and how it is represented: Nanda et al. 2023, section 4 and
appendices.
"""

from __future__ import annotations

from interp_utils.experiments.claims import Claim, ended_before
from interp_utils.experiments.rules import Row, above, at_least, at_most, below, between, exactly


def any_run(row: Row) -> bool:
    return True


PUBLISHED_STEPS = 40_000
WHICH = "02 · Which frequencies?"
ALL, WAVES, LOGITS = "03 · All neurons", "03 · Attention is a sine wave", "03 · The logits"
READ_OUT, LOOK = "03 · From neurons to logits", "03 · What heads look for, and what they write"
SEEDS = "04 · Other seeds, and other moduli"

CLAIMS = [
    Claim(
        "the model generalises",
        "§3",
        "runs on five seeds all grok within 40,000 epochs",
        "test accuracy",
        above(0.99, "%"),
        SEEDS,
        about=any_run,
        undecided=ended_before(PUBLISHED_STEPS),
    ),
    Claim(
        "the model has few key frequencies",
        "§4.1, App. C.2.1",
        "the main run has five key frequencies, other seeds three or four",
        "number of key frequencies",
        between(3, 6),
        WHICH,
        tolerance="one more",
    ),
    Claim(
        "the embedding has few frequencies",
        "§4.1",
        "six of 56 frequencies have a norm that is not negligible",
        "W_E, number of frequencies",
        at_most(8),
        WHICH,
        tolerance="two more; a norm is negligible below a quarter of the largest",
    ),
    Claim(
        "the logits lie in 2 x 2 blocks of components",
        "§4.1",
        "20 components have a significant norm: five blocks of 2 x 2",
        "logits, share in the blocks",
        at_least(0.95, "%"),
        LOGITS,
        tolerance="5 % of power elsewhere",
    ),
    Claim(
        "no component of the logits outside the blocks is large",
        "§4.1",
        "the same",
        "logits, large components outside the blocks",
        exactly(0, "none"),
        LOGITS,
        tolerance="a component is large above a quarter of the largest",
    ),
    Claim(
        "logits are sums of cos w(a+b-c)",
        "§4.2",
        "cosines of the key frequencies explain 95 % of the variance",
        "logit variance explained",
        at_least(0.95, "%"),
        LOGITS,
    ),
    Claim(
        "each of the directions u and v picks one wave of the neurons",
        "§4.2, Table 1",
        "93.2 to 98.2 % of the variance is one cosine's or sine's",
        "u and v, share of one wave, at least",
        above(0.9, "%"),
        READ_OUT,
        tolerance="3 points",
    ),
    Claim(
        "W_L has two directions for each key frequency, and nothing else",
        "§4.2",
        "the residual has a norm under 0.55 % of that of W_L",
        "residual of W_L",
        below(0.0055, "%"),
        READ_OUT,
    ),
    Claim(
        "W_L has two directions for each key frequency: as a share of power",
        "§4.2",
        "0.55 %, if the squared norm is meant",
        "residual of W_L, squared",
        below(0.0055, "%"),
        READ_OUT,
    ),
    Claim(
        "most neurons have one frequency",
        "§4.3",
        "one frequency explains over 85 % of the variance of 433 of 512 neurons (84.6 %)",
        "neurons clustered",
        above(0.5, "%"),
        ALL,
        tolerance="35 points; public models span 36 to 97 %",
    ),
    Claim(
        "W_L reads a cluster at the cluster's frequency",
        "§4.3",
        "W_L of a cluster's neurons has the cluster's frequency",
        "W_L of a key cluster, share at its frequency",
        above(0.9, "%"),
        READ_OUT,
        tolerance="10 % of power elsewhere",
        counts="clusters",
    ),
    Claim(
        "attention is a sine wave",
        "Table 2",
        "one wave explains 97.9 to 99.1 % of a head's attention at epoch 40,000",
        "attention fit",
        above(0.93, "%"),
        WAVES,
        tolerance="5 points",
        counts="heads",
    ),
    Claim(
        "some head attends by and writes one frequency",
        "App. C",
        "two of four heads attend by and write one frequency",
        "OV at the head's frequency, most",
        above(0.7, "%"),
        LOOK,
        tolerance="one head of four, 30 % of power elsewhere",
    ),
    Claim(
        "some head writes several key frequencies",
        "App. C",
        "two of four heads write several frequencies",
        "OV at the head's frequency, least",
        below(0.5, "%"),
        LOOK,
        tolerance="one head of four",
    ),
    Claim(
        "heads do not attend to =",
        "App. A.1",
        "on average 0.1 to 0.4 % of any head's attention",
        "attention to =, at most",
        below(0.01, "%"),
        WAVES,
        tolerance="0.6 points",
    ),
]
