"""What was found in addition to the published claims."""

from __future__ import annotations

from interp_utils.experiments.claims import own
from interp_utils.experiments.rules import above, at_least, below, between
from interp_utils.experiments.sorting.claims.rows import NEARLY, is_compared, of_kind
from interp_utils.experiments.sorting.row import WHOLE

CHANGES = "06 · What changes with the model"
MID = "06 · Does attention fall with the distance from MID?"
SCORE = "06 · Eigenvalues, and the score"

OWN = [
    own(
        "copying scores do not tell sorters from others",
        measure="copying score, sorters minus others",
        rule=below(0.1),
        notebook=SCORE,
        tolerance="a score lower by 0.1",
        about=is_compared,
    ),
    own(
        "two heads learn to sort on every seed",
        measure=WHOLE,
        rule=at_least(0.99, "%"),
        notebook=CHANGES,
        tolerance=NEARLY,
        about=of_kind("two heads"),
    ),
    own(
        "attention does not depend on the place before MID",
        measure="attention, nearest fifth over farthest",
        rule=between(0.9, 1.1, "times"),
        notebook=MID,
        tolerance="a tenth",
        about=of_kind("one head", "one head, positions"),
    ),
    own(
        "lists with repeats are learned only with positions",
        measure="tokens, repeats with positions minus without",
        rule=above(0.1, "%"),
        notebook=CHANGES,
        tolerance="10 points of token accuracy",
        about=is_compared,
    ),
]
