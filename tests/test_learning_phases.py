import pandas as pd
import pytest

from interp_utils.measures import milestones
from interp_utils.measures.learning_phases import LEARNING_PHASES, learning_phase

STEPS = range(0, 1000, 100)


def log(memorised, generalised):
    """A training whose accuracies are 1 from these steps on, and 0.5 before."""
    of = {"train_accuracy": memorised, "test_accuracy": generalised}
    columns = {
        name: [0.5 if since is None or step < since else 1.0 for step in STEPS]
        for name, since in of.items()
    }
    return pd.DataFrame({"step": STEPS} | columns)


@pytest.mark.parametrize(
    ("memorised", "generalised", "phase"),
    [
        (None, None, "confusion"),
        (100, None, "memorisation"),
        (100, 500, "grokking"),
        (100, 400, "comprehension"),
        (300, 300, "comprehension"),
        (500, 100, "comprehension"),
        (None, 500, "comprehension"),
    ],
)
def test_a_planted_training_has_its_phase(memorised, generalised, phase):
    found = milestones.generalisation(log(memorised, generalised))
    assert learning_phase(found.memorised, found.generalised) == phase
    assert phase in LEARNING_PHASES


def test_grokking_is_what_the_milestones_call_so():
    for memorised in (100, 200):
        for generalised in STEPS[1:5]:
            found = milestones.generalisation(log(memorised, generalised))
            word = learning_phase(found.memorised, found.generalised)
            assert (word == "grokking") == found.grokked


def test_accuracy_that_falls_again_is_no_generalisation():
    metrics = log(100, 200)
    metrics.loc[metrics["step"] == 900, "test_accuracy"] = 0.5
    found = milestones.generalisation(metrics)
    assert learning_phase(found.memorised, found.generalised) == "memorisation"


def test_the_factor_says_what_late_is():
    assert learning_phase(100, 300) == "comprehension"
    assert learning_phase(100, 300, factor=3.0) == "grokking"
