"""Notebook 01: a training, live and in its log."""

from __future__ import annotations

from interp_utils.experiments.addition.findings.finding import finding

FINDINGS = [
    finding(
        "01 · Grokking, live",
        "the model generalises long after it has memorised",
        "steps to generalise over steps to memorise",
        "at least three times the steps",
        lambda ratio: ratio >= 3,
        source="Power et al. 2022",
        published="long after",
    ),
    finding(
        "01 · Grokking, live",
        "the model that has memorised cannot do the test pairs",
        "test accuracy when memorised",
        "below 70 %",
        lambda accuracy: accuracy < 0.7,
    ),
    finding(
        "01 · The whole history of a p = 113 run",
        "weights are heaviest when the model has memorised",
        "heaviest weights over end of memorisation, steps",
        "no later",
        lambda ratio: ratio <= 1,
    ),
    finding(
        "01 · The whole history of a p = 113 run",
        "halfway through circuit formation the accuracy shows nothing",
        "test accuracy halfway through circuit formation",
        "below 10 %",
        lambda accuracy: accuracy < 0.1,
        source="§5.2",
        published="no sign",
    ),
    finding(
        "01 · Beside the published log",
        "the log is like the published one",
        "quantities outside the published range",
        "none is outside",
        lambda count: count == 0,
        source="Grokking demo",
        published="its log",
    ),
]
