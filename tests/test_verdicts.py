"""Rules, verdicts, and claims checked in a notebook."""

import dataclasses
import math

import numpy as np
import pytest

from interp_utils import experiments
from interp_utils.experiments import rules
from interp_utils.experiments.claims import (
    Claim,
    concerned,
    ended_before,
    ended_early,
    other_settings,
    verdict,
)
from interp_utils.experiments.page import runs, section


@pytest.mark.parametrize(
    ("rule", "words", "yes", "no"),
    [
        (rules.above(0.95, "%"), "above 95 %", [0.951, 1], [0.95, 0]),
        (rules.at_least(0.95, "%"), "at least 95 %", [0.95], [0.949]),
        (rules.below(0.0055, "%"), "below 0.55 %", [0.005], [0.0055]),
        (rules.at_most(10, "times"), "at most 10 times", [10, 0], [10.1]),
        (rules.at_most(17_000, "steps"), "at most 17,000 steps", [17_000], [17_001]),
        (rules.between(3, 6), "3 to 6", [3, 6], [2.9, 6.1, math.nan]),
        (rules.between(0.6, 0.9, "%"), "60 to 90 %", [0.6], [0.95]),
        (rules.above("ln p"), "above ln p", [math.log(7) + 1e-9], [math.log(7)]),
        (rules.below("full loss"), "below the full loss", [1.9], [2.0]),
        (rules.above("full loss", factor=2), "above twice the full loss", [4.1], [4.0]),
        (rules.exactly(True, "five times later"), "five times later", [True, 1], [False, None]),
        (rules.exactly(0), "0", [0], [1]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_says_what_it_asks(rule, words, yes, no):
    row = {"p": 7, "full loss": 2.0}
    assert rule.words == words
    assert all(rule(value, row) for value in yes) and not any(rule(value, row) for value in no)


def test_bounds_are_there_to_be_drawn():
    assert (rules.between(3, 6).low, rules.between(3, 6).high) == (3, 6)
    assert rules.at_most(10, "times").high == 10 and rules.below("ln p").high is None
    assert rules.above(0.5).low == 0.5 and rules.above(0.5).high is None


def claim(**changes):
    plain = Claim("few", "§1", '"few"', "count", rules.at_most(3), "02 · Which?")
    return dataclasses.replace(plain, **changes)


def of(*counts, made=None, **more):
    return verdict(made or claim(), [{"count": count, "steps": 100, **more} for count in counts])


def test_words_of_verdicts():
    assert (of(1, 2).word, str(of(1, 2)), of(1, 2).holds) == ("holds", "holds (2 of 2)", True)
    assert str(of(1)) == "holds" and str(of(4)) == "does not hold"
    half = of(1, 9)
    assert (half.word, half.holds) == ("holds with a qualification", False)
    assert str(half) == "holds with a qualification (1 of 2)"
    assert str(of(1, 8, 9)) == "does not hold (1 of 3)" and of(1, 8, 9).holds is False
    with pytest.raises(ValueError, match="no run has what the claim 'few' is about"):
        verdict(claim(), [])


def test_a_run_that_ended_before_the_claim_could_show_decides_nothing():
    early = claim(undecided=ended_before(1000))
    late = of(9, made=early)
    assert (late.word, late.holds, str(late)) == ("undecided", None, "undecided (ended at 100)")
    mixed = of(1, 9, 9, made=early)
    few = "holds with a qualification; 2 undecided (ended at 100)"
    assert str(mixed) == few and not mixed.holds, "most of them decide nothing"
    assert of(1, 1, 9, 9, made=early).word == "holds", "as many as do not"
    assert of(9, made=early, steps=1000).holds is False, "as long as the source's"
    assert of(9, made=claim(undecided=ended_early), steps=10**6).holds is None
    elsewhere = of(1, 9, made=claim(undecided=other_settings("another p")))
    assert str(elsewhere) == "undecided (another p)", "whatever was measured"


def test_lists_count_one_by_one():
    heads = claim(counts="heads")
    found = verdict(heads, [{"count": [1, 2, 5]}, {"count": [9]}])
    assert (found.fulfilled, found.refuted) == (2, 2)
    assert str(found) == "holds with a qualification (2 of 4 heads)"
    assert found.measured == "3.5 (1 to 9)"


def test_numbers_are_spelt_as_they_are_read():
    assert of(1400).measured == "1,400" and of(123456.7).measured == "123,457"
    assert of(1.2345e-7).measured == "1.23e-07" and of(True).measured == "1"


def test_who_is_concerned():
    rows = {"a": {"count": np.float64(1), "p": 7}, "b": {"count": 2, "p": 11}, "c": {"p": 7}}
    rows["d"] = {"count": [], "p": 7}
    assert concerned(claim(), rows, lambda row: row["p"] == 7) == [rows["a"]]
    own = claim(about=lambda row: row["p"] == 11)
    assert concerned(own, rows, lambda row: True) == [rows["b"]]


def test_how_many_runs_of_how_many_steps():
    assert runs([{"steps": 100}]) == "1 of 100 steps"
    assert runs([{"steps": 15_000}, {"steps": 25_000}]) == "2 of 15,000 to 25,000 steps"
    assert runs([{"runs": 41}]) == "41" and runs([{"runs": 0}]) == "none"
    assert runs([{"runs": 5, "lengths": [100, 2000]}]) == "5 of 100 to 2,000 steps"


def test_a_row_of_the_page():
    made = experiments.every()["addition"]
    few = claim(tolerance="one", undecided=ended_before(1000))
    made = dataclasses.replace(
        made,
        claims=[few],
        own=[claim(text="found"), claim(text="untried", measure="nothing")],
        intro=lambda rows: ["About."],
        table=lambda rows: ["| table |"],
        about=lambda row: True,
        beside=lambda row: "p = 7" if row["p"] == 7 else None,
    )
    rows = {
        "a": {"count": 1, "p": 113, "steps": 500},
        "b": {"count": 9, "p": 113, "steps": 100},
        "c": {"count": 9, "p": 7, "steps": 2000},
    }
    text = "\n".join(section(made, rows))
    assert (
        '| few | §1 | "few" | count: 5 (1 to 9) | at most 3 | one | 2 of 100 to 500 steps | '
        "holds; 1 undecided (ended at 100) | no | 02 · Which? |" in text
    )
    assert "| found | count: 5 (1 to 9) |" in text
    assert (
        "| untried | nothing: - | at most 3 | none | none | undecided (no run yet) | - | " in text
    )
    assert (
        text.index("About.") < text.index("| few") < text.index("| found") < text.index("| table")
    )
