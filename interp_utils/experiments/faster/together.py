"""The study's trainings, arm by arm, and what only all of them together have."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from interp_utils.experiments.claims import Row, Rows
from interp_utils.experiments.faster.recipes import ARMS, P
from interp_utils.experiments.faster.study import STUDY
from interp_utils.experiments.studies import DIVERGED, GENERALISED

PUBLISHED, FAST, TOGETHER = "AdamW, as published", "fast", "all arms"
TITLES = {name: arm.title for name, arm in ARMS.items()} | {FAST: "AdamW, the fast recipe"}
MOST = "steps of AdamW, tuned, over the fastest other arm, at most"
IN_T = "steps in units of T, as published over fast"
DRAWS = 10_000


def together(rows: Rows, docs: Path) -> Rows:
    trained = STUDY.rows(docs).values()
    by_arm = {PUBLISHED: list(rows.values())} | {
        title: [row for row in trained if row["arm"] == name] for name, title in TITLES.items()
    }
    found = {title: of_arm(title, own) for title, own in by_arm.items() if own}
    found[TITLES[FAST]] |= of_seeds(by_arm[TITLES[FAST]])
    return found | {TOGETHER: _compare(found)}


def of_arm(title: str, rows: Sequence[Row]) -> Row:
    """An arm's trainings as one row: lists have a number for each of them, or for each that
    generalised.
    """
    done = [row for row in rows if row["state"] == GENERALISED]
    lengths = [row["steps"] for row in rows]
    found = {
        "arm": title,
        "p": P,
        "runs": len(rows),
        "lengths": sorted({min(lengths), max(lengths)}),
        "generalises": [row["state"] == GENERALISED for row in rows],
        "diverged": sum(row["state"] == DIVERGED for row in rows),
        "generalised at": [row["generalised"] for row in done],
        "median step": median(row["generalised"] for row in rows),
        "lr x weight decay": rows[0]["lr"] * rows[0]["weight_decay"],
    }
    if not done:
        return found
    ratios = [row["generalised"] / row["memorised"] for row in done if row["memorised"]]
    return found | {
        "generalised over memorised": ratios,
        "number of key frequencies": [row["number of key frequencies"] for row in done],
        "logit variance explained": [row["logit variance explained"] for row in done],
        "neurons clustered": [row["neurons clustered"] for row in done],
        "excluded loss": [row["excluded loss"] for row in done],
        "restricted over full loss": [row["restricted loss"] / row["full loss"] for row in done],
    }


def median(steps: Iterable[int | None]) -> float | None:
    """Of steps of which None, censored, is later than all; None where it is one of those."""
    found = statistics.median(math.inf if step is None else step for step in steps)
    return None if math.isinf(found) else float(found)


def of_seeds(rows: Sequence[Row]) -> Row:
    """What many seeds of one recipe have."""
    done = [row for row in rows if row["state"] == GENERALISED]
    chosen = [row["key frequencies"] for row in done]
    return {
        "share that generalises": len(done) / len(rows),
        "share with three key frequencies": sum(len(keys) == 3 for keys in chosen) / len(done),
        "median number of key frequencies": statistics.median(len(keys) for keys in chosen),
        "frequencies alike: p": uniform(chosen, P // 2),
    }


def uniform(chosen: Sequence[Sequence[int]], number: int) -> float:
    """Whether frequencies 1 to `number` are chosen alike: the share of random choices, as many for
    each model and different ones, whose counts have a sum of squares of at least the observed.
    """
    generator = torch.Generator().manual_seed(0)
    counts = torch.bincount(
        torch.tensor([k for keys in chosen for k in keys]), minlength=number + 1
    )
    drawn = torch.zeros(DRAWS, number)
    for keys in chosen:
        ranks = torch.rand(DRAWS, number, generator=generator).argsort(1)
        drawn += ranks < len(keys)
    as_uneven = drawn.square().sum(1) >= counts.square().sum()
    return (1 + as_uneven.sum().item()) / (1 + DRAWS)


def _compare(arms: Rows) -> Row:
    """Medians of steps over each other: at most so many times faster, since an arm whose median is
    censored took longer than its trainings were.
    """
    steps = {title: row["median step"] or row["lengths"][-1] for title, row in arms.items()}
    tuned = TITLES["adamw"]
    bases = [base for base in (PUBLISHED, tuned) if arms[base]["median step"]]
    found = {
        over(base, title): steps[base] / steps[title]
        for base in bases
        for title in steps
        if title not in (base, PUBLISHED)
    }
    others = {title for title in steps if title not in (PUBLISHED, tuned, TITLES[FAST])}
    lengths = [length for row in arms.values() for length in row["lengths"]]
    return {
        "runs": sum(row["runs"] for row in arms.values()),
        "lengths": [min(lengths), max(lengths)],
        "censored": [title for title, row in arms.items() if not row["median step"]],
        "trained once": [title for title, row in arms.items() if row["runs"] == 1],
        **found,
        **({MOST: max(found[over(tuned, title)] for title in others)} if tuned in bases else {}),
        IN_T: _in_decays(arms[PUBLISHED]) / _in_decays(arms[TITLES[FAST]]),
    }


def over(base: str, title: str) -> str:
    return f"steps of {base} over {title}, at most"


def _in_decays(arm: Row) -> float:
    """The median step in units of T = 1 / (learning rate x weight decay), in which weight decay
    alone divides a weight by e.
    """
    return arm["median step"] * arm["lr x weight decay"]
