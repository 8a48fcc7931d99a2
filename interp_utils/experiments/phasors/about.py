"""The page's text on phasor networks, and its table of arms."""

from __future__ import annotations

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.phasors.recipes import ARMS, HIDDEN, SHARE, TRAIN
from interp_utils.experiments.rules import line, spread


def intro(rows: Rows) -> list[str]:
    return [
        f"Olin-Ammentorp and Bazhenov 2021, on (a + b) mod p with {SHARE:.0%} of the pairs for "
        f"training and {HIDDEN} hidden phasors: Adam at {TRAIN.lr:g},",
        f"{TRAIN.steps} steps, three seeds. Each training is a row of docs/studies/phasors, made "
        "again by `interp-utils study phasors --only NAME`.",
        "The paper's code of a class is a phase for each class, a half for the class itself; the "
        "code of numbers is 2 k c / p for each frequency k.",
        "Inputs are 2 k a / p for every frequency k, without random projection or dropout. An "
        "answer is the class whose code is most similar, where",
        "the released code takes the phase nearest a half. A constant phasor spikes, too, which in "
        "the released code it does not.",
        "Spikes are those of resonators with the released code's numbers; agreement is that of "
        "answers on 250 inputs, on all where there are fewer.",
    ]


def table(rows: Rows) -> list[str]:
    lines = [
        "| network | p | parameters | train accuracy | test accuracy | outputs in a + b | answers "
        "alike, ten cycles' mean | tenth cycle alone | a quarter of the leak |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows.values():
        if "trained" in row:
            cells = [
                ARMS[row["trained"]].title,
                f"{row['p']}",
                f"{row['parameters'][0]:,}",
                spread(row["train accuracy"], ".1%"),
                spread(row["test accuracy"], ".1%"),
                spread(row["outputs, function of a + b"], ".1%"),
                spread(row["agreement after ten cycles"], ".1%"),
                spread(row["agreement in the tenth cycle"], ".1%"),
                spread(row["agreement, a quarter of the leak"], ".1%"),
            ]
            lines.append(line(cells))
    return lines
