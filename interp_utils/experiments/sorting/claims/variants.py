"""What changes with the model and the lists."""

from __future__ import annotations

from interp_utils.experiments.claims import Claim
from interp_utils.experiments.rules import above, at_least, below
from interp_utils.experiments.sorting.claims.rows import (
    NEARLY,
    NOTES,
    REPORT,
    by_then,
    is_compared,
    of_kind,
)
from interp_utils.experiments.sorting.row import WHOLE

CHANGES = "06 · What changes with the model"

CLAIMS = [
    Claim(
        "a model with an MLP copies less",
        REPORT,
        '"a significant reduction in its tendency to duplicate"',
        "score, with an MLP minus without",
        below(-0.1),
        CHANGES,
        tolerance="significant means over 0.1",
        counts="comparisons",
        about=is_compared,
    ),
    *(
        Claim(
            f"{how} of the MLP's neurons are redundant",
            REPORT,
            '"many are redundant"',
            f"whole lists, {how} of the neurons fixed",
            above(0.95, "%"),
            CHANGES,
            tolerance="5 % of lists",
            about=of_kind("one head, MLP"),
        )
        for how in ("a quarter", "half")
    ),
    Claim(
        "two heads sort lists of fixed length",
        REPORT,
        '"just a single attention head is adequate"',
        WHOLE,
        at_least(0.99, "%"),
        CHANGES,
        tolerance=NEARLY,
        about=of_kind("two heads"),
        undecided=by_then,
    ),
    Claim(
        "two heads lower the copying score",
        NOTES,
        "the score is lower by 0.5",
        "score, two heads minus one",
        below(-0.3),
        CHANGES,
        tolerance="0.2",
        counts="comparisons",
        about=is_compared,
    ),
    Claim(
        "with four heads the OV circuit has vertical stripes",
        NOTES,
        "vertical stripes in the OV circuit",
        "OV, share of the columns' means",
        above(0.5, "%"),
        CHANGES,
        tolerance="half of the circuit's variance",
        about=of_kind("four heads"),
    ),
    Claim(
        "positions speed up learning",
        REPORT,
        '"it does facilitate faster convergence"',
        "90 % of lists, step with positions minus without",
        below(0, "steps"),
        CHANGES,
        tolerance="none: any step earlier",
        counts="comparisons",
        about=is_compared,
    ),
    Claim(
        "positions slow down learning",
        NOTES,
        "adding positions slows down convergence",
        "90 % of lists, step with positions minus without",
        above(0, "steps"),
        CHANGES,
        tolerance="none: any step later",
        counts="comparisons",
        about=is_compared,
    ),
    Claim(
        "positions are not needed for lists without repeats",
        REPORT,
        '"isn\'t essential for tasks with or without repetition"',
        WHOLE,
        at_least(0.99, "%"),
        CHANGES,
        tolerance=NEARLY,
        undecided=by_then,
    ),
    Claim(
        "positions are not needed for lists with repeats",
        REPORT,
        "the same; the notebooks need them",
        WHOLE,
        at_least(0.99, "%"),
        CHANGES,
        tolerance=NEARLY,
        about=of_kind("one head, repeats"),
        undecided=by_then,
    ),
    Claim(
        "with repeats the head attends to equal tokens",
        REPORT,
        '"some attention was paid to the same tokens"',
        "attention to equal tokens, with repeats minus without",
        above(0.02, "%"),
        CHANGES,
        tolerance="some means over 2 points more",
        counts="comparisons",
        about=is_compared,
    ),
    Claim(
        "attention to equal tokens is smaller at the end of the list",
        REPORT,
        '"at the end of the list is smaller"',
        "attention to equal tokens, last fifth over first",
        below(0.9, "times"),
        CHANGES,
        tolerance="smaller means by a tenth",
        about=of_kind("one head, positions, repeats"),
    ),
]
