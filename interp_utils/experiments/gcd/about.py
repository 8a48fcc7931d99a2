"""The page's text on greatest common divisors, and its table of runs."""

from __future__ import annotations

from interp_utils.experiments.claims import Rows
from interp_utils.experiments.gcd.claims import PUBLISHED
from interp_utils.experiments.gcd.recipes import MODEL, TRAIN


def intro(rows: Rows) -> list[str]:
    return [
        "Charton trains an encoder and a decoder of four layers and 512 dimensions, much longer, "
        "on numbers written in a base; Patel et al. trained one",
        "on fixed pairs in base 10. Here: a decoder of one layer and "
        f'{MODEL.d_model} dimensions that reads a, b and "=", all of as many digits, and writes',
        f"as many; at every step {TRAIN.batch_size} fresh pairs of operands up to 10^6. *Learned*: "
        "over 95 % of 20 pairs with a gcd, so all of them, are answered",
        "with it, the model reading its own digits. Charton's table is quoted second-hand; the 38 "
        "gcds of its last row and the 73 are in the abstract.",
    ]


def table(rows: Rows) -> list[str]:
    lines = [
        "| run | steps | gcds learned | accuracy | bound for these | published: gcds, accuracy | "
        "one answer |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows.values():
        if "kind" in row:
            count, accuracy = PUBLISHED.get(_base(row["kind"]), (None, None))
            published = f"{count}, {accuracy:.1%}" if count else "-"
            learned = ", ".join(map(str, row["learned"]))
            lines.append(
                f"| {row['kind']}, seed {row['seed']} | {row['steps']:,} | "
                f"{row['gcds learned']}: {learned or '-'} | {row['accuracy']:.1%} | "
                f"{row['bound']:.1%} | {published} | {row['one answer']:.1%} |"
            )
    return lines


def _base(kind: str) -> int | None:
    """The base of runs on fresh pairs of uniform operands, which the published table is about."""
    return None if "," in kind else int(kind.removeprefix("base "))
