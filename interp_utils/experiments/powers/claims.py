"""What Patel et al., section 3.3, say of x^a + y^b, and the rules that decide it."""

from __future__ import annotations

import math
import statistics

from interp_utils.experiments.base import Claim, Row, Rows
from interp_utils.experiments.powers.recipes import P
from interp_utils.experiments.powers.row import generalised, is_bijection
from interp_utils.experiments.powers.together import PUBLISHED


def of_run(row: Row) -> bool:
    return "task" in row


def renamed(row: Row) -> bool:
    """Generalised on modular addition under another name."""
    return generalised(row) and is_bijection(row) and row["a"] > 1


def grokked_in_table(row: Row) -> bool:
    return of_run(row) and PUBLISHED[row["task"]] is not None


def one_of(*names: str):
    return lambda row: of_run(row) and row["task"] in names


def _claim(
    text: str,
    published: str,
    measure: str,
    holds,
    rule: str,
    section: str,
    about=generalised,
    source: str = "§3.3",
) -> Claim:
    return Claim(
        text,
        source,
        published,
        measure,
        lambda row: holds(row[measure]),
        rule,
        f"07 · {section}",
        about,
    )


def _together(
    text: str, published: str, measure: str, holds, rule: str, section: str, source: str = "Table 1"
) -> Claim:
    return _claim(
        text, published, measure, holds, rule, section, lambda row: not of_run(row), source
    )


LABELS, TABLE, SIZE = (
    "Labels and classes",
    "Table 1, with seeds",
    "The size of the exponents, or the classes seen?",
)
IN_U, EVEN, NEURONS = (
    "Embeddings in x and in u",
    "Even exponents: only cosines",
    "Neurons in (x, y) and in (u, v)",
)
SUMS, WEIGHTS, SEVENS = (
    "Key frequencies, restricted and excluded loss in u and v",
    "Squared weights, and excluded loss over training",
    "(7, 7) mod 113 and mod 101",
)
CLAIMS = [
    Claim(
        "the pairs that grokked generalise",
        "Table 1",
        "600 to 70,000",
        "step",
        generalised,
        "test accuracy above 99 % by the end of the run",
        f"07 · {TABLE}",
        grokked_in_table,
    ),
    Claim(
        "and grok",
        "Table 1",
        "yes",
        "step over that of memorising",
        lambda row: row["grokked"],
        "generalised, 5 times later than memorised",
        f"07 · {TABLE}",
        grokked_in_table,
    ),
    _claim(
        "(7, 7) mod 113 does not grok",
        "no",
        "step over that of memorising",
        lambda x: x < 5,
        "no delay of 5 times",
        SEVENS,
        one_of("(7, 7)"),
        "Table 1",
    ),
    Claim(
        "that is, it does not generalise",
        "§3.3",
        "no",
        "step",
        lambda row: row["generalised"] is None,
        "test accuracy never stays above 99 %",
        f"07 · {SEVENS}",
        one_of("(7, 7)"),
    ),
    Claim(
        "(7, 7) mod 101 groks",
        "Table 1",
        "2500",
        "step over that of memorising",
        lambda row: row["grokked"],
        "generalised, 5 times later than memorised",
        f"07 · {SEVENS}",
        one_of("(7, 7) mod 101"),
    ),
    _claim(
        "(4, 4) generalises at once",
        "instant",
        "step over that of memorising",
        lambda x: x <= 2,
        "at most twice the step of memorising",
        TABLE,
        one_of("(4, 4)"),
        "§5.1",
    ),
    _together(
        "the order of Table 1",
        "18,100 to 600",
        "order of Table 1",
        lambda x: x > 0.7,
        "rank correlation above 0.7",
        TABLE,
    ),
    _together(
        "grokking is faster the larger the exponents",
        "faster",
        "step with exponent, all tasks",
        lambda x: x < -0.5,
        "rank correlation below -0.5",
        SIZE,
        "§3.3",
    ),
    _together(
        "the same, at equal shares of unseen classes",
        "faster",
        "step with exponent, classes alike",
        lambda x: x < -0.5,
        "partial rank correlation below -0.5",
        SIZE,
        "§3.3",
    ),
    _together(
        "the same, on bijections: (1, 1), (3, 3), (5, 5), (9, 9)",
        "18,100 to 1,600",
        "step with exponent, bijections: p",
        lambda x: x < 0.05,
        "rank correlation, p below 0.05",
        SIZE,
    ),
    _together(
        "these differ at all",
        "18,100 to 1,600",
        "one distribution, bijections: p",
        lambda x: x < 0.05,
        "Kruskal and Wallis, p below 0.05",
        SIZE,
    ),
    _together(
        "the drop from (1, 1) to (3, 3)",
        "most significant",
        "(3, 3) and (1, 1): p",
        lambda x: x < 0.05,
        "Kruskal and Wallis, p below 0.05",
        SIZE,
        "§3.3",
    ),
    _together(
        "(5, 4) takes longer than (4, 5)",
        "4.5 times",
        "(5, 4) over (4, 5)",
        lambda x: x > 2,
        "over twice as long",
        TABLE,
    ),
    _together(
        "(3, 4) takes longest",
        "3.9 times (1, 1)",
        "(3, 4) over (1, 1)",
        lambda x: x > 2,
        "over twice (1, 1)",
        TABLE,
    ),
    _together(
        "a = b is learned faster than others",
        "faster",
        "a = b over others",
        lambda x: x < 1,
        "bijections, a = b, sooner",
        TABLE,
        "§5.1",
    ),
    _claim(
        "(3, 3) has all labels equally",
        "equally",
        "entropy of labels",
        lambda x: x > 0.99999,
        "entropy of ln p",
        LABELS,
        one_of("(3, 3)"),
    ),
    _claim(
        "(7, 7) mod 113 lacks many labels",
        "many",
        "labels that do not occur",
        lambda x: x > 10,
        "over ten of 113",
        LABELS,
        one_of("(7, 7)"),
    ),
    Claim(
        "without even labels no generalisation",
        "§3.3",
        "necessary",
        "entropy of labels",
        lambda row: row["generalised"] is None,
        "uneven labels: never above 99 %",
        f"07 · {LABELS}",
        lambda row: of_run(row) and row["entropy of labels"] < 0.9999,
    ),
    _claim(
        "the embedding is dense in the Fourier basis",
        "most frequencies",
        "W_E in x, share of the five largest",
        lambda x: x < 0.5,
        "five frequencies of x hold under half",
        IN_U,
        lambda row: generalised(row) and row["task"] != "(1, 1)",
    ),
    _claim(
        "it has no simple structure",
        "none apparent",
        "written by x, share on key frequencies",
        lambda x: x < 0.5,
        "key frequencies of u hold under half, bijections",
        IN_U,
        renamed,
    ),
    _claim(
        "(2n, 2n): power is spread evenly",
        "equal amplitude",
        "W_E in x, effective share of frequencies",
        lambda x: x > 0.9,
        "effective number over 90 % of all",
        EVEN,
        one_of("(2, 2)", "(4, 4)"),
    ),
    _claim(
        "only there",
        "only there",
        "W_E in x, effective share of frequencies",
        lambda x: x < 0.9,
        "other p = 113 pairs: under 90 %",
        EVEN,
        lambda row: (
            generalised(row)
            and row["p"] == P
            and row["a"] > 1
            and row["task"] not in ("(2, 2)", "(4, 4)")
        ),
    ),
    _claim(
        "(2n, 2n): only cosines",
        "(not in its text)",
        "W_E in x, share of sines",
        lambda x: x < 0.01,
        "sines below 1 %",
        EVEN,
        one_of("(2, 2)", "(4, 4)"),
        "-",
    ),
    _claim(
        "no angle sums of x and y",
        "not formed",
        "neurons, share of one frequency of (x, y)",
        lambda x: x < 0.4,
        "a neuron's best frequency below 40 % (median)",
        NEURONS,
        lambda row: generalised(row) and row["task"] != "(1, 1)",
    ),
    _claim(
        "nor of u and v: another mechanism",
        "changed",
        "neurons, share of one frequency of (u, v)",
        lambda x: x < 0.5,
        "the same in (u, v) below 50 %, bijections",
        NEURONS,
        renamed,
    ),
    _claim(
        "the logits are no cos w(u+v-z)",
        "changed",
        "logit variance explained",
        lambda x: x < 0.95,
        "below 95 % on the key frequencies, bijections",
        SUMS,
        renamed,
    ),
    _claim(
        "x and y are combined in the unembed",
        "in the unembed",
        "accuracy, neurons additive",
        lambda x: x > 0.5,
        "over half right with neurons f(x) + g(y)",
        NEURONS,
        lambda row: generalised(row) and row["task"] != "(1, 1)",
    ),
    _claim(
        "the unembedding has key frequencies",
        "still found",
        "W_L, share of the five largest",
        lambda x: x > 0.7,
        "five frequencies hold over 70 % of W_L",
        SUMS,
        lambda row: generalised(row) and grokked_in_table(row),
    ),
    _claim(
        "excluded loss shows them",
        "Fig. 1",
        "excluded loss",
        lambda x: x > math.log(P),
        "above ln 113, bijections",
        SUMS,
        renamed,
        "Fig. 1",
    ),
    _claim(
        "squared weights fall after grokking",
        "high to low",
        "sum of squared weights, last over largest",
        lambda x: x < 0.5,
        "last under half the largest",
        WEIGHTS,
        source="Fig. 1",
    ),
    _claim(
        "their fall indicates grokking",
        "indicate",
        "sum of squared weights, last over largest",
        lambda x: x > 0.9,
        "no fall by 10 % where it had not grokked",
        WEIGHTS,
        lambda row: of_run(row) and not row["grokked"],
        "Fig. 1",
    ),
]


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
        "Correlations, ratios and p-values, measured on 1, are of all runs together: those on "
        "bijections cut off at step 12,000, where",
        "p is the share of random relabellings of the runs. (1, 1), (3, 3), (5, 5) and (9, 9) mod "
        "113, and (7, 7) mod 101, are bijections:",
        "modular addition with its inputs renamed, exactly, which notebook 07 shows. With so few "
        "seeds of each, ranks could see",
        "nothing but large differences.",
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
