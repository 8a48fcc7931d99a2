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
]
