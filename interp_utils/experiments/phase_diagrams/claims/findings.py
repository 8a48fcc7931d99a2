"""What this suite found of when models grok, and was not published."""

from __future__ import annotations

from interp_utils.experiments.claims import ended_early, own, while_it_lasted
from interp_utils.experiments.phase_diagrams.claims.rows import (
    BACK,
    DIAGRAM,
    OPERATIONS,
    PLATEAU,
    SHAPES,
    TRAININGS,
    still_waiting,
)
from interp_utils.experiments.rules import above, at_most, below, exactly

OWN = [
    own(
        "the more weight decay, the fewer training pairs generalising takes",
        measure="least shares do not grow with weight decay",
        rule=exactly(True, "not more than with the next smaller weight decay"),
        notebook=DIAGRAM,
        counts="steps of weight decay",
        tolerance="one seed of three is enough",
    ),
    own(
        "operations that are sums under another name have the same circuit",
        measure="logit variance explained of sums",
        rule=above(0.8, "%"),
        notebook=OPERATIONS,
        counts=TRAININGS,
        tolerance="cosines of the key frequencies in the task's own coordinates",
    ),
    own(
        "how soon models forget depends on learning rate times weight decay",
        measure="test accuracy, difference at equal decay",
        rule=at_most(0.05, "%"),
        notebook=BACK,
        tolerance="twice the weight decay after half the steps, at every share",
    ),
    own(
        "models forget nothing without weight decay",
        measure="test accuracy without weight decay",
        rule=above(0.99, "%"),
        notebook=BACK,
        counts=TRAININGS,
        tolerance="600 steps more at a learning rate of 0.01",
    ),
    own(
        "the main run forgets nothing without weight decay for 20,000 steps",
        measure="test accuracy of the main run, least",
        rule=above(0.99, "%"),
        notebook=BACK,
        tolerance="1 point, at p = 113 and the published learning rate",
    ),
    own(
        "smaller weights end the plateau even with the logits' size kept",
        measure="wait, weights x 0.6, logits kept",
        rule=below(0.5, "times"),
        notebook=PLATEAU,
        tolerance="half of the wait from the same weights, with moments at zero",
        undecided=still_waiting("weights x 0.6, logits kept"),
    ),
    own(
        "one head is enough",
        measure="generalises, n_heads 1",
        rule=exactly(True, "test accuracy stays above 99 %"),
        notebook=SHAPES,
        counts=TRAININGS,
        undecided=ended_early,
    ),
    own(
        "a model without an MLP memorises",
        measure="generalises, MLP False",
        rule=exactly(False, "test accuracy never stays above 99 %"),
        notebook=SHAPES,
        counts=TRAININGS,
        undecided=while_it_lasted,
    ),
    own(
        "the larger p, the sooner, at half of the pairs",
        measure="steps, p 97 over the usual",
        rule=below(1),
        notebook=SHAPES,
        tolerance="none; medians of three seeds",
    ),
    own(
        "a wider model generalises sooner",
        measure="steps, d_model 128 over the usual",
        rule=below(1),
        notebook=SHAPES,
        tolerance="none; medians of three seeds",
    ),
]
