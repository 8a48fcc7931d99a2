"""Greatest common divisors: labels, tokens, and that nothing held out is drawn."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from interp_utils import ModelConfig, Run, TrainConfig, tasks, train
from interp_utils.tasks import Spelling

BASES = [2, 3, 6, 10, 12, 30, 210, 420]
SMALL = {"largest": 400, "n_validation": 30, "n_test": 50, "n_gcds": 20, "per_gcd": 4}
TASKS = {
    "fixed width": tasks.gcd(10, **SMALL),
    "separators": tasks.gcd(6, separators=True, **SMALL),
    "log-uniform": tasks.gcd(30, operands="log_uniform", **SMALL),
    "some by their gcd": tasks.gcd(2, uniform_gcds=0.5, width=11, **SMALL),
    "fixed data": tasks.gcd(3, n_pairs=500, uniform_gcds=0.2, seed=1, **SMALL),
    "nearly all is held out": tasks.gcd(
        10, largest=12, n_validation=20, n_test=40, n_gcds=2, per_gcd=5
    ),
}


def spelled(n, base, width):
    digits = []
    while n or (width is None and not digits) or (width is not None and len(digits) < width):
        digits.insert(0, n % base)
        n //= base
    return digits


@pytest.mark.parametrize("name", TASKS)
def test_labels_and_tokens_are_those_of_math_gcd(name):
    task = TASKS[name]
    base, width = task.spelling.base, task.spelling.width
    for sequences in (task.batch(2, 100), *task.held_out.values()):
        a, b = (each.tolist() for each in task.spelling.operands(sequences))
        expected = [math.gcd(*pair) for pair in zip(a, b, strict=True)]
        assert task.gcds(sequences).tolist() == expected
        written = sequences.tokens.tolist(), sequences.labels.tolist()
        rows = zip(*written, a, b, expected, strict=True)
        for tokens, labels, *numbers in rows:
            if task.spelling.separators:
                parts = [[base, *spelled(n, base, None)] for n in numbers]
                whole, asked = [*itertools.chain(*parts), base + 1], len(parts[2])
                padding = [base + 1] * (len(tokens) + 1 - len(whole))
            else:
                a_, b_, g_ = (spelled(n, base, width) for n in numbers)
                whole, asked, padding = [*a_, *b_, base, *g_], width, []
            assert tokens == (whole + padding)[:-1]
            first = len(whole) - 1 - asked
            others = [-1] * first, [-1] * len(padding)
            assert labels == [*others[0], *whole[first + 1 :], *others[1]]


@pytest.mark.parametrize("name", TASKS)
def test_no_training_pair_is_held_out(name):
    task = TASKS[name]
    held_out = [
        pair
        for sequences in task.held_out.values()
        for pair in zip(*(each.tolist() for each in task.spelling.operands(sequences)), strict=True)
    ]
    assert len(set(held_out)) == len(held_out) == sum(map(len, task.held_out.values()))
    batches = [task.batch(step, 500) for step in range(4)]
    drawn = [torch.stack(task.spelling.operands(batch), 1) for batch in batches]
    drawn = {tuple(pair) for pair in torch.cat(drawn).tolist()}
    assert drawn and not drawn & set(held_out)
    # Of ordered pairs: the other order may be trained on.
    swapped = {(b, a) for a, b in held_out} - set(held_out)
    if name == "nearly all is held out":
        assert drawn & swapped
    assert max(map(max, drawn)) <= task.drawing.largest and min(map(min, drawn)) >= 1


@pytest.mark.parametrize("name", TASKS)
def test_the_stratified_set_has_each_gcd_as_often(name):
    task = TASKS[name]
    n_gcds, per_gcd = task.params["n_gcds"], task.params["per_gcd"]
    counts = task.gcds(task.stratified).bincount(minlength=n_gcds + 1)
    assert counts.tolist() == [0] + [per_gcd] * n_gcds


def test_a_step_draws_the_same_and_another_something_else():
    task = TASKS["separators"]
    same = tasks.gcd(6, separators=True, **SMALL)
    assert task.batch(5, 40).tokens.equal(same.batch(5, 40).tokens)
    assert not task.batch(5, 40).tokens.equal(task.batch(6, 40).tokens)
    other = tasks.gcd(6, separators=True, seed=1, **SMALL)
    assert not task.test.tokens.equal(other.test.tokens)
    # The stream is frozen: a stored run must mean the same pairs in every version.
    assert [pair.tolist() for pair in task.spelling.operands(task.batch(5, 3))] == FROZEN


FROZEN = [[297, 37, 77], [306, 146, 375]]


def test_fixed_pairs_come_again_and_fresh_ones_do_not():
    task, none = (tasks.gcd(10, n_pairs=n, n_test=100, n_validation=100) for n in (200, None))
    of_data = {tuple(row) for row in task.data.tokens.tolist()}
    drawn = torch.cat([task.batch(step, 300).tokens for step in range(5)]).tolist()
    assert {tuple(row) for row in drawn} == of_data and len(of_data) == 200
    fresh = torch.cat([none.batch(step, 300).tokens for step in range(5)]).tolist()
    assert len({tuple(row) for row in fresh}) == 1500


def share(gcds, k):
    return (gcds == k).double().mean().item()


def test_distributions_are_those_they_are_called():
    """Within four standard deviations of what is drawn, 20,000 pairs each."""
    n = 20_000
    natural = tasks.gcd(10)
    a, b = natural.spelling.operands(natural.batch(0, n))
    assert a.double().mean().item() == pytest.approx(5e5, rel=0.02)
    gcds = torch.gcd(a, b)
    for k in (1, 2, 3):
        expected = 6 / (math.pi * k) ** 2
        assert share(gcds, k) == pytest.approx(expected, abs=4 * math.sqrt(expected / n))
    log = tasks.gcd(10, operands="log_uniform")
    a, _ = map(torch.from_numpy, log.drawing.pairs(np.random.RandomState(0), n))
    for first in (1, 10, 1000):
        below = math.log(first + 1) / math.log(10**6 + 1)
        found = (a <= first).double().mean().item()
        assert found == pytest.approx(below, abs=4 * math.sqrt(0.25 / n))
    by_gcd = tasks.gcd(10, uniform_gcds=0.25)
    of_batch = by_gcd.gcds(by_gcd.batch(0, n))
    assert share(of_batch, 97) == pytest.approx(0.0025, abs=0.0015)
    assert share(of_batch, 1) == pytest.approx(0.75 * 6 / math.pi**2 + 0.0025, abs=0.015)
    for sequences in (by_gcd.test, by_gcd.validation):  # which are natural
        assert share(by_gcd.gcds(sequences), 1) == pytest.approx(6 / math.pi**2, abs=0.06)


@given(st.data(), st.sampled_from(BASES), st.booleans())
def test_answers_are_read_as_they_are_written(data, base, separators):
    spelling = Spelling(base, data.draw(st.integers(1, 5)), separators)
    number = st.integers(0, base**spelling.width - 1)
    a, b, g = (torch.tensor(data.draw(st.lists(number, min_size=3, max_size=3))) for _ in "abg")
    sequences = spelling.sequences("t", a, b, g)
    assert [each.tolist() for each in spelling.operands(sequences)] == [a.tolist(), b.tolist()]
    longest = spelling.width + separators
    answers = torch.full((3, longest), spelling.separator)  # which is no digit
    for row, labels in enumerate(sequences.labels):
        own = labels[labels >= 0]
        answers[row, : len(own)] = own
    assert spelling.numbers(answers).tolist() == g.tolist()
    assert (sequences.asked.sum(1) <= longest).all()


def test_what_spells_no_number_is_none():
    fixed, separated = Spelling(10, 3), Spelling(10, 3, True)
    assert fixed.numbers(torch.tensor([[0, 4, 2], [0, 10, 2], [9, 9, 10]])).tolist() == [42, -1, -1]
    rows = [[4, 2, 11, 10], [11, 1, 11, 0], [4, 10, 11, 0], [1, 2, 3, 4]]
    rows += [[1, 2, 3, 11], [0, 5, 11, 0]]
    assert separated.numbers(torch.tensor(rows)).tolist() == [42, -1, -1, -1, 123, 5]
    with pytest.raises(ValueError, match="an answer has up to 4 tokens, got 3"):
        separated.numbers(torch.zeros(2, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="numbers of one width have no end token"):
        _ = fixed.end


@pytest.mark.parametrize("name", ["separators", "fixed data"])
def test_a_run_restores_its_task(name, tmp_path):
    task = TASKS[name]
    model = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
    training = TrainConfig(steps=6, batch_size=16, snapshot_every=None)
    run = train(task, model, training, out=tmp_path, progress=False)
    assert run.config.model.d_vocab_out == task.d_vocab
    restored = Run.load(tmp_path).task
    assert isinstance(restored, tasks.GCD)
    assert restored.batch(5, 20).tokens.equal(task.batch(5, 20).tokens)
    about = task.about()
    for changes, message in (
        ({"n_test": 10**12}, "the stored test pairs must have the shape"),
        ({"per_gcd": 10**12}, "the stored stratified pairs must have the shape"),
        ({"seed": 5}, "the stored validation, test and stratified pairs are not those that the"),
    ):
        changed = {**about, "params": {**about["params"], **changes}}
        with pytest.raises(ValueError, match=re.escape(message)):
            tasks.restore(changed, task.tensors())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": 1}, "base must be an integer of at least 2, got 1"),
        ({"base": 2.0}, "base must be an integer of at least 2, got 2.0"),
        ({"width": 3}, "operands up to 1000000 take 7 digits in base 10, so that width must be"),
        ({"largest": 1}, "largest must be an integer in 2 .. 10.9, got 1"),
        (
            {"largest": 50, "n_test": 9, "n_validation": 9},
            "n_gcds must be an integer in 1 .. 50, since no two numbers up to 50",
        ),
        (
            {"largest": 300, "n_gcds": 100},
            "leave half of the 7 pairs with gcd 100 for training, got 20",
        ),
        ({"n_gcds": 0}, "n_gcds must be an integer in 1 .."),
        ({"per_gcd": 0}, "per_gcd must be at least 1"),
        ({"uniform_gcds": 1.5}, "uniform_gcds must be a share, from 0 to 1, got 1.5"),
        ({"uniform_gcds": math.nan}, "uniform_gcds must be a share, from 0 to 1, got nan"),
        ({"operands": "normal"}, "operands must be one of .*got 'normal'"),
        ({"n_pairs": 0}, "n_pairs must be an integer of at least 1, got 0"),
        ({"n_test": 0}, "n_test must be an integer of at least 1, got 0"),
        ({"largest": 100, "n_gcds": 1}, "must leave half of the 10000 pairs for training"),
        ({"seed": -1}, "seed must be an integer in 0"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_bad_input_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        tasks.gcd(**{"base": 10, **changes})


def test_a_pair_by_its_gcd_is_any_with_it():
    """Every coprime pair of factors comes, each about as often."""
    task = tasks.gcd(10, largest=20, n_validation=5, n_test=5, n_gcds=4, per_gcd=2)
    a, b = task.drawing.with_gcds(np.random.RandomState(0), np.full(20_000, 4))
    pairs, counts = np.unique(np.stack([a, b], 1), axis=0, return_counts=True)
    expected = [[4 * x, 4 * y] for x in range(1, 6) for y in range(1, 6) if math.gcd(x, y) == 1]
    assert pairs.tolist() == expected
    assert abs(counts / counts.mean() - 1).max() < 0.15
