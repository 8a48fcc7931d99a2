"""Notebook 03: neurons and heads."""

from __future__ import annotations

from interp_utils.experiments.addition.findings.finding import finding

FINDINGS = [
    finding(
        "03 · One neuron",
        "one frequency explains the best neuron",
        "variance of one neuron at its frequency",
        "over 95 % of its variance",
        lambda share: share > 0.95,
    ),
    finding(
        "03 · All neurons",
        "every key frequency has its cluster",
        "keys without a cluster",
        "none is without",
        lambda count: count == 0,
    ),
    finding(
        "03 · All neurons",
        "clustered neurons are polynomials of degree two",
        "variance of clustered neurons, polynomials",
        "over 90 % of their variance",
        lambda share: share > 0.9,
        source="§4.3",
        published="well approximated",
    ),
    finding(
        "03 · All neurons",
        "clustered neurons have products of waves",
        "variance in products",
        "over 5 % of their variance",
        lambda share: share > 0.05,
    ),
    finding(
        "03 · All neurons",
        "leftover clusters come from earlier in training",
        "power of leftovers, of its peak",
        "below 20 % of its peak, each",
        lambda share: share < 0.2,
    ),
    finding(
        "03 · Attention is a sine wave",
        "heads attend by key frequencies",
        "heads at other frequencies",
        "none at another",
        lambda count: count == 0,
    ),
    finding(
        "03 · What heads look for, and what they write",
        "heads look for the frequencies in use",
        "QK circuits at used frequencies",
        "over 85 % of the power, each head",
        lambda share: share > 0.85,
    ),
]
