"""A run's history: the phases of grokking."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

Phases = dict[str, tuple[int, int]]


def phases(metrics: pd.DataFrame, grokked: float = 1e-3) -> Phases:
    """The phases of grokking (Nanda et al. 2023, section 5), read off the losses alone: name -> (first step, last step).

    memorisation:      until the test loss peaks.
    circuit formation: until the test loss stays below half its peak.
    cleanup:           until the test loss stays below `grokked` nats.
    A phase that the run did not complete is left out, and so are those after it.
    """
    test_loss = metrics.set_index("step")["test_loss"]
    ends = {
        "memorisation": int(test_loss.idxmax()),
        "circuit formation": first_sustained(test_loss < test_loss.max() / 2),
        "cleanup": first_sustained(test_loss < grokked),
    }
    found: Phases = {}
    start = 0
    for name, end in ends.items():
        if end is None:
            break
        found[name] = (start, end)
        start = end
    return found


def first_sustained(holds: pd.Series) -> int | None:
    """The first step from which a condition, indexed by step, holds to the end; None if it does not hold at the end."""
    failing = holds.index[~holds]
    after = holds.index if failing.empty else holds.index[holds.index > failing[-1]]
    return None if after.empty else int(after[0])
