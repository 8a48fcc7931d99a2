"""What Patel et al., section 3.4, say of sorting, and the rules that decide it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from interp_utils.experiments.base import Claim, Row, Rows
from interp_utils.experiments.sorting.row import REACHED, TOKENS, WHOLE

COMPARED = {  # of two kinds at one seed: the measure of the one minus that of the other
    "score, with an MLP minus without": ("one head, MLP", "one head", "copying score"),
    "score, two heads minus one": ("two heads", "one head", "copying score"),
    "90 % of lists, step with positions minus without": (
        "one head, positions",
        "one head",
        REACHED,
    ),
    "tokens, variable minus fixed length": ("one head, variable length", "one head", TOKENS),
    "attention to equal tokens, with repeats minus without": (
        "one head, positions, repeats",
        "one head, positions",
        "attention to equal tokens",
    ),
}


def together(rows: Rows, docs: Path) -> Rows:
    """Seed by seed, how kinds differ; a kind with one seed is compared with each of the other."""
    by_kind = {(row["kind"], row["seed"]): row for row in rows.values()}
    found: Rows = {}
    for seed in sorted({row["seed"] for row in rows.values()}):
        compared: Row = {}
        for name, (one, other, measure) in COMPARED.items():
            values = [
                by_kind.get((kind, seed), by_kind.get((kind, 0), {})).get(measure)
                for kind in (one, other)
            ]
            if None not in values:
                compared[name] = values[0] - values[1]
        found[f"seed {seed}"] = compared
    return found


def of_kind(kind: str | None) -> Callable[[Row], bool]:
    """Rows of runs of a kind; None: rows of what is compared."""
    return lambda row: row.get("kind") == kind


def _claim(
    text: str,
    published: str,
    measure: str,
    holds: Callable[[float], bool],
    rule: str,
    section: str,
    source: str = "§3.4",
    about: str | None = None,
) -> Claim:
    """about: the kind of run, None for what compares two."""

    def decides(row: Row) -> bool:
        return holds(row[measure])

    return Claim(text, source, published, measure, decides, rule, f"06 · {section}", of_kind(about))


SORTS, CHANGES, LENGTH = "Does it sort?", "What changes with the model", "Variable length"
MID = "Does attention fall with the distance from MID?"
CLAIMS = [
    _claim(
        "one head sorts lists of fixed length",
        "near-perfect",
        WHOLE,
        lambda x: x >= 0.99,
        "99 % of lists",
        SORTS,
        about="one head",
    ),
    _claim(
        "the same, two heads",
        "(one suffices)",
        WHOLE,
        lambda x: x >= 0.99,
        "99 % of lists",
        CHANGES,
        about="two heads",
    ),
    _claim(
        "sorts lists of up to 100 items",
        "near-perfect",
        "lists of over 75 items",
        lambda x: x >= 0.99,
        "99 % of lists of over 75",
        LENGTH,
        about="one head, variable length",
    ),
    _claim(
        "the same, of any length",
        "near-perfect",
        WHOLE,
        lambda x: x >= 0.99,
        "99 % of lists",
        LENGTH,
        about="one head, variable length",
    ),
    _claim(
        "attends to the smallest element above",
        "always",
        "answer attended most",
        lambda x: x > 0.8,
        "at over 80 % of answers",
        "Attention of one list",
        "Baginski and Kolly",
        about="one head",
    ),
    _claim(
        "the OV circuit's diagonal stands out",
        "considerably higher",
        "top-1 copy rate",
        lambda x: x > 0.8,
        "largest of its row for over 80 %",
        "The OV circuit",
        about="one head",
    ),
    _claim(
        "copying score",
        "0.6 to 0.9",
        "copying score",
        lambda x: 0.6 <= x <= 0.95,
        "0.6 to 0.95",
        "Eigenvalues, and the score",
        about="one head",
    ),
    _claim(
        "an MLP copies less",
        "significantly",
        "score, with an MLP minus without",
        lambda x: x < -0.1,
        "score lower by over 0.1",
        CHANGES,
    ),
    _claim(
        "many of its neurons are redundant",
        "many",
        "whole lists, a quarter of the neurons fixed",
        lambda x: x > 0.95,
        "over 95 % of lists without the weakest quarter",
        CHANGES,
        about="one head, MLP",
    ),
    _claim(
        "the same, half of them",
        "many",
        "whole lists, half of the neurons fixed",
        lambda x: x > 0.95,
        "over 95 % of lists without the weaker half",
        CHANGES,
        about="one head, MLP",
    ),
    _claim(
        "two heads halve the score",
        "-0.5",
        "score, two heads minus one",
        lambda x: x < -0.3,
        "lower by over 0.3",
        CHANGES,
        "a note in the notebooks",
    ),
    _claim(
        "positions speed it up",
        "faster",
        "90 % of lists, step with positions minus without",
        lambda x: x < 0,
        "90 % of lists earlier (20,001 if never)",
        CHANGES,
    ),
    _claim(
        "positions are not essential, with repeats",
        "not essential",
        WHOLE,
        lambda x: x >= 0.99,
        "99 % of lists without them",
        CHANGES,
        about="one head, repeats",
    ),
    _claim(
        "with repeats equal tokens are attended to",
        "some attention",
        "attention to equal tokens, with repeats minus without",
        lambda x: x > 0.02,
        "over 2 % more",
        CHANGES,
    ),
    _claim(
        "the later in the list, the less",
        "smaller at the end",
        "attention to equal tokens, last fifth over first",
        lambda x: x < 0.9,
        "ratio below 0.9",
        CHANGES,
        about="one head, positions, repeats",
    ),
    _claim(
        "attention is to tokens after MID",
        "marked tendency",
        "attention after MID",
        lambda x: x > 0.5,
        "over half",
        MID,
        about="one head",
    ),
    _claim(
        "attention falls with distance before MID",
        "in proportion",
        "attention, nearest fifth over farthest",
        lambda x: x > 1.2,
        "ratio above 1.2",
        MID,
        about="one head",
    ),
    _claim(
        "the same with positions",
        "in proportion",
        "attention, nearest fifth over farthest",
        lambda x: x > 1.2,
        "ratio above 1.2",
        MID,
        about="one head, positions",
    ),
    _claim(
        "variable length is learned better (other sizes)",
        "better",
        "tokens, variable minus fixed length",
        lambda x: x > 0,
        "more tokens right",
        LENGTH,
    ),
]


def intro(rows: Rows) -> list[str]:
    return [
        "Patel et al., section 3.4, on transformers of one layer that sort 25 of 48 numbers (or "
        "as named): 20,000 steps of fresh lists,",
        "Adam at 1e-3 without weight decay; accuracies on 1,000 test lists. One head, two heads "
        "and positions have three seeds, MLP two,",
        "the other variants one; where a variant lacks a seed, its first stands in. Scores are of "
        "the numbers' tokens, heads summed.",
    ]


def table(rows: Rows) -> list[str]:
    lines = [
        "| run | whole lists | tokens | copying score | top-1 copy rate | 90 % of lists from step "
        "|",
        "|---|---|---|---|---|---|",
    ]
    for row in rows.values():
        if "kind" in row:
            when = "never" if row[REACHED] > row["steps"] else row[REACHED]
            lines.append(
                f"| {row['kind']}, seed {row['seed']} | {row[WHOLE]:.1%} | {row[TOKENS]:.2%} "
                f"| {row['copying score']:.2f} | {row['top-1 copy rate']:.0%} | {when} |"
            )
    return lines
