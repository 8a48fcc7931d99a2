"""How often each label occurs: Patel et al., section 3.3 and figure 2."""

from __future__ import annotations

from interp_utils.experiments.claims import Claim
from interp_utils.experiments.powers.claims.rows import one_of, uneven
from interp_utils.experiments.rules import above, exactly

LABELS = "07 · Labels and classes"

CLAIMS = [
    Claim(
        "(3, 3) has all labels equally often",
        "§3.3",
        '"outputs all values in the range [0, p) equally"',
        "entropy of labels",
        above(0.99999),
        LABELS,
        tolerance="as a fraction of ln p",
        about=one_of("(3, 3)"),
    ),
    Claim(
        "(7, 7) mod 113 lacks many labels",
        "§3.3",
        '"many values in the [0, p) not represented"',
        "labels that do not occur",
        above(10),
        LABELS,
        tolerance="many means over ten of 113",
        about=one_of("(7, 7)"),
    ),
    Claim(
        "(7, 7) mod 113 has many zeros",
        "§3.3, Fig. 2",
        '"a very uneven distribution, with emphasis on 0"',
        "pairs of label 0, over an even share",
        above(1.5, "times"),
        LABELS,
        tolerance="half as many again",
        about=one_of("(7, 7)"),
    ),
    Claim(
        "a task with uneven labels does not generalise",
        "§3.3",
        '"has to have a uniform distribution of remainders"',
        "has generalised",
        exactly(False, "test accuracy never stays above 99 %"),
        LABELS,
        tolerance="labels are uneven if their entropy is below 0.9999 ln p",
        about=uneven,
    ),
]
