"""The page's text on x^a + y^b, and its table of tasks."""

from __future__ import annotations

import statistics

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.powers.row import generalised, of_run
from interp_utils.experiments.powers.together import PUBLISHED


def intro(rows: Rows) -> list[str]:
    runs = [row for row in rows.values() if of_run(row)]
    n_sums = sum(row["task"] == "(1, 1)" for row in runs)
    n_not = sum(not generalised(row) for row in runs)
    return [
        "Patel et al., section 3.3, Table 1 and appendix, on (x^a + y^b) mod p; p = 113 where no "
        "p is named, 30 % of the pairs",
        f"for training, settings as for modular addition: (1, 1), whose {n_sums} runs count here "
        "too. *Generalised*: test accuracy",
        "above 99 % to the end, for five logged steps at least; *grokked*: that, at least five "
        "times later than training accuracy. The",
        f"step of a run that had not generalised by its end ({n_not} of {len(runs)}) is the one "
        "after its last; in ranks it is last.",
        "Correlations, ratios and p-values are of all runs together: those on bijections cut off "
        "at step 12,000, where",
        "p is the share of random relabellings of the runs. (1, 1), (3, 3), (5, 5) and (9, 9) mod "
        "113, and (7, 7) mod 101, are bijections:",
        "modular addition with its inputs renamed, exactly, which notebook 07 shows. With so few "
        "seeds of each, ranks could see",
        "nothing but large differences. Bijections whose exponents differ are in a study at ten "
        "times the learning rate and",
        "twice the weight decay, 3,000 steps at most, three seeds a pair.",
    ]


def table(rows: Rows) -> list[str]:
    lines = [
        "| task | published | seeds | memorised at | generalised at | grokked | classes | unseen "
        "| entropy of labels | key frequencies |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for task, step in PUBLISHED.items():
        own = sorted(
            (row for row in rows.values() if of_run(row) and row["task"] == task),
            key=lambda row: row["step"],
        )
        steps = ", ".join(
            f"{row['step']}" if generalised(row) else f"> {row['steps']}" for row in own
        )
        memorised = statistics.median(row["memorised"] for row in own)
        keys = sorted(len(row["key frequencies"]) for row in own if generalised(row))
        said = {"(7, 7)": "no", "(4, 4)": "at once"}.get(task, step or "-")
        lines.append(
            f"| {task} | {said} | {len(own)} | {memorised:.0f} | {steps} | "
            f"{sum(row['grokked'] for row in own)} of {len(own)} "
            f"| {own[0]['classes of x']} x {own[0]['classes of y']} | "
            f"{statistics.median(row['unseen'] for row in own):.3f} "
            f"| {own[0]['entropy of labels']:.4f} | {f'{keys[0]} to {keys[-1]}' if keys else '-'} |"
        )
    return lines
