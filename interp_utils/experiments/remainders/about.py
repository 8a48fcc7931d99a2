"""The page's text on many remainders, and its table of runs."""

from __future__ import annotations

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.remainders.recipes import P
from interp_utils.experiments.remainders.together import SEARCH
from interp_utils.experiments.rules import Row

BRIEF = "p = 113, 30 %"


def beside(row: Row) -> str | None:
    """The column for trainings at the paper's size and split that ended long before the paper's;
    their models have memorised.
    """
    return (
        BRIEF
        if (row.get("p"), row.get("share for training"), row.get("kind") != "as published")
        == (P, 0.3, True)
        else None
    )


def intro(rows: Rows) -> list[str]:
    ours, search = [row for row in rows.values() if row.get("kind") == "T_miiii"], rows[SEARCH]
    seeds, brief = ([row for row in ours if row["p"] == 53], [row for row in ours if beside(row)])
    (large,) = (row for row in ours if row["p"] == P and not beside(row))
    return [
        f"Syrkis and Søgaard 2024, and the post on it. Theirs is p = 113 with {large['answers']} "
        "remainders for 65,536 steps;",
        f"ours p = 53 with {seeds[0]['answers']}, {seeds[0]['steps']:,} steps, T_miiii on "
        f"{len(seeds)} seeds and each control on one, and",
        f"p = 113, {large['steps']:,} steps, T_miiii and T_masked, one seed. Both with 80 % of "
        "the numbers for training,",
        "learning rate 1e-3, weight decay 1, Grokfast's λ 2, dropout 0.1. T_nanda is modular "
        "addition mod 59 and mod 113.",
        "Active frequencies are followed on the seed whose snapshots ship, from when 99 % of "
        "training answers are right.",
        f'"{BRIEF}" has the paper\'s size and split for {brief[0]["steps"]:,} steps, in which '
        "models memorise; it decides nothing.",
        f"The search is of {search['runs']} trials for p = 23 in the paper's space, with the "
        "weight decay of its Table 2.",
        "Lee et al.'s x y mod 97 is a study of its own: two layers, Adam, 512 of half the pairs a "
        "step.",
    ]


def table(rows: Rows) -> list[str]:
    lines = [
        "| run | test accuracy | answers at 99 % | in this order | n recovered | Pearson | "
        "attention to one digit, least |"
    ]
    lines.append("|---" * 7 + "|")
    for name, row in rows.items():
        if "answers" in row:
            order = (
                ", ".join(f"{q}: {step:,}" for q, step in list(row["steps to 99 %"].items())[:8])
                or "-"
            )
            lines.append(
                f"| {name} | {row['test accuracy']:.4f} | {row['answers at 99 %']} of "
                f"{row['answers']} | {order} | {row['n recovered']:.1%} "
                f"| {row['positions, Pearson']:.2f} | {row['attention to one digit, least']:.2f} |"
            )
    return lines
