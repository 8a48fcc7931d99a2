"""What this suite found that was not published."""

from __future__ import annotations

from interp_utils.experiments.claims import own
from interp_utils.experiments.primes.claims.rows import (
    DOUBLE,
    LADDER,
    SPIKES,
    TOKENS,
    arm,
    computed,
    tokens,
)
from interp_utils.experiments.rules import above, at_most, below, between, exactly

READ = "15 · What is read off the digits"

OWN = [
    own(
        "as published, training teaches nothing of the test numbers",
        measure="learned in untrained rows",
        rule=below(1e-5),
        notebook=TOKENS,
        tolerance="float32; of the largest initial weight",
        about=tokens,
    ),
    own(
        "their answers go with the rows that they get",
        measure="answers that follow their rows",
        rule=exactly(1.0, "all"),
        notebook=TOKENS,
        about=tokens,
    ),
    own(
        "the distribution of their answers does not change",
        measure="distribution changed",
        rule=below(1e-3),
        notebook=TOKENS,
        about=tokens,
        tolerance="float32",
    ),
    own(
        "their AUC is that of a guess",
        measure="AUC's place among random orders",
        rule=between(0.025, 0.975),
        notebook=TOKENS,
        about=tokens,
    ),
    own(
        "what is learned of fresh numbers is the last digit",
        measure="AUC beyond the last digit",
        rule=between(-0.03, 0.03),
        notebook=LADDER,
        about=arm("fresh"),
    ),
    own(
        "nothing is known of what that leaves, beyond its size",
        measure="AUC among what the last digit leaves, beyond size",
        rule=between(-0.03, 0.03),
        notebook=LADDER,
        about=arm("fresh"),
    ),
    own(
        "and its probabilities are worth no bit beyond the best sieve's",
        measure="bits beyond the best sieve",
        rule=at_most(0.0, "bits"),
        notebook=LADDER,
        about=arm("fresh"),
    ),
    own(
        "of ten thousand short numbers more is learned",
        measure="AUC beyond the last digit",
        rule=above(0.03),
        notebook=LADDER,
        about=arm("more"),
    ),
    own(
        "and no more than multiples of 2, 3 and 5",
        measure="AUC among what the best sieve leaves, beyond size",
        rule=at_most(0.03),
        notebook=LADDER,
        about=arm("more"),
    ),
    own(
        "n mod 3 can be read then",
        measure="n mod 3 read beyond controls",
        rule=above(0.05, "%"),
        notebook=READ,
        about=arm("more"),
    ),
    own(
        "n mod 7 cannot",
        measure="n mod 7 read beyond controls",
        rule=at_most(0.05, "%"),
        notebook=READ,
        about=arm("more"),
    ),
    own(
        "nor n mod 3 of fresh numbers",
        measure="n mod 3 read beyond controls",
        rule=at_most(0.05, "%"),
        notebook=READ,
        about=arm("fresh", 10),
    ),
    own(
        "without what tells multiples of 3, less is known",
        measure="AUC lost without multiples of 3, beyond shuffled",
        rule=above(0.02),
        notebook=READ,
        about=arm("more"),
    ),
    own(
        "this suite's loss in float32 has no spikes: sums",
        measure="number of spikes",
        rule=exactly(0, "none"),
        notebook=SPIKES,
        about=computed("sums", "relative"),
    ),
    own(
        "spikes at large losses are not float32's: those of rows, in float64",
        measure="loss before a spike",
        rule=above(1e-3, "nats"),
        notebook=SPIKES,
        counts="spikes",
        about=computed("rows", *DOUBLE),
    ),
]
