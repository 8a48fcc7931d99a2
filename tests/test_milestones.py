"""Milestones of planted tables of metrics, whose steps and seconds are known."""

import math

import pandas as pd
import pytest

from interp_utils import milestones
from interp_utils.measures.milestones import Milestones


def table(train, test, **columns):
    """A row every ten steps, of three seconds each."""
    steps = [10 * i for i in range(len(train))]
    seconds = [0.3 * step for step in steps]
    own = {"step": steps, "train_accuracy": train, "test_accuracy": test, "seconds": seconds}
    return pd.DataFrame(own | columns)


GROKS = table([0.1, *[1.0] * 11], [0.1] * 5 + [0.5, *[1.0] * 6])


def test_a_run_that_groks():
    spiky = GROKS.assign(train_loss=[1.0] * 12, highest_train_loss=[1.0] * 7 + [50.0] + [1.0] * 4)
    assert milestones.milestones(spiky) == Milestones(
        memorised=10,
        generalised=60,
        grokked=True,
        delay=50,
        ratio=6.0,
        seconds_memorised=3.0,
        seconds_generalised=18.0,
        seconds_delay=15.0,
        spikes=1,
        last_step=110,
        last_seconds=33.0,
    )
    found = milestones.milestones(spiky, factor=7.0)
    assert not found.grokked and found.ratio == 6.0
    assert milestones.milestones(spiky, level=0.4).generalised == 50


def test_what_is_not_reached_is_none_and_says_since_when():
    found = milestones.milestones(GROKS, until=100)
    assert found.generalised == 60, "five are enough"
    found = milestones.milestones(GROKS, until=90)
    assert (found.memorised, found.seconds_memorised) == (10, 3.0)
    assert (found.generalised, found.delay, found.ratio) == (None, None, None)
    assert found.seconds_generalised is None and found.seconds_delay is None and not found.grokked
    assert (found.last_step, found.last_seconds) == (90, 27.0)
    relapses = table([0.1, *[1.0] * 11], [0.1, *[1.0] * 10, 0.5])
    assert milestones.milestones(relapses).generalised is None, "it does not hold at the end"
    for until in (-1, -10):
        with pytest.raises(ValueError, match=f"no row up to step {until}"):
            milestones.milestones(GROKS, until)


def test_a_spike_after_the_end_does_not_count():
    highest = [1.0] * 10 + [50.0, 1.0]
    spiky = GROKS.assign(train_loss=1.0, highest_train_loss=highest)
    assert [milestones.milestones(spiky, until).spikes for until in (90, 110)] == [0, 1]


def test_what_was_not_recorded_is_none():
    """In a run of an earlier version, or one that such a version began."""
    old = milestones.milestones(GROKS.drop(columns="seconds"))
    unknown = milestones.milestones(GROKS.assign(seconds=math.nan))
    assert old == unknown and old.generalised == 60
    times = (old.seconds_memorised, old.seconds_generalised, old.seconds_delay, old.last_seconds)
    assert times == (None,) * 4 and old.spikes is None


def test_edges():
    noisy = table([0.5] * 12, GROKS["test_accuracy"].tolist())  # wrong labels are not memorised
    found = milestones.milestones(noisy)
    assert (found.memorised, found.generalised, found.delay, found.grokked) == (
        None,
        60,
        None,
        False,
    )
    at_once = table([1.0] * 12, [1.0] * 12)
    found = milestones.milestones(at_once)
    assert (found.memorised, found.generalised, found.delay, found.ratio) == (0, 0, 0, None)
    first = table([0.1, *[1.0] * 11], [0.5, *[1.0] * 11])
    found = milestones.milestones(first)
    assert (found.delay, found.ratio, found.seconds_delay, found.grokked) == (0, 1.0, 0.0, False)
