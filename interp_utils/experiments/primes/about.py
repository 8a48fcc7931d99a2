"""The page's text on primes, and its ladder."""

from __future__ import annotations

from collections.abc import Sequence

from interp_utils.analysis import sieves
from interp_utils.experiments.claims import Rows
from interp_utils.experiments.primes.recipes import BASES, MORE, N
from interp_utils.experiments.rules import line, spread

TITLES = {
    "digits": "digits, fixed numbers",
    "decayed": "the same, weight decay 1",
    "more": "digits, more fixed numbers",
    "rows": "rows of four numbers",
    "fresh": "digits, fresh numbers",
}


def intro(rows: Rows) -> list[str]:
    return [
        "Patel et al., section 3.1, and the rows of Syrkis's slides of February 2024, which claim "
        "nothing of what was learned. In the",
        "report's code every number up to 1,000 is a token of its own and the last 300 are the "
        'test (its text has 32 heads, "below 100",',
        "and infinite input): `primes_atomic_seed0`, in its settings but for its length. A fair "
        f"task writes numbers as digits: 1 to {N:,}",
        f"or {MORE:,}, split at random; rows of four numbers, of which the model sees all digits "
        "but the last; or numbers below a million, others",
        "in each step. A *sieve* calls prime what none of its divisors divides. Rungs are those "
        "whose divisors show in the digits of the",
        "base, as they divide it or one of its neighbours (the first of them is the *last digit*), "
        "and {3}, {3, 7} and {3, 7, 11, 13}. Of what",
        "a sieve leaves, the AUC is that of the model's log odds, beside that of size alone. "
        "Trainings are rows of docs/studies/primes; in four",
        "precisions, of docs/studies/primes_precision, where a *spike* is a loss of over ten times "
        "the median of the fifty steps before it.",
    ]


def table(rows: Rows) -> list[str]:
    lines = [
        "| task | base | train accuracy | balanced test accuracy | AUC | best sieve | its AUC "
        "| AUC of what it leaves | by size alone | bits beyond it |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for arm, title in TITLES.items():
        for base in BASES:
            own = [row for row in rows.values() if (row.get("arm"), row.get("base")) == (arm, base)]
            if own:
                cells = [
                    title,
                    f"{base}",
                    spread([row["train accuracy"] for row in own], ".0%"),
                    *(
                        spread([row[name] for row in own], ".3f")
                        for name in ("balanced test accuracy", "test AUC")
                    ),
                    best(own[0]),
                    *(
                        spread([row[name] for row in own], ".3f")
                        for name in (
                            "AUC of the best sieve",
                            "AUC among what the best sieve leaves",
                            "AUC by size among what the best sieve leaves",
                            "bits beyond the best sieve",
                        )
                    ),
                ]
                lines.append(line(cells))
    return lines


def best(row: dict) -> str:
    """The sieve of the highest AUC."""
    tried = [*sieves.LADDER, *sieves.sieves_of_base(row["base"])]
    aucs = {each: row[f"AUC of {' '.join(map(str, each)) or 'none'}"] for each in tried}
    return ", ".join(map(str, max(aucs, key=lambda each: aucs[each])))


def percents(values: Sequence[float]) -> str:
    """Each of a few shares."""
    return ", ".join(f"{value:.0%}" for value in values)
