"""How the answers are computed, and what falls while they are learned: Patel et al., section 3.3
and figure 1.
"""

from __future__ import annotations

from interp_utils.experiments.claims import Claim
from interp_utils.experiments.powers.claims.rows import (
    control,
    grokked_in_table,
    no_sums,
    one_of,
    renamed,
)
from interp_utils.experiments.powers.recipes import P
from interp_utils.experiments.powers.row import generalised
from interp_utils.experiments.rules import LN_P, above, below

EVEN_PAIRS = ("(2, 2)", "(4, 4)")
IN_U, EVEN = "07 · Embeddings in x and in u", "07 · Even exponents: only cosines"
NEURONS = "07 · Neurons in (x, y) and in (u, v)"
SUMS = "07 · Key frequencies, restricted and excluded loss in u and v"
WEIGHTS = "07 · Squared weights, and excluded loss over training"

CLAIMS = [
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
        "the embedding has no simple structure",
        "§3.3",
        '"no simple functional structure that is apparent"',
        "written by x, share on key frequencies",
        below(0.5, "%"),
        IN_U,
        tolerance="half of the power lies on the key frequencies of u",
        about=renamed,
    ),
    Claim(
        "with (2n, 2n) the embedding's power is spread evenly",
        "§3.3",
        '"widely but evenly (equal amplitude)"',
        "W_E in x, effective share of frequencies",
        above(0.9, "%"),
        EVEN,
        tolerance="a tenth of the frequencies",
        about=one_of(*EVEN_PAIRS),
    ),
    Claim(
        "with other exponents the embedding's power is not spread evenly",
        "§3.3",
        "the spectra of other exponents are inconclusive",
        "W_E in x, effective share of frequencies",
        below(0.9, "%"),
        EVEN,
        tolerance="a tenth of the frequencies",
        about=lambda row: no_sums(row) and row["p"] == P and row["task"] not in EVEN_PAIRS,
    ),
    Claim(
        "neurons do not form angle sums of x and y",
        "§3.3",
        '"angle-sum identities are no longer being formed"',
        "neurons, share of one frequency of (x, y)",
        below(0.4, "%"),
        NEURONS,
        tolerance="of the median neuron's variance",
        about=no_sums,
    ),
    Claim(
        "neurons do not form angle sums of u and v: the mechanism is another one",
        "§3.3",
        '"the underlying mechanism has changed"',
        "neurons, share of one frequency of (u, v)",
        below(0.5, "%"),
        NEURONS,
        tolerance="of the median neuron's variance",
        about=renamed,
    ),
    Claim(
        "the logits are no sums of cos w(u+v-z)",
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
        "excluded loss shows the key frequencies",
        "Fig. 1",
        "excluded loss is drawn as a progress measure",
        "excluded loss",
        above(LN_P),
        SUMS,
        tolerance="worse than a guess, on training pairs",
        about=renamed,
    ),
    Claim(
        "a memoriser's excluded loss shows none",
        "Fig. 1",
        "excluded loss rises with grokking",
        "excluded loss",
        below(LN_P),
        SUMS,
        tolerance="no better than a guess, on random labels, where nothing is grokked",
        about=control,
    ),
    Claim(
        "squared weights fall after grokking",
        "Fig. 1",
        '"from high (when the model is memorizing and overfitting) to low"',
        "sum of squared weights, last over largest",
        below(0.5, "times"),
        WEIGHTS,
        tolerance="low means under half",
    ),
    Claim(
        "a fall of the squared weights indicates grokking",
        "Fig. 1",
        '"indicate progress in grokking"',
        "sum of squared weights, last over largest",
        above(0.9, "times"),
        WEIGHTS,
        tolerance="no fall by a tenth on random labels, where nothing is grokked",
        about=control,
    ),
]
