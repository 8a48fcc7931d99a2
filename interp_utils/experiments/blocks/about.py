"""The page's text on simplified blocks, and its table of arms."""

from __future__ import annotations

from interp_utils.experiments.blocks.recipes import HEADS, PRIME_STEPS, WIDTH, P
from interp_utils.experiments.claims import Rows
from interp_utils.experiments.rules import line, spread

OVER_SIEVE = "AUC over the best sieve's"


def intro(rows: Rows) -> list[str]:
    total = sum(row.get("runs", 0) for row in rows.values())  # a run that ships is one of them
    return [
        f"{total} trainings, a row each in docs/studies/blocks: a + b mod {P} on half of the",
        "pairs, and which numbers of a row of ten are prime. Models have a width of",
        f"{WIDTH}, {HEADS} heads and one layer where nothing else is said; AdamW has a",
        "learning rate of 0.01 (primes: 0.003) and a weight decay of 1; an arm has three seeds.",
        "*SAS*: no skip around attention, no W_O, and W_V is I + dW in the first layer; *SAS-P*:",
        "the MLP beside attention, and nothing skips either. Neither is normalized where nothing",
        "is said, and weight decay leaves the gains alone. *Plain*: the transformer of the other",
        "notebooks. A training that had not generalised by its end is censored: it counts with",
        "its last step, at least so much later. On primes every training has",
        f"{PRIME_STEPS:,} steps.",
    ]


def table(rows: Rows) -> list[str]:
    lines = [
        "| arm | parameters | generalised | at step | key frequencies | logit variance explained "
        "| products in heads | in neurons | right without those of heads | of neurons |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows.values():
        if "generalises" not in row:
            continue
        cells = [
            row["arm"],
            f"{row['parameters']:,}",
            f"{sum(row['generalises'])} of {row['runs']}",
            spread(row["generalised at"], ",.0f"),
            spread(row["number of key frequencies"], ".0f"),
            spread(row["logit variance explained"], ".0%"),
            spread(row["products in heads"], ".0%"),
            spread(row["products in neurons"], ".0%"),
            spread(row["accuracy without products in heads"], ".0%"),
            spread(row["accuracy without products in neurons"], ".0%"),
        ]
        lines.append(line(cells))
    lines += ["", "| rows of primes | train accuracy | test AUC | over the best sieve |"]
    lines.append("|---|---|---|---|")
    lines += [
        f"| {row['arm']} | {spread(row['train accuracy'], '.1%')} "
        f"| {spread(row['test AUC'], '.3f')} "
        f"| {spread(row[OVER_SIEVE], '+.3f')} |"
        for row in rows.values()
        if "test AUC" in row
    ]
    return lines
