"""The page's text on grokking sooner, and its table of arms."""

from __future__ import annotations

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.faster.recipes import LOG_EVERY, SEARCH_STEPS, SETTLE, TRIALS
from interp_utils.experiments.rules import line, spread


def intro(rows: Rows) -> list[str]:
    return [
        "Modular addition on the paper's task and model, but for what an arm changes: p = 113, "
        "30 % of the pairs for training.",
        "Each training is a row of docs/studies/faster, made again by `interp-utils study faster "
        "--only NAME`. An arm's settings are",
        f"the best of {TRIALS} trials that Optuna's TPE chose from its space, each of "
        f"{SEARCH_STEPS} steps with one seed: the first to generalise,",
        "or else the one with the highest test accuracy. Other seeds are then trained at these. "
        "*Generalised*: test accuracy above 99 % to the",
        f"end, for five logged rows at least, {LOG_EVERY} steps apart; training goes on for "
        f"{SETTLE} steps after it has. A training that had not by",
        "its end is censored: later than all that had. With so few trials an arm's best is not "
        "the best there is.",
    ]


def table(rows: Rows) -> list[str]:
    lines = [
        "| arm | trainings | generalised | at step | over memorising | key frequencies "
        "| logit variance explained | neurons clustered |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows.values():
        if "arm" in row:
            cells = [
                row["arm"],
                f"{row['runs']}",
                f"{sum(row['generalises'])}",
                spread(row.get("generalised at", []), ",.0f"),
                spread(row.get("generalised over memorised", []), ".1f"),
                spread(row.get("number of key frequencies", []), ".0f"),
                spread(row.get("logit variance explained", []), ".0%"),
                spread(row.get("neurons clustered", []), ".0%"),
            ]
            lines.append(line(cells))
    return lines
