"""The two studies' trainings as rows of the experiment, and what their rows say of each other."""

from __future__ import annotations

from pathlib import Path

from interp_utils.experiments.claims import Row, Rows
from interp_utils.experiments.primes import casts, precision
from interp_utils.experiments.primes.probing import PROBED
from interp_utils.experiments.primes.study import STUDY

CASTS = "tokens cast to float64"


def together(rows: Rows, docs: Path) -> Rows:
    trained = {
        name: row | {"steps": row["last step"]} | compared(row)
        for name, row in STUDY.rows(docs).items()
    }
    shipped = {name: compared(row) for name, row in rows.items() if "n mod 2 read" in row}
    watched = {name: of_precision(row) for name, row in precision.STUDY.rows(docs).items()}
    return shipped | trained | watched | {CASTS: casts.row() | {"runs": 2}}


def compared(row: Row) -> Row:
    """Each probe over the best of its controls, and each ablation over the worst of its own; what
    the model knows of numbers that a sieve leaves, beyond their size.
    """
    controls = ("at initial weights", "shuffled", "by the answer alone")
    found: Row = {
        f"AUC among what {name} leaves, beyond size": (
            row[f"AUC among what {name} leaves"] - row[f"AUC by size among what {name} leaves"]
        )
        for name in ("the best sieve", "the last digit")
    }
    for q in PROBED:
        read = f"n mod {q} read"
        best = max(row[f"{read}{_joined(control)}"] for control in controls)
        found[f"n mod {q} read beyond controls"] = row[read] - best
        found[f"AUC lost without multiples of {q}, beyond shuffled"] = (
            row[f"AUC without as many as multiples of {q}"] - row[f"AUC without multiples of {q}"]
        )
    return found


def _joined(control: str) -> str:
    return f" {control}" if control.startswith("at") else f", {control}"


def of_precision(row: Row) -> Row:
    """A training of the study of precisions: what of each spike a rule is about."""
    gained = zip(row["test accuracy before"], row["test accuracy after"], strict=True)
    return {
        "trained on": row["task"],
        "computed": row["arm"],
        "steps": row["last step"],
        "number of spikes": len(row["spikes"]),
        "loss before a spike": row["loss before"],
        "update over usual": row["update over usual"],
        "last layer's change over usual": row["last layer's change over usual"],
        "test accuracy gained by a spike": [after - before for before, after in gained],
        "last loss": row["last loss"],
        "last test accuracy": row["last test accuracy"],
    }
