"""How a delay grows with what it may depend on: exponents, with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from interp_utils.experiments.rules import Number

RESAMPLES = 1000
Columns = Mapping[str, Sequence[Number]]


class PowerLaw(NamedTuple):
    """y = c x1^e1 x2^e2 ...

    exponents: by the name of x: the least-squares one, and the 5th and 95th percentiles of those of
               as many trainings drawn again with replacement.
    shuffled:  the 5th and 95th percentiles of the exponents of each x in random order: of nothing.
    misses:    the factor by which half of the trainings are off at least, 1 for none.
    """

    exponents: dict[str, tuple[float, float, float]]
    shuffled: dict[str, tuple[float, float]]
    misses: float


def power_law(x: Columns, y: Sequence[Number], seed: int = 0) -> PowerLaw:
    """Fitted in logarithms to one value of each x, and y, per training.

    Raises ValueError where the trainings do not tell the exponents apart, or a value is not above
    zero.
    """
    table = np.array([*x.values(), y], dtype=float)
    if (table <= 0).any():
        raise ValueError(
            f"a power law is of numbers above zero, got {table.min():g}: leave that training out"
        )
    *logs, log_y = np.log(table)
    columns = np.stack([np.ones(len(log_y)), *logs], 1)
    if not _told_apart(columns):
        raise ValueError(
            f"the exponents of {', '.join(x)} cannot be told apart by these {len(log_y)} "
            "trainings: add some in which only one of these differs"
        )
    fit = _fitted(columns, log_y)
    draw = np.random.RandomState(seed)
    drawn = [draw.randint(len(log_y), size=len(log_y)) for _ in range(RESAMPLES)]
    again = [_fitted(columns[rows], log_y[rows]) for rows in drawn if _told_apart(columns[rows])]
    low, high = np.percentile(again, [5, 95], axis=0)
    shuffled = {}
    for index, name in enumerate(x, start=1):
        found = []
        for _ in range(RESAMPLES):
            control = columns.copy()
            control[:, index] = draw.permutation(control[:, index])
            found.append(_fitted(control, log_y)[index])
        shuffled[name] = tuple(np.percentile(found, [5, 95]).tolist())
    each = zip(fit[1:].tolist(), low[1:].tolist(), high[1:].tolist(), strict=True)
    misses = np.exp(np.median(np.abs(log_y - columns @ fit)))
    return PowerLaw(dict(zip(x, each, strict=True)), shuffled, float(misses))


def _fitted(columns: np.ndarray, log_y: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(columns, log_y, rcond=None)[0]


def _told_apart(columns: np.ndarray) -> bool:
    return bool(np.linalg.matrix_rank(columns) == columns.shape[1])
