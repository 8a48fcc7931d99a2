"""What Syrkis and Søgaard 2024 say of many remainders, and the rules that decide it."""

from __future__ import annotations

from interp_utils.experiments.base import Claim, Row, Rows
from interp_utils.experiments.remainders.recipes import P
from interp_utils.experiments.remainders.row import FIRST, MASKED_FIRST
from interp_utils.experiments.remainders.together import SEARCH


def of_kind(*kinds: str):
    return lambda row: row.get("kind") in kinds


def _claim(
    text: str,
    published: str,
    measure: str,
    holds,
    rule: str,
    section: str,
    about,
    source: str = "Fig. 5",
) -> Claim:
    return Claim(
        text,
        source,
        published,
        measure,
        lambda row: holds(row[measure]),
        rule,
        section,
        about,
    )


OURS = of_kind("T_miiii")
TASK, TRAINING, CONTROLS, SEARCHED = (
    "08 · The task",
    "08 · Training",
    "08 · The controls, at equal length",
    "08 · The search for hyper-parameters",
)
POSITIONS, VALUES, SPECTRA, NEURONS = (
    "09 · Positional embeddings",
    "09 · The embedding's singular values",
    "09 · Spectra of the embedding",
    "09 · Neurons",
)
SPIKE, HEADS, CIRCUITS = (
    "09 · Is the spike in the number of active frequencies real?",
    "09 · Attention",
    "10 · Neurons",
)
LAST_FIRST, LAST_MASKED = (f"place of the last of {first}" for first in (FIRST, MASKED_FIRST))
CLAIMS = [
    _claim(
        "learns all remainders",
        "accuracy 1",
        "lowest test accuracy",
        lambda x: x > 0.99,
        "lowest above 99 %",
        TRAINING,
        OURS,
    ),
    _claim(
        "2, 3, 5 and 7 first",
        "first four",
        LAST_FIRST,
        lambda x: x <= 4,
        "to 99 %, before all others",
        TRAINING,
        OURS,
    ),
    _claim(
        "these in this order",
        "in that order",
        "2, 3, 5 and 7 in this order",
        lambda x: x == 1,
        "steps to 99 % rise",
        TRAINING,
        OURS,
    ),
    _claim(
        "the others in no particular order",
        "none",
        "the others, step with q",
        lambda x: abs(x) < 0.5,
        "rank correlation",
        TRAINING,
        OURS,
    ),
    _claim(
        "the others together",
        "around 40,000",
        "the others, last over first",
        lambda x: x < 1.25,
        "within a quarter",
        TRAINING,
        OURS,
    ),
    _claim(
        "all tasks are grokked",
        "grokked",
        "median head's step over that of memorising",
        lambda x: x >= 5,
        "five times later than 99 % of training answers",
        TRAINING,
        OURS,
    ),
    _claim(
        "T_masked: 11, 13, 17, 19 first",
        "these",
        LAST_MASKED,
        lambda x: x <= 4,
        "before all others",
        CONTROLS,
        of_kind("T_masked"),
        "Fig. 19",
    ),
    _claim(
        "does not converge at λ = 0",
        "no",
        "heads at 99 %",
        lambda x: x < 15,
        "not all heads",
        CONTROLS,
        of_kind("λ = 0"),
        "Results",
    ),
    _claim(
        "no dropout: all but 2 and 3 overfit",
        "2 of 29",
        "heads at 99 %",
        lambda x: x <= 2,
        "two",
        CONTROLS,
        of_kind("no dropout"),
        "Fig. 22",
    ),
    _claim(
        "they are the best",
        "best of 30",
        "rank of the published best",
        lambda x: x == 1,
        "first of the search",
        SEARCHED,
        lambda row: "trials" in row,
        "Table 2",
    ),
    _claim(
        "positions of addition agree",
        "0.95",
        "positions, Pearson",
        lambda x: x > 0.8,
        "above 0.8",
        POSITIONS,
        of_kind("T_nanda"),
        "Fig. 7",
    ),
    _claim(
        "of remainders are opposed",
        "-0.64",
        "positions, Pearson",
        lambda x: x < -0.3,
        "below -0.3",
        POSITIONS,
        OURS,
        "Fig. 7",
    ),
    _claim(
        "which reflects the task",
        "non-commutative",
        "positions, Pearson",
        lambda x: x > -0.3,
        "not below -0.3 with permuted labels",
        POSITIONS,
        of_kind("T_basis"),
        "Fig. 7",
    ),
    _claim(
        "singular values more diffuse",
        "more",
        "singular values, effective share, over addition's",
        lambda x: x > 1.5,
        "1.5 times addition's",
        VALUES,
        OURS,
        "Fig. 8",
    ),
    _claim(
        "few frequencies for addition",
        "five",
        "frequencies, effective share",
        lambda x: x < 0.25,
        "under a quarter",
        SPECTRA,
        of_kind("T_nanda"),
        "Fig. 11",
    ),
    _claim(
        "many for remainders",
        "broader",
        "frequencies, effective share, over addition's",
        lambda x: x > 1.5,
        "1.5 times addition's",
        SPECTRA,
        OURS,
        "Fig. 12",
    ),
    _claim(
        "none stands out with permuted labels",
        "none",
        "frequencies, effective share",
        lambda x: x > 0.8,
        "over 80 %",
        SPECTRA,
        of_kind("T_basis"),
        "Fig. 13",
    ),
    _claim(
        "neurons are periodic",
        "periodic",
        "neurons, share of their best wave",
        lambda x: x > 0.5,
        "half of the variance, median",
        NEURONS,
        OURS,
        "Fig. 14",
    ),
    _claim(
        "active frequencies spike: its code",
        "10, 18, 10",
        "code's count, largest over last",
        lambda x: x > 1.5,
        "1.5 times the last",
        SPIKE,
        OURS,
        "Fig. 16",
    ),
    _claim(
        "in its text's definition",
        "18 of 57",
        "active, by the text",
        lambda x: x > 10,
        "more than 10",
        SPIKE,
        OURS,
        "Table 3",
    ),
    *(
        _claim(
            f"without a scale: {name}",
            "(a spike)",
            f"{name}, largest over last",
            lambda x: x > 1.5,
            "1.5 times the last",
            SPIKE,
            OURS,
            "Fig. 16",
        )
        for name in ("participation ratio", "90 % of power", "1 - Gini")
    ),
    _claim(
        "heads look at one digit",
        "exclusively",
        "attention to one digit, least",
        lambda x: x > 0.9,
        "over 90 %, every head",
        HEADS,
        OURS,
        "Fig. 18",
    ),
    _claim(
        "circuits of simple tasks are reused",
        "reused",
        "cluster's cost to other heads",
        lambda x: x > 0.1,
        "a period's neurons cost others over 0.1 of accuracy",
        CIRCUITS,
        OURS,
        "post",
    ),
    _claim(
        "remainders do not commute",
        "none",
        "q that commute",
        lambda x: x == 0,
        "no q, p = 113",
        TASK,
        lambda row: "q that commute" in row,
        "§1",
    ),
    _claim(
        "primes alone have no zero",
        "only primes",
        "others without",
        lambda x: x == 0,
        "no other number, p = 113",
        TASK,
        lambda row: "others without" in row,
        "§1",
    ),
    _claim(
        "no prime has one",
        "none",
        "primes with a zero",
        lambda x: x == 0,
        "no prime, p = 113",
        TASK,
        lambda row: "primes with a zero" in row,
        "§1",
    ),
]


BRIEF = "p = 113, 30 %"


def beside(row: Row) -> str | None:
    """Trainings at the paper's size and split that ended long before the paper's, whose models have
    memorised.
    """
    return (
        BRIEF
        if (row.get("p"), row.get("share for training"), row.get("kind") != "as published")
        == (P, 0.3, True)
        else None
    )


def intro(rows: Rows) -> list[str]:
    ours, search = [row for row in rows.values() if OURS(row)], rows[SEARCH]
    seeds, brief = ([row for row in ours if row["p"] == 53], [row for row in ours if beside(row)])
    (large,) = (row for row in ours if row["p"] == P and not beside(row))
    return [
        f"Syrkis and Søgaard 2024, and the post on it. Theirs is p = 113 with {large['heads']} "
        "remainders for 65,536 steps;",
        f"ours p = 53 with {seeds[0]['heads']}, {seeds[0]['steps']:,} steps, T_miiii on "
        f"{len(seeds)} seeds and each control on one, and",
        f"p = 113, {large['steps']:,} steps, T_miiii and T_masked, one seed. Both with 80 % of "
        "the numbers for training,",
        "learning rate 1e-3, weight decay 1, Grokfast's λ 2, dropout 0.1. T_nanda is modular "
        "addition mod 59 and mod 113.",
        "Active frequencies are followed on the seed whose snapshots ship, from when 99 % of "
        "training answers are right.",
        f'"{BRIEF}" has the paper\'s size and split for {brief[0]["steps"]:,} steps, in which '
        "models memorise; it decides nothing.",
        f"The search is of {search['trials']} trials for p = 23 in the paper's space, with the "
        "weight decay of its Table 2.",
    ]


def table(rows: Rows) -> list[str]:
    lines = [
        "| run | test accuracy | heads at 99 % | in this order | n recovered | Pearson | "
        "attention to one digit, least |"
    ]
    lines.append("|---" * 7 + "|")
    for name, row in rows.items():
        if "heads" in row:
            order = (
                ", ".join(f"{q}: {step:,}" for q, step in list(row["steps to 99 %"].items())[:8])
                or "-"
            )
            lines.append(
                f"| {name} | {row['test accuracy']:.4f} | {row['heads at 99 %']} of "
                f"{row['heads']} | {order} | {row['n recovered']:.1%} "
                f"| {row['positions, Pearson']:.2f} | {row['attention to one digit, least']:.2f} |"
            )
    return lines
