"""The page's text on groups, and its table of runs."""

from __future__ import annotations

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.rules import Row

INTRO = [
    "Published of MLPs and transformers on S5, 40 to 60 % of the pairs, a learning rate of 1e-3",
    "and up to 250,000 steps; read second-hand. Here: the transformer of Chughtai et al. on S5,",
    "60 % of the pairs, 3e-3, 2,000 steps, to 4,000 where a seed had not generalised, to 10,000",
    "on seed 0; those that had not by their end decide nothing. Claims about MLPs are undecided.",
    "Beside them, deciding nothing: A5 and D15, 60 % of the pairs, 3e-3, 6,000 and 12,000 steps;",
    "S3 x C3, 80 %, 3e-3, and C3 x C3, 80 %, 1e-2, 2,000 steps; and S4, 80 %, 1e-2, 4,000 steps.",
    "On S4 most functions of an irrep pass the published threshold of .90 for cosets by chance:",
    "rows on cosets ask for more than 1 % of random functions reach.",
]


def beside(row: Row) -> str | None:
    """The name of the extra column for groups that the published claims are not about."""
    return None if row.get("group", "S5") == "S5" else row["group"]


def table(rows: Rows) -> list[str]:
    lines = [
        "| run | memorised | generalised | loss | key irreps | sum of d² | proof rank | "
        "F_coset (chance) | rank one costs | cosets cost |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        if "labels" in row:
            when = [
                "-" if row[time] is None else f"{row[time]:,}"
                for time in ("memorised", "generalised")
            ]
            lines.append(
                f"| {name} | {when[0]} | {when[1]} | {row['loss']:.1e} | "
                f"{', '.join(row['key irreps']) or '-'} | {row['sum of d^2']} | "
                f"{row['proof rank'] if row['proof rank'] is not None else '-'} | "
                f"{row['F_coset']:.2f} ({row['F_coset by chance']:.2f}) | "
                f"{row['cost of rank one']:.2f} | {row['cost of coset']:.2f} |"
            )
    return lines
