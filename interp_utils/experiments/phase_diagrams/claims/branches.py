"""What models forget, what ends their plateau, and other models."""

from __future__ import annotations

from interp_utils.experiments.claims import Claim, ended_early
from interp_utils.experiments.phase_diagrams.claims.rows import (
    BACK,
    PLATEAU,
    SHAPES,
    TRAININGS,
    still_falling,
    still_waiting,
)
from interp_utils.experiments.rules import at_most, below, between, exactly

CLAIMS = [
    Claim(
        "a trained model forgets when it is trained on little data",
        "Varma et al. 2023, §1",
        '"returns to poor test accuracy when further trained on a dataset much smaller than" the '
        "critical one",
        "test accuracy at the least share",
        below(0.5, "%"),
        BACK,
        counts=TRAININGS,
        tolerance="under half of the pairs right",
    ),
    Claim(
        "models forget at less than half of the data that learning takes",
        "Varma et al. 2023, appendix A.2",
        '"less than half of what the semi-grokking run required"',
        "share kept over share reached",
        below(0.5),
        BACK,
        tolerance="both at a test accuracy of 70 %, as theirs",
    ),
    Claim(
        "how far models forget does not depend on weight decay",
        "Varma et al. 2023, prediction P3",
        "the final test accuracy is independent of weight decay",
        "test accuracy, difference by decay",
        at_most(0.1, "%"),
        BACK,
        tolerance="a tenth of the pairs, at every share",
        undecided=still_falling,
    ),
    Claim(
        "weight decay from the plateau on sets the rest of the wait: twice as much",
        "Truong et al. 2026, abstract",
        '"inverse scaling with weight decay"',
        "wait, twice the weight decay",
        between(0.3, 0.7, "times"),
        PLATEAU,
        tolerance="40 % of half the wait",
        undecided=still_waiting("twice the weight decay"),
    ),
    Claim(
        "weight decay from the plateau on sets the rest of the wait: four times as much",
        "Truong et al. 2026, abstract",
        '"inverse scaling with weight decay"',
        "wait, four times the weight decay",
        between(0.15, 0.35, "times"),
        PLATEAU,
        tolerance="40 % of a quarter of the wait",
        undecided=still_waiting("four times the weight decay"),
    ),
    Claim(
        "weights made smaller end the plateau",
        "Liu et al. 2022, section 2",
        "grokking is from a norm that is too large at first",
        "wait, weights x 0.6",
        below(0.5, "times"),
        PLATEAU,
        tolerance="half of the wait from the same weights, with moments at zero",
        undecided=still_waiting("weights x 0.6"),
    ),
    Claim(
        "models of two layers grok",
        "Nanda et al. 2023, appendix D",
        "some grokking, obscured by slingshots",
        "generalises, n_layers 2",
        exactly(True, "test accuracy stays above 99 %"),
        SHAPES,
        counts=TRAININGS,
        undecided=ended_early,
    ),
]
