import pandas as pd
import pytest

from interp_utils import trajectories


@pytest.mark.parametrize(("holds", "expected"), [([0, 1, 1], 10), ([1, 1, 1], 0), ([1, 0, 1], 20), ([1, 1, 0], None), ([0, 0, 0], None)])
def test_first_sustained(holds, expected):
    assert trajectories.first_sustained(pd.Series(holds, index=[0, 10, 20], dtype=bool)) == expected


def history(test_loss):
    return pd.DataFrame({"step": range(0, 10 * len(test_loss), 10), "test_loss": test_loss})


def test_phases_of_a_planted_history():
    metrics = history([4.0, 20.0, 30.0, 28.0, 16.0, 14.0, 1.0, 1e-2, 1e-4, 1e-6])
    assert trajectories.phases(metrics) == {"memorisation": (0, 20), "circuit formation": (20, 50), "cleanup": (50, 80)}


def test_a_spike_after_grokking_moves_the_end_of_cleanup():
    metrics = history([4.0, 30.0, 10.0, 1e-4, 1e-2, 1e-5])
    assert trajectories.phases(metrics)["cleanup"] == (20, 50)


def test_phases_that_were_not_completed_are_left_out():
    assert trajectories.phases(history([4.0, 20.0, 30.0])) == {"memorisation": (0, 20)}
    assert set(trajectories.phases(history([4.0, 30.0, 10.0]))) == {"memorisation", "circuit formation"}
