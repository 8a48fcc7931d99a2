"""The page's text on modular addition, and its table of runs."""

from __future__ import annotations

from interp_utils.experiments.addition.recipes import P
from interp_utils.experiments.addition.row import generalised
from interp_utils.experiments.claims import Rows
from interp_utils.experiments.rules import Row


def intro(rows: Rows) -> list[str]:
    main = [row for row in rows.values() if not other_p(row)]
    return [
        "Progress measures for grokking via mechanistic interpretability (Nanda et al. 2023), on",
        f"{len(main)} runs at p = {P}: the main one of 25,000 steps and further seeds of "
        f"{min(row['steps'] for row in main):,} to {max(row['steps'] for row in main):,}, each "
        "with its own initial",
        "weights and training pairs; learning rate, weight decay, betas and share of training "
        "pairs are the paper's, the",
        "initial scale and the frozen biases the Grokking demo's. Beside them other p, at half of "
        "the pairs.",
        f"All claims but the first are about runs that generalised ({sum(map(generalised, main))} "
        f"of {len(main)}).",
        "Ablations are given as the loss after over the loss before.",
    ]


def other_p(row: Row) -> str | None:
    return f"p = {row['p']}" if row["p"] != P else None


def table(rows: Rows) -> list[str]:
    lines = [
        "| run | p | steps | key frequencies | neurons clustered | cleanup ends | test accuracy | "
        "full loss |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, run in rows.items():
        keys = ", ".join(map(str, run["key frequencies"]))
        ends = run.get("cleanup ends", "not within the run")
        lines.append(
            f"| {name} | {run['p']} | {run['steps']} | {keys} | {run['neurons clustered']:.1%} | "
            f"{ends} "
            f"| {run['test accuracy']:.2%} | {run['full loss']:.3g} |"
        )
    return lines
