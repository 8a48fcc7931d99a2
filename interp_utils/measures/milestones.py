"""When a run memorised and generalised, by its metrics (`Run.metrics`): one row per logged step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

Phases = dict[str, tuple[int, int]]
KNOWN = 0.99  # the accuracy above which inputs are known
LASTING = 5  # logged steps: as many, at least, it must last


def phases(metrics: pd.DataFrame, grokked: float = 1e-3) -> Phases:
    """The phases of grokking (Nanda et al. 2023, section 5), read off the losses alone: name ->
    (first step, last step).

    memorisation:      until the test loss peaks.
    circuit formation: until the test loss stays below half its peak.
    cleanup:           until the test loss stays below `grokked` nats.
    A phase that the run did not complete is left out, and so are the phases after it. All are left
    out where there is no test loss: every pair is for training, or the training pairs are unknown.
    """
    if "test_loss" not in metrics or metrics["test_loss"].isna().any():
        return {}
    test_loss = metrics.set_index("step")["test_loss"]
    ends = {
        "memorisation": int(test_loss.idxmax()),
        "circuit formation": first_sustained(test_loss < test_loss.max() / 2),
        "cleanup": first_sustained(test_loss < grokked),
    }
    found: Phases = {}
    start = 0
    for name, end in ends.items():
        if end is None:
            break
        found[name] = (start, end)
        start = end
    return found


def spikes(metrics: pd.DataFrame, factor: float = 10.0, window: int = 21) -> list[int]:
    """The logged steps whose row has a highest training loss, since the row before, of over
    `factor` times the running median.

    The median is over the logged training losses of the `window` rows around. Slingshots appear as
    spikes (Thilak et al. 2022).
    """
    if "highest_train_loss" not in metrics:
        raise ValueError(
            "this run was logged without highest_train_loss, by an earlier version: train it "
            "again to see its spikes"
        )
    usual = metrics["train_loss"].rolling(window, center=True, min_periods=1).median()
    return metrics["step"][metrics["highest_train_loss"] > factor * usual].tolist()


def first_sustained(holds: pd.Series) -> int | None:
    """The first step from which a condition, indexed by step, holds to the end; None if it does not
    hold at the end.
    """
    failing = holds.index[~holds]
    after = holds.index if failing.empty else holds.index[holds.index > failing[-1]]
    return None if after.empty else int(after[0])


class Generalisation(NamedTuple):
    """The first steps from which training and test accuracy stay above the level (None if they do
    not by the end); grokked: whether the second came late enough.
    """

    memorised: int | None
    generalised: int | None
    grokked: bool


def generalisation(
    metrics: pd.DataFrame, until: int | None = None, *, level: float = KNOWN, factor: float = 5.0
) -> Generalisation:
    """The steps from which training and test (or validation) accuracy stay above the level, to the
    end and for at least five logged steps.

    grokked: the run generalised at least `factor` times later than it memorised. until: later steps
    are ignored, so that runs of different length can be compared; a run that has not generalised by
    this step may still do so.
    Raises ValueError where it is not known which inputs were for training.
    """
    logged = metrics.set_index("step").loc[:until]
    memorised = _came_to_stay(logged[_known(metrics, "train_accuracy")] > level)
    held_out = _known(metrics, "test_accuracy", "validation_accuracy")
    generalised = _came_to_stay(logged[held_out] > level)
    late = memorised is not None and generalised is not None and generalised >= factor * memorised
    return Generalisation(memorised, generalised, late)


class Milestones(NamedTuple):
    """A milestone that a run has not reached is None: it is only known to take longer than
    `last_step` and `last_seconds`. Show it as censored, and do not leave it out. Numbers that were
    not recorded, seconds or highest losses, are None as well.

    memorised, generalised, grokked: see `generalisation`.
    delay:      generalised - memorised; ratio: generalised / memorised, None also after
                memorised = 0.
    seconds_*:  the time of the updates until each step (`Run.metrics`), and between the two.
    spikes:     the number of spikes, see `spikes`.
    """

    memorised: int | None
    generalised: int | None
    grokked: bool
    delay: int | None
    ratio: float | None
    seconds_memorised: float | None
    seconds_generalised: float | None
    seconds_delay: float | None
    spikes: int | None
    last_step: int
    last_seconds: float | None


def milestones(
    metrics: pd.DataFrame, until: int | None = None, *, level: float = KNOWN, factor: float = 5.0
) -> Milestones:
    """When a run memorised and when it generalised, by the rule of `generalisation` (which explains
    the arguments and raises the errors), in steps and in seconds, and how many spikes it had.

    A fork's steps count from the start of the run that it left, its seconds from its own start.
    """
    logged = metrics if until is None else metrics[metrics["step"] <= until]
    if logged.empty:
        raise ValueError(f"these metrics have no row up to step {until}")
    found = generalisation(logged, level=level, factor=factor)
    memorised, generalised, last_step = *found[:2], int(logged["step"].iloc[-1])
    seconds = [_seconds(logged, step) for step in (memorised, generalised, last_step)]
    return Milestones(
        *found,
        delay=_apart(memorised, generalised),
        ratio=generalised / memorised if memorised and generalised is not None else None,
        seconds_memorised=seconds[0],
        seconds_generalised=seconds[1],
        seconds_delay=_apart(*seconds[:2]),
        spikes=len(spikes(logged)) if "highest_train_loss" in logged else None,
        last_step=last_step,
        last_seconds=seconds[2],
    )


def _known(metrics: pd.DataFrame, *columns: str) -> str:
    """The first of these columns that the table has."""
    for column in columns:
        if column in metrics:
            return column
    raise ValueError(
        f"these metrics have no {' or '.join(columns)}: which inputs were for training is not known"
    )


def _seconds(metrics: pd.DataFrame, step: int | None) -> float | None:
    if step is None or "seconds" not in metrics:
        return None
    seconds = float(metrics.set_index("step")["seconds"][step])
    return None if math.isnan(seconds) else seconds


def _apart(first: int | float | None, second: int | float | None) -> int | float | None:
    return None if first is None or second is None else second - first


def _came_to_stay(high: pd.Series) -> int | None:
    """The step from which a condition holds, to the end and for at least five logged steps."""
    if len(high) < LASTING or not high.iloc[-LASTING:].all():
        return None
    return first_sustained(high)


def steps_by_answer(
    metrics: pd.DataFrame, measure: str = "test_accuracy", *, level: float = KNOWN
) -> pd.Series:
    """The first step from which the measure of each answer is at least `level` to the end; by the
    answer's name, NA where there is none.

    Answers are the columns "test_accuracy/2", "test_accuracy/3", ..., named by their numbers of
    classes. Raises ValueError if there are none.
    """
    import pandas as pd

    answers = {
        int(name.removeprefix(f"{measure}/")): name
        for name in metrics
        if name.startswith(f"{measure}/")
    }
    if not answers:
        raise ValueError(
            f"these metrics have no columns {measure}/...: they are of a run with one answer, or "
            "without test inputs"
        )
    by_step = metrics.set_index("step")
    steps = {q: first_sustained(by_step[name] >= level) for q, name in answers.items()}
    return pd.Series(steps, dtype="Int64", name=f"{measure} >= {level}").rename_axis("q")
