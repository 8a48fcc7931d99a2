"""What ends the plateau: from a model that has memorised and not yet generalised, the same training
goes on as it was, with more weight decay, or from weights of a smaller norm.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from interp_utils.experiments.base import Recipe
from interp_utils.experiments.forks import Fork, Rescaled
from interp_utils.experiments.phase_diagrams.cells import cells, median_step, waited
from interp_utils.experiments.phase_diagrams.recipes import addition
from interp_utils.experiments.rules import Row

DECAY, MEMORISED, ONWARD = 0.5, 200, 1300  # the plateau is from step 50 to 390 and later


@dataclass(frozen=True)
class Way:
    """How training goes on. start: what is done to the weights first; moments are then zero."""

    weight_decay: float = DECAY
    start: Rescaled | None = None


WAYS_ON = {
    "as it was": Way(),
    "twice the weight decay": Way(2 * DECAY),
    "four times the weight decay": Way(4 * DECAY),
    "the same weights, new moments": Way(start=Rescaled(1.0)),
    "weights x 0.8": Way(start=Rescaled(0.8)),
    "weights x 0.8, logits kept": Way(start=Rescaled(0.8, keep_logits=True)),
    "weights x 0.6": Way(start=Rescaled(0.6)),
    "weights x 0.6, logits kept": Way(start=Rescaled(0.6, keep_logits=True)),
}


def onward(way: str, seed: int) -> Recipe:
    of = WAYS_ON[way]
    before = 0 if of.start else MEMORISED  # with other weights, steps count from the fork
    after = addition(of.weight_decay, steps=before + ONWARD, seed=seed)
    source = addition(DECAY, steps=MEMORISED, seed=seed)
    return Fork(after.make, after.model, after.train, source=source, step=MEMORISED, start=of.start)


def since_fork(row: Row) -> int:
    """Steps from the fork until it generalised, or at least, where that was censored."""
    return waited(row) - (0 if WAYS_ON[row["way"]].start else MEMORISED)


def compared_with(way: str) -> str:
    """Other weights come with new moments, so they are compared with the same weights and those."""
    return "the same weights, new moments" if WAYS_ON[way].start else "as it was"


def of_plateau(rows: Sequence[Row]) -> Row:
    """Medians over seeds, as ratios to what each way is compared with. A
    censored wait counts as it is, and its way is among the "censored".
    """
    own = {way: found for (way,), found in cells(rows, "way").items()}
    waits = {way: statistics.median(map(since_fork, found)) for way, found in own.items()}
    return {
        "steps from the fork": {
            way: [since_fork(row) if row["generalised"] else None for row in found]
            for way, found in own.items()
        },
        **{
            f"wait, {way}": waits[way] / waits[compared_with(way)]
            for way in own
            if way != compared_with(way)
        },
        "censored": [way for way in own if median_step(own[way]) == math.inf],
    }
