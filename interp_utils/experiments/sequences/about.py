"""The page's text on integer sequences, and its table of runs."""

from __future__ import annotations

from interp_utils.experiments.claims import Rows
from interp_utils.tasks import QUESTIONS

INTRO = [
    "Published with the OEIS, five tasks and a measure of its own for each (Belcak et al. 2022; "
    "the slides name four of them and no number). Here: sequences of",
    "eight terms by eight kinds of generators, each question an answer of one two-layer encoder, "
    "fresh sequences at every step, 6,000 steps, three seeds; accuracies",
    "on 2,000 test sequences a question, whose rules are never trained on. *Skill*: (accuracy - "
    "base) / (1 - base), where the base is the best constant answer's accuracy.",
    "The rules for what was found were set on seed 0, those on padding and on where periods are "
    "told on seed 1; the other seeds test them.",
]


def table(rows: Rows) -> list[str]:
    lines = [
        f"| run | {' | '.join(QUESTIONS)} | chance | by two classifications |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        accuracies = " | ".join(f"{row[question]:.1%}" for question in QUESTIONS)
        chance = ", ".join(f"{row[f'{question}, base']:.1%}" for question in QUESTIONS)
        by_two = f"{row['comparison by two classifications']:.1%}"
        lines.append(f"| {name} | {accuracies} | {chance} | {by_two} |")
    return lines
