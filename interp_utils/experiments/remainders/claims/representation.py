"""Embeddings, neurons, attention, and circuits, at the end of training."""

from __future__ import annotations

from interp_utils.experiments.claims import Claim
from interp_utils.experiments.remainders.claims.rows import ADDITION, OURS, of_kind
from interp_utils.experiments.rules import above, below

POSITIONS, VALUES = "09 · Positional embeddings", "09 · The embedding's singular values"
SPECTRA, NEURONS, HEADS = "09 · Spectra of the embedding", "09 · Neurons", "09 · Attention"
CIRCUITS = "10 · Neurons"
RATIO = "half as many again"

CLAIMS = [
    Claim(
        "the positional embeddings of modular addition agree",
        "Fig. 7",
        '"a Pearson correlation of 0.95"',
        "positions, Pearson",
        above(0.8),
        POSITIONS,
        tolerance="0.15",
        about=ADDITION,
    ),
    Claim(
        "the positional embeddings of remainders are opposed",
        "Fig. 7",
        '"a Pearson correlation of -0.64"',
        "positions, Pearson",
        below(-0.3),
        POSITIONS,
        tolerance="half of the published correlation",
        about=OURS,
    ),
    Claim(
        "positional embeddings are opposed because of the task",
        "Fig. 7",
        '"due to the non-commutative nature of the task"',
        "positions, Pearson",
        above(-0.3),
        POSITIONS,
        tolerance="half of the published correlation, with permuted labels",
        about=of_kind("T_basis"),
    ),
    Claim(
        "the embedding's singular values are more diffuse than addition's",
        "Fig. 8",
        '"more diffuse"',
        "singular values, effective share, over addition's",
        above(1.5, "times"),
        VALUES,
        tolerance=RATIO,
        about=OURS,
    ),
    Claim(
        "few frequencies are active for addition",
        "Fig. 11",
        '"Only a few frequencies are active"',
        "frequencies, effective share",
        below(0.25, "%"),
        SPECTRA,
        tolerance="few means under a quarter",
        about=ADDITION,
    ),
    Claim(
        "more frequencies are active for remainders",
        "Fig. 12",
        '"a broader spectrum of active frequencies"',
        "frequencies, effective share, over addition's",
        above(1.5, "times"),
        SPECTRA,
        tolerance=RATIO,
        about=OURS,
    ),
    Claim(
        "with permuted labels no frequency stands out",
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
        "each head looks at one digit",
        "Fig. 18",
        '"focus exclusively on one digit or the other"',
        "attention to one digit, least",
        above(0.9, "%"),
        HEADS,
        tolerance="10 points, every head",
        about=OURS,
    ),
    Claim(
        "heads of modular addition look at both operands",
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
        tolerance="a tenth of accuracy, with a period's neurons at their means",
        about=OURS,
    ),
]
