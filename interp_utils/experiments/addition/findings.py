"""Rules for what notebooks 01 to 05 look at on one run, beyond the claims of docs/claims.md, and
the verdicts that their text states about the main run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp_utils.experiments.claims import Claim, Finding
from interp_utils.experiments.rules import Row, Rule

MAIN = "modular_addition"


def _finding(
    notebook: str,
    text: str,
    measure: str,
    rule: str,
    holds: Callable[[Any], bool],
    *,
    source: str = "this suite",
    published: str = "-",
    verdict: str = "holds",
    about: Callable[[Row], bool] | None = None,
) -> Finding:
    """A finding whose rule asks one number alone."""
    asked = Rule(rule, lambda value, row: holds(value))
    return Finding(Claim(text, source, published, measure, asked, notebook, about=about), verdict)


FINDINGS = [
    _finding(
        "02 · How it works",
        "other frequencies explain nothing",
        "variance on as many other frequencies",
        "below 5 %",
        lambda share: share < 0.05,
    ),
    _finding(
        "02 · The embedding, as one usually looks at it",
        "principal components are waves over the numbers",
        "two principal components at two frequencies",
        "over 80 % at two frequencies",
        lambda share: share > 0.8,
    ),
    _finding(
        "02 · The embedding, in the Fourier basis",
        "the embedding is sparse",
        "power of W_E on keys",
        "over 80 % on the key frequencies",
        lambda share: share > 0.8,
        source="§4.1",
        published="few frequencies",
    ),
    _finding(
        "02 · The embedding, in the Fourier basis",
        "every key frequency has its cosine and its sine",
        "cosine against sine, at most",
        "norms within a factor of 2",
        lambda ratio: ratio < 2,
    ),
    _finding(
        "02 · The circles",
        "the planes of the key frequencies hold circles",
        "circles, the least pure",
        "over 90 % at its own frequency, each",
        lambda share: share > 0.9,
    ),
    _finding(
        "02 · How many directions are in use?",
        "two directions a key frequency are in use",
        "variance of W_E in two directions a key",
        "over 80 % of the variance",
        lambda share: share > 0.8,
        source="§4.1",
        published="low rank",
    ),
    _finding(
        "02 · Reading out: the unembedding, and the map from neurons to logits",
        "W_L is sparse at the same frequencies",
        "power of W_L on keys",
        "over 90 % on the key frequencies",
        lambda share: share > 0.9,
        source="§4.2",
        published="few frequencies",
    ),
    _finding(
        "02 · Reading out: the unembedding, and the map from neurons to logits",
        "so is W_U",
        "power of W_U on keys",
        "over 80 % on the key frequencies",
        lambda share: share > 0.8,
    ),
    _finding(
        '02 · Four rules for "key", and where they disagree',
        "rules that look at outputs agree",
        "rules on outputs that agree",
        "all three",
        lambda count: count == 3,
    ),
    _finding(
        '02 · Four rules for "key", and where they disagree',
        "every key frequency is one by the embedding too",
        "keys missing in W_E",
        "none is missing",
        lambda count: count == 0,
    ),
    _finding(
        "02 · When do the frequencies appear?",
        "cleanup starts with hardly any test pair right",
        "test accuracy when cleanup starts",
        "below 20 %",
        lambda accuracy: accuracy < 0.2,
    ),
    _finding(
        "02 · When do the frequencies appear?",
        "by then the key frequencies have most of their power",
        "power of keys when cleanup starts",
        "over 50 % of the final",
        lambda share: share > 0.5,
        source="§5.2",
        published="circuit before cleanup",
    ),
    _finding(
        "02 · When do the frequencies appear?",
        "and the others most of theirs",
        "power of others when cleanup starts",
        "over 50 % of the peak",
        lambda share: share > 0.5,
    ),
    _finding(
        "02 · When do the frequencies appear?",
        "which is gone at the end",
        "power of others at the end",
        "below 10 % of the peak",
        lambda share: share < 0.1,
        source="§5.2",
        published="removed in cleanup",
    ),
]
