"""What only all runs on greatest common divisors together have."""

from __future__ import annotations

from pathlib import Path

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.gcd.claims import BY_COUNTING, LARGEST, MORE_BY_LOG, bound_of


def together(rows: Rows, docs: Path) -> Rows:
    """How many gcds more log-uniform operands teach than uniform ones, in the same base and as many
    steps, and what counting says.
    """
    found: Rows = {"by counting": {"runs": 0, BY_COUNTING: bound_of(LARGEST)}}
    by_kind = {row["kind"]: row for row in rows.values() if row["seed"] == 0}
    pairs = {
        kind: (row, by_kind[kind.removesuffix(", log-uniform")])
        for kind, row in by_kind.items()
        if kind.endswith(", log-uniform") and kind.removesuffix(", log-uniform") in by_kind
    }
    for kind, (log, uniform) in pairs.items():
        found[f"{kind} and uniform"] = {
            "runs": 2,
            "lengths": sorted({log["steps"], uniform["steps"]}),
            MORE_BY_LOG: log["gcds learned"] - uniform["gcds learned"],
        }
    return found
