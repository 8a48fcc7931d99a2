"""What was found in addition to the published claims."""

from __future__ import annotations

from interp_utils.experiments.claims import own
from interp_utils.experiments.rules import above, at_most, below, exactly

WAVES, READ_OUT = "03 · Attention is a sine wave", "03 · From neurons to logits"
LOOK = "03 · What heads look for, and what they write"
ATTENTION, NEURONS = "05 · Attention", "05 · Neurons"

OWN = [
    own(
        "the model does not need its leftover clusters, those at no key frequency",
        measure="without a leftover cluster",
        rule=at_most(2, "times"),
        notebook=NEURONS,
        tolerance="twice the loss",
        counts="clusters",
    ),
    own(
        "leftover clusters are read at their own frequency, not at its double",
        measure="W_L of a leftover cluster, share at its frequency",
        rule=above(0.5, "%"),
        notebook=READ_OUT,
        tolerance="half of the power",
        counts="clusters",
    ),
    own(
        "the double of a leftover cluster's frequency need not be a key frequency",
        measure="a leftover cluster's double is a key",
        rule=exactly(False, "no key frequency"),
        notebook=READ_OUT,
        counts="clusters",
    ),
    own(
        "heads write hardly anything but key frequencies",
        measure="OV at key frequencies, least",
        rule=above(0.95, "%"),
        notebook=LOOK,
        tolerance="5 % of power elsewhere",
    ),
    own(
        "every head's attention is close to a line in the scores",
        measure="attention, share of its line",
        rule=above(0.95, "%"),
        notebook=ATTENTION,
        tolerance="5 % of its variance",
        counts="heads",
    ),
    own(
        "one wave for each head's attention is not enough",
        measure="attention sine",
        rule=above(1000, "times"),
        notebook=ATTENTION,
        tolerance="three decades of loss",
    ),
    own(
        "leftover clusters shrink after cleanup",
        measure="leftover clusters in the logits, end over cleanup's end",
        rule=below(1),
        notebook=NEURONS,
    ),
    own(
        "attention comes closer to sine waves after cleanup",
        measure="attention fit of the worst head, rise after cleanup",
        rule=above(0),
        notebook=WAVES,
    ),
]
