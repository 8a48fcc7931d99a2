"""What the head attends to, and what it writes."""

from __future__ import annotations

from interp_utils.experiments.claims import Claim
from interp_utils.experiments.rules import above, between
from interp_utils.experiments.sorting.claims.rows import NOTES, REPORT, VARIABLE, by_then, of_kind

ATTENTION, LENGTH = "06 · Attention of one list", "06 · Variable length"
MID, OV = "06 · Does attention fall with the distance from MID?", "06 · The OV circuit"
SCORE = "06 · Eigenvalues, and the score"

CLAIMS = [
    Claim(
        "the head attends to the smallest element above the current one",
        "Baginski and Kolly",
        "attention is highest on the smallest larger element",
        "answer attended most",
        above(0.8, "%"),
        ATTENTION,
        tolerance="a fifth of the answers",
    ),
    Claim(
        "the head attends to the tokens after MID",
        REPORT,
        '"immediately following the MID token"',
        "attention after MID",
        above(0.5, "%"),
        MID,
        tolerance="over half of the attention",
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
        "the OV circuit's diagonal stands out",
        REPORT,
        '"a pronounced diagonal line"',
        "top-1 copy rate",
        above(0.8, "%"),
        OV,
        tolerance="a fifth of the rows may have another largest entry",
    ),
    Claim(
        "the copying score is 0.6 to 0.9",
        REPORT,
        '"around 0.6 to 0.9"',
        "copying score",
        between(0.55, 0.95),
        SCORE,
        tolerance="0.05 either way",
        about=of_kind("one head", VARIABLE),
    ),
    Claim(
        "the copying score for lists of fixed length is 0.877",
        NOTES,
        "0.877, of all tokens",
        "copying score, all tokens",
        between(0.777, 0.977),
        SCORE,
        tolerance="0.1 either way",
    ),
    Claim(
        "the copying score for lists of variable length is 0.755",
        NOTES,
        "0.755, of all tokens",
        "copying score, all tokens",
        between(0.655, 0.855),
        LENGTH,
        tolerance="0.1 either way",
        about=of_kind(VARIABLE),
        undecided=by_then,
    ),
]
