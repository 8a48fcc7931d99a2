"""The page's text on sorting, and its table of runs."""

from __future__ import annotations

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.sorting.row import REACHED, TOKENS, WHOLE


def intro(rows: Rows) -> list[str]:
    return [
        "Patel et al., section 3.4, on transformers of one layer that sort 25 of 48 numbers, or "
        "lists of 1 to 100 of 199: fresh lists at every step,",
        "Adam at 1e-3 without weight decay; accuracies on 1,000 test lists. A kind with one seed "
        "is compared with each seed of another. Scores are of",
        "the numbers' tokens, heads summed, where nothing else is said.",
    ]


def table(rows: Rows) -> list[str]:
    lines = [
        "| run | steps | whole lists | tokens | copying score | top-1 copy rate | 90 % of lists "
        "from step |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows.values():
        if "kind" in row:
            when = "not by then" if row[REACHED] > row["steps"] else f"{row[REACHED]:,}"
            lines.append(
                f"| {row['kind']}, seed {row['seed']} | {row['steps']:,} | {row[WHOLE]:.1%} | "
                f"{row[TOKENS]:.2%} | {row['copying score']:.2f} | {row['top-1 copy rate']:.0%} | "
                f"{when} |"
            )
    return lines
