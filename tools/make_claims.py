"""Every published claim against this suite's runs: docs/claims.json (the numbers) and
docs/claims.md (the table).

    python -m tools.make_claims

Numbers are measured on the runs in checkpoints/; verdicts follow from them by the rules in the
claims_* modules.
"""

from __future__ import annotations

import json
from pathlib import Path

from tools import claims_addition, claims_exponents, claims_remainders, claims_sorting
from tools.claims import Rows, render

DOCS = Path(__file__).parents[1] / "docs"
NUMBERS, TABLE = DOCS / "claims.json", DOCS / "claims.md"
SUITES = [
    claims_addition.SUITE,
    claims_sorting.SUITE,
    claims_exponents.SUITE,
    claims_remainders.SUITE,
]
INTRO = (
    "# Published claims, checked\n\n"
    "Made by `python -m tools.make_claims` from the runs in `checkpoints/`; a test measures them "
    "again. A claim *holds* if every run it is\n"
    "about fulfils the rule, *with a qualification* if at least half do.\n"
)


def page(numbers: dict[str, Rows]) -> str:
    """The whole document from the numbers, suite by suite."""
    return "\n".join(
        [INTRO, *(line for suite in SUITES for line in render(suite, numbers[suite.title]))]
    )


def main() -> None:
    numbers = {suite.title: suite.measure() for suite in SUITES}
    NUMBERS.write_text(json.dumps(numbers, indent=1) + "\n")
    TABLE.write_text(page(numbers))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
