"""What Patel et al., section 3.4, say of sorting, what was found beside it, and the rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from interp_utils.experiments.claims import Claim, ended_before, other_settings
from interp_utils.experiments.rules import Row, above, at_least, at_most, below, between
from interp_utils.experiments.sorting.row import TOKENS, WHOLE

PUBLISHED_STEPS = 50_000  # for both tasks


def of_kind(*kinds: str) -> Callable[[Row], bool]:
    return lambda row: row.get("kind") in kinds


def is_compared(row: Row) -> bool:
    return "kind" not in row


SORTS, CHANGES = "06 · Does it sort?", "06 · What changes with the model"
ATTENTION, LENGTH = "06 · Attention of one list", "06 · Variable length"
MID, OV = "06 · Does attention fall with the distance from MID?", "06 · The OV circuit"
SCORE = "06 · Eigenvalues, and the score"
REPORT, NOTES = "§3.4", "notes in the notebooks"
NEARLY = "1 % of lists"
by_then = ended_before(PUBLISHED_STEPS)
VARIABLE = "one head, variable length"

CLAIMS = [
    Claim(
        "one head sorts lists of fixed length",
        REPORT,
        '"near-perfect validation accuracy within 50,000 epochs"',
        WHOLE,
        at_least(0.99, "%"),
        SORTS,
        tolerance=NEARLY,
        undecided=by_then,
    ),
    Claim(
        "sorts lists of any length",
        REPORT,
        '"for both tasks"',
        WHOLE,
        at_least(0.99, "%"),
        LENGTH,
        tolerance=NEARLY,
        about=of_kind(VARIABLE),
        undecided=by_then,
    ),
    Claim(
        "the same, by the notebook's measure",
        NOTES,
        "99.8 % of tokens after 50,000 steps",
        TOKENS,
        at_least(0.998, "%"),
        LENGTH,
        about=of_kind(VARIABLE),
        undecided=by_then,
    ),
    Claim(
        "sorts lists of up to 100 items",
        REPORT,
        '"lists of up to 100 items"',
        "lists of over 75 items",
        at_least(0.99, "%"),
        LENGTH,
        tolerance=NEARLY,
        about=of_kind(VARIABLE),
        undecided=by_then,
    ),
    Claim(
        "it does not overfit",
        REPORT,
        '"without any signs of overfitting"',
        "validation over training loss",
        at_most(1.5, "times"),
        SORTS,
        tolerance="half as much again; every step draws fresh lists",
        about=of_kind("one head", VARIABLE),
    ),
    Claim(
        "attends to the smallest element above",
        "Baginski and Kolly",
        "attention is highest on the smallest larger element",
        "answer attended most",
        above(0.8, "%"),
        ATTENTION,
        tolerance="a fifth of the answers",
    ),
    Claim(
        "the OV circuit's diagonal stands out",
        REPORT,
        '"a pronounced diagonal line"',
        "top-1 copy rate",
        above(0.8, "%"),
        OV,
        tolerance="a fifth of the rows have another largest entry",
    ),
    Claim(
        "copying score",
        REPORT,
        '"around 0.6 to 0.9"',
        "copying score",
        between(0.55, 0.95),
        SCORE,
        tolerance="0.05 either way",
        about=of_kind("one head", VARIABLE),
    ),
    Claim(
        "the fixed length's score",
        NOTES,
        "0.877, of all tokens",
        "copying score, all tokens",
        between(0.777, 0.977),
        SCORE,
        tolerance="0.1 either way",
    ),
    Claim(
        "the variable length's score",
        NOTES,
        "0.755, of all tokens",
        "copying score, all tokens",
        between(0.655, 0.855),
        LENGTH,
        tolerance="0.1 either way",
        about=of_kind(VARIABLE),
        undecided=by_then,
    ),
    Claim(
        "an MLP copies less",
        REPORT,
        '"a significant reduction in its tendency to duplicate"',
        "score, with an MLP minus without",
        below(-0.1),
        CHANGES,
        tolerance="significant is over 0.1",
        about=is_compared,
    ),
    *(
        Claim(
            f"{how} of its neurons are redundant",
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
        "two heads sort, too",
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
        "two heads halve the score",
        NOTES,
        "lower by 0.5",
        "score, two heads minus one",
        below(-0.3),
        CHANGES,
        tolerance="0.2",
        about=is_compared,
    ),
    Claim(
        "from four heads on there are stripes",
        NOTES,
        "vertical stripes in the OV circuit",
        "OV, share of the columns' means",
        above(0.5, "%"),
        CHANGES,
        tolerance="half of the circuit's variance",
        about=of_kind("four heads"),
    ),
    Claim(
        "positions speed it up",
        REPORT,
        '"it does facilitate faster convergence"',
        "90 % of lists, step with positions minus without",
        below(0, "steps"),
        CHANGES,
        tolerance="none: any step earlier",
        about=is_compared,
    ),
    Claim(
        "positions slow it down",
        NOTES,
        "slows down convergence",
        "90 % of lists, step with positions minus without",
        above(0, "steps"),
        CHANGES,
        tolerance="none: any step later",
        about=is_compared,
    ),
    Claim(
        "positions are not essential, without repeats",
        REPORT,
        '"isn\'t essential for tasks with or without repetition"',
        WHOLE,
        at_least(0.99, "%"),
        CHANGES,
        tolerance=NEARLY,
        undecided=by_then,
    ),
    Claim(
        "positions are not essential, with repeats",
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
        "with repeats equal tokens are attended to",
        REPORT,
        '"some attention was paid to the same tokens"',
        "attention to equal tokens, with repeats minus without",
        above(0.02, "%"),
        CHANGES,
        tolerance="some is over 2 points more",
        about=is_compared,
    ),
    Claim(
        "the later in the list, the less",
        REPORT,
        '"at the end of the list is smaller"',
        "attention to equal tokens, last fifth over first",
        below(0.9, "times"),
        CHANGES,
        tolerance="smaller is by a tenth",
        about=of_kind("one head, positions, repeats"),
    ),
    Claim(
        "attention is to tokens after MID",
        REPORT,
        '"immediately following the MID token"',
        "attention after MID",
        above(0.5, "%"),
        MID,
        tolerance="marked is over half",
    ),
    Claim(
        "the list's nearest fifth has more attention than its farthest",
        REPORT,
        '"decreasing in proportion to the distance from the MID"',
        "attention, nearest fifth over farthest",
        above(1.2, "times"),
        MID,
        tolerance="before MID, where attention is; a fifth more",
        about=of_kind("one head", "one head, positions"),
    ),
    Claim(
        "variable length is learned better",
        REPORT,
        '"better on sorting the variable length list"',
        "tokens, variable minus fixed length",
        above(0),
        LENGTH,
        tolerance="none",
        about=is_compared,
        undecided=other_settings("sizes differ, ours as theirs, and steps are 20,000 of 50,000"),
    ),
]
own = partial(Claim, source="-", says="-")
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
        "two heads learn it surely",
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
        "with repeats it is learned with positions only",
        measure="tokens, repeats with positions minus without",
        rule=above(0.1, "%"),
        notebook=CHANGES,
        tolerance="10 points of the tokens",
        about=is_compared,
    ),
]
