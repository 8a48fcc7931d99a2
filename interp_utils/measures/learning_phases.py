"""What became of a training, in one word (Liu, Kitouni et al. 2022)."""

from __future__ import annotations

from typing import Literal, get_args

LearningPhase = Literal["confusion", "memorisation", "grokking", "comprehension"]
LEARNING_PHASES: tuple[LearningPhase, ...] = get_args(LearningPhase)


def learning_phase(
    memorised: int | None, generalised: int | None, factor: float = 5.0
) -> LearningPhase:
    """The phase that a training ended in, from the steps at which it memorised and generalised
    (`milestones.generalisation`; None if it did not by its end).

    comprehension: it generalised at once: less than `factor` times later than it memorised, or
                   without memorising.
    grokking:      it generalised at least `factor` times later.
    memorisation:  it memorised and had not generalised by its end; it may still do so.
    confusion:     it did neither.
    Liu, Kitouni et al. have other bounds: 90 % of the pairs right, and a delay of 1,000 steps for
    grokking.
    """
    if generalised is None:
        return "confusion" if memorised is None else "memorisation"
    if memorised is not None and generalised >= factor * memorised:
        return "grokking"
    return "comprehension"
