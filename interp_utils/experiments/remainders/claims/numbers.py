"""The task itself, where counting decides."""

from __future__ import annotations

from interp_utils.experiments.claims import Claim, has
from interp_utils.experiments.rules import exactly

TASK = "08 · The task"

CLAIMS = [
    Claim(
        "remainders do not commute",
        "§1",
        '"it is non-commutative"',
        "q that commute",
        exactly(0, "no q"),
        TASK,
        tolerance="arithmetic",
        about=has("q that commute"),
    ),
    Claim(
        "only primes have no remainder of zero",
        "§1",
        '"primes are the only samples whose target vector contains no zeros"',
        "others without",
        exactly(0, "no other number"),
        TASK,
        tolerance="arithmetic",
        about=has("others without"),
    ),
    Claim(
        "no prime has a remainder of zero",
        "§1",
        "the same",
        "primes with a zero",
        exactly(0, "no prime"),
        TASK,
        tolerance="arithmetic",
        about=has("primes with a zero"),
    ),
]
