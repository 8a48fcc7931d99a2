"""The study's trainings, arm by arm, and what they have beside the plain block's."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from interp_utils.experiments.blocks.mixing import SEEING
from interp_utils.experiments.blocks.recipes import ARMS, OF_PRIMES, PLAIN, P
from interp_utils.experiments.blocks.study import STUDY
from interp_utils.experiments.claims import Row, Rows
from interp_utils.experiments.rules import Number
from interp_utils.experiments.studies import GENERALISED

PLAIN_S = "the plain block's"
LISTED = (
    "number of key frequencies",
    "logit variance explained",
    "excluded loss",
    "neurons clustered",
    "products in heads",
    "products in neurons",
    "accuracy without products in heads",
    "accuracy without products in neurons",
)
OF_PRIME_ROWS = ("test AUC", "balanced test accuracy")
# The arms that change one thing of another one.
VARIANTS = {
    "SAS": [arm for arm in ARMS if arm.startswith("SAS,") or arm == "alpha I + beta A"],
    "SAS-P": [arm for arm in ARMS if arm.startswith("SAS-P,")],
}
PARTS = [part.replace("_", " ") for part in SEEING]
LEARNING = 0.99  # of the loss of a guess: below it a model has begun to learn


def together(rows: Rows, docs: Path) -> Rows:
    trained = list(STUDY.rows(docs).values())
    plain = _rows(trained, "addition", PLAIN)
    found = {arm: of_arm(arm, _rows(trained, "addition", arm), plain) for arm in ARMS}
    for base, arms in VARIANTS.items():
        of_base = _rows(trained, "addition", base)
        for arm in arms:
            own = _rows(trained, "addition", arm)
            found[arm][over(base)] = _ratio(own, of_base, "generalised")
            found[arm][less(base)] = _accuracy(own) - _accuracy(of_base)
    of_plain = _rows(trained, "primes", PLAIN)
    primes = {name_of_primes(arm): _rows(trained, "primes", arm) for arm in OF_PRIMES}
    found |= {name: of_primes(name, own, of_plain) for name, own in primes.items()}
    return {
        name: {measure: value for measure, value in row.items() if value is not None}
        for name, row in found.items()
    }


def over(base: str) -> str:
    return f"generalises, steps over {base}'s"


def less(base: str) -> str:
    return f"test accuracy, less {base}'s"


def _accuracy(rows: Sequence[Row]) -> float:
    return statistics.median(row["test accuracy"] for row in rows)


def name_of_primes(arm: str) -> str:
    return f"primes, {arm}"


def _rows(trained: Sequence[Row], task: str, arm: str) -> list[Row]:
    return [row for row in trained if (row["task"], row["arm"]) == (task, arm)]


def of_arm(arm: str, rows: Sequence[Row], plain: Sequence[Row]) -> Row:
    """An arm's trainings on a + b as one row. Lists have a number for each training, steps for each
    that generalised or memorised.
    """
    done = [row for row in rows if row["state"] == GENERALISED]
    found: Row = _counted(arm, rows, plain) | {
        "p": P,
        "generalises": [row["state"] == GENERALISED for row in rows],
        "generalised at": [row["generalised"] for row in done],
        "memorised at": [row["memorised"] for row in rows if row["memorised"] is not None],
        "test accuracy": [row["test accuracy"] for row in rows],
        f"memorises, steps over {PLAIN_S}": _ratio(rows, plain, "memorised"),
        f"generalises, steps over {PLAIN_S}": _ratio(rows, plain, "generalised"),
        "restricted over full loss": [
            row["restricted loss"] / row["full loss"] for row in rows if row["key frequencies"]
        ],
        **{name: [row[name] for row in rows if row.get(name) is not None] for name in LISTED},
    }
    courses = [row["course"] for row in rows if row.get("course")]
    return found | (_of_courses(courses) if courses else {})


def of_primes(name: str, rows: Sequence[Row], plain: Sequence[Row]) -> Row:
    """An arm's trainings on rows of primes as one row."""
    return _counted(name, rows, plain) | {
        "train accuracy": [row["train accuracy"] for row in rows],
        "AUC over the best sieve's": [
            row["test AUC"] - row["AUC of the best sieve"] for row in rows
        ],
        **{measure: [row[measure] for row in rows] for measure in OF_PRIME_ROWS},
    }


def _counted(name: str, rows: Sequence[Row], plain: Sequence[Row]) -> Row:
    lengths = [row["last step"] for row in rows]
    of_plain, own = plain[0]["parameters"], rows[0]["parameters"]
    return {
        "arm": name,
        "runs": len(rows),
        "lengths": [min(lengths), max(lengths)],
        "parameters": own,
        "fewer parameters": 1 - own / of_plain,
    }


def _ratio(rows: Sequence[Row], plain: Sequence[Row], when: str) -> float | None:
    """Of medians of steps; an arm whose median is censored counts with its last step: at least so
    much slower. None where the plain block's is censored.
    """
    base = _median(plain, when, lambda row: math.inf)
    return None if math.isinf(base) else _median(rows, when, lambda row: row["last step"]) / base


def _median(rows: Sequence[Row], when: str, censored: Callable[[Row], Number]) -> float:
    steps = [censored(row) if row[when] is None else row[when] for row in rows]
    return float(statistics.median(steps))


def _of_courses(courses: Sequence[Row]) -> Row:
    """How "=" comes to see the operands: at the first snapshot whose loss is below a guess's, the
    step, and by how many nats the loss on training pairs would be higher without each part of the
    mixing; the same at the end; and the gains at the end.
    """
    places = [(course, _begun(course)) for course in courses]
    begun = [(course, place) for course, place in places if place is not None]
    ends = [(course, -1) for course in courses]
    first = [_costs(course, place) for course, place in begun]
    return {
        "sees an operand at": [course["steps"][place] for course, place in begun],
        "sees by position first": [max(own, key=own.__getitem__) == "by position" for own in first],
        **_listed("costs at first, nothing {}", first),
        **_listed("costs at the end, nothing {}", [_costs(*end) for end in ends]),
        **{
            f"{name} at the end": [course[name][-1] for course in courses]
            for name in ("alpha", "beta", "gamma", "gain of attn", "gain of mlp")
        },
    }


def _listed(text: str, costs: Sequence[dict[str, float]]) -> Row:
    return {text.format(part): [own[part] for own in costs] for part in PARTS}


def _costs(course: Row, place: int) -> dict[str, float]:
    loss = course["train loss"][place]
    return {part: course[f"train loss, nothing {part}"][place] - loss for part in PARTS}


def _begun(course: Row) -> int | None:
    guess = math.log(P)
    places = (i for i, loss in enumerate(course["train loss"]) if loss < LEARNING * guess)
    return next(places, None)
