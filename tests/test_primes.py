"""Tasks on primes: which numbers they are of, what is asked, and that nothing held out is drawn."""

import math
import re

import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st

from interp_utils import Run, TrainConfig, milestones, tasks, train
from tests.small import SMALL_MODEL

BASES = [2, 3, 6, 10, 12, 30, 210, 420]


def primes(numbers):
    return [int(sympy.isprime(n)) for n in torch.as_tensor(numbers).flatten().tolist()]


@pytest.mark.parametrize("n", [-3, 0, 1, 2, 3, 4, 5, 9, 10, 25, 26, 1000, 1009, 1010])
def test_the_sieve_is_sympys(n):
    assert tasks.sieve(n).tolist() == [sympy.isprime(m) for m in range(n)]
    assert tasks.primes_below(n) == list(sympy.primerange(max(n, 0)))


def test_the_sieve_over_far_ranges():
    """By its counts, which are published, and by sympy around the end."""
    prime = tasks.sieve(10**7 + 1)
    counts = [int(prime[: 10**k].sum()) for k in range(1, 8)]
    assert counts == [4, 25, 168, 1229, 9592, 78498, 664579]
    assert prime[-200:].long().tolist() == primes(range(10**7 - 199, 10**7 + 1))


@given(st.data(), st.sampled_from(BASES))
def test_digits_there_and_back(data, base):
    width = data.draw(st.integers(1, 7))
    n = torch.tensor(data.draw(st.lists(st.integers(0, base**width - 1), min_size=1, max_size=9)))
    digits = tasks.to_digits(n, base, width)
    assert tasks.from_digits(digits, base).equal(n)
    assert digits[0].tolist() == [int(n[0]) // base**i % base for i in reversed(range(width))]
    needed = tasks.n_digits(int(n.max()), base)
    assert (needed <= width and tasks.to_digits(n, base, needed)[n.argmax(), 0] > 0) or n.max() == 0


def test_atomic_tokens_in_order_are_the_reports():
    """168 primes up to 1,000, of which 125 are for training (spec E2)."""
    task = tasks.primality(1000, split="in_order")
    assert (task.d_vocab, task.n_ctx, task.n_classes) == (1001, 1, (2,))
    assert task.numbers.tolist() == list(range(1, 1001)) == task.tokens[:, 0].tolist()
    assert task.labels.tolist() == primes(task.numbers)
    assert task.numbers[task.train_mask].tolist() == list(range(1, 701))
    counts = [int(task.labels[mask].sum()) for mask in (task.train_mask, task.test_mask)]
    assert counts == [125, 43]
    # No token of a test number is in a training input.
    trained = task.tokens[task.train_mask].unique()
    assert not torch.isin(task.tokens[task.test_mask], trained).any()


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("split", ["random", "in_order"])
def test_numbers_as_digits(base, split):
    task = tasks.primality(500, base, split=split, seed=1)
    assert task.labels.tolist() == primes(range(1, 501)) and int(task.train_mask.sum()) == 350
    assert task.n_ctx == tasks.n_digits(500, base) + 1 and task.d_vocab == base + 1
    for n, row in zip(range(1, 501), task.tokens.tolist(), strict=True):
        assert row[-1] == base
        assert sum(digit * base**i for i, digit in enumerate(reversed(row[:-1]))) == n
    assert task.numbers.tolist() == list(range(1, 501))
    assert (split == "in_order") == task.train_mask[:350].all().item()


def test_rows_of_four_have_the_counts_of_the_slides():
    task = tasks.prime_rows()
    assert len(task) == 900 and task.numbers.shape == (900, 4) and int(task.labels.sum()) == 1061
    assert task.labels.sum(0).tolist() == [266, 268, 262, 265]
    assert task.labels.sum(1).bincount().tolist() == [211, 383, 247, 52, 7]
    assert task.numbers[0].tolist() == [1001, 1003, 1007, 1009]
    assert task.labels[0].tolist() == [0, 0, 0, 1]
    assert task.numbers[-1].tolist() == [9991, 9993, 9997, 9999] and not task.labels[-1].any()
    assert task.labels.flatten().tolist() == primes(task.numbers)
    assert task.tokens[0].tolist() == [1, 0, 0, 10]


@pytest.mark.parametrize(("base", "width"), [(2, 6), (6, 4), (30, 3)])
def test_rows_in_other_bases(base, width):
    task = tasks.prime_rows(base, width)
    assert task.labels.flatten().tolist() == primes(task.numbers)
    assert task.endings == tuple(d for d in range(base) if math.gcd(d, base) == 1)
    every = [n for n in range(base ** (width - 1), base**width) if math.gcd(n, base) == 1]
    assert task.numbers.flatten().tolist() == every


def test_each_of_the_four_answers_has_its_own_columns(tmp_path):
    """Answers with as many classes are told apart by the last digit."""
    run = train(
        tasks.prime_rows(),
        SMALL_MODEL,
        TrainConfig(steps=20, lr=1e-2, snapshot_every=None),
        out=tmp_path,
        progress=False,
    )
    names = [f"test_accuracy/{ending}" for ending in (1, 3, 7, 9)]
    last = run.metrics.iloc[-1]
    assert last[names].mean() == pytest.approx(last["test_accuracy"])
    assert last[names].nunique() > 1
    assert milestones.steps_by_answer(run.metrics).index.tolist() == [1, 3, 7, 9]
    restored = Run.load(tmp_path).task
    assert isinstance(restored, tasks.Primality) and restored.endings == (1, 3, 7, 9)
    assert restored.numbers.equal(tasks.prime_rows().numbers)


def test_two_answers_with_as_many_classes_have_a_column_each():
    fields = {"tokens": torch.arange(4)[:, None], "train_mask": torch.arange(4) < 2, "d_vocab": 4}
    labels = torch.tensor([[0, 1], [1, 0], [1, 1], [0, 0]])
    task = tasks.Task("two", labels=labels, n_classes=(2, 2), **fields)
    assert task.answer_names == (0, 1)
    other = tasks.Task("two", labels=labels, n_classes=(2, 3), **fields)
    assert other.answer_names == (2, 3)


FRESH = {
    "decimal": tasks.fresh_primality(n_validation=100, n_test=500),
    "half is held out": tasks.fresh_primality(101, 7, n_validation=20, n_test=30),
}


@pytest.mark.parametrize("name", FRESH)
def test_fresh_numbers(name):
    """In the second, every batch would leak without rejection."""
    task = FRESH[name]
    batch = task.batch(3, 300)
    drawn = {name: task.numbers(each) for name, each in {**task.held_out, "batch": batch}.items()}
    held_out = drawn["validation"].tolist() + drawn["test"].tolist()
    n_held_out = task.params["n_validation"] + task.params["n_test"]
    assert len(set(held_out)) == len(held_out) == n_held_out
    assert not set(held_out) & set(drawn["batch"].tolist())
    for sequences in (batch, task.test):
        numbers = task.numbers(sequences)
        assert sequences.labels[:, -1].tolist() == primes(numbers)
        assert (sequences.labels[:, :-1] == -1).all()
        assert (sequences.tokens[:, -1] == task.base).all()
        assert numbers.min() > 0 and numbers.max() < task.limit
        spelled = tasks.to_digits(numbers, task.base, tasks.n_digits(task.limit - 1, task.base))
        assert sequences.tokens[:, :-1].equal(spelled)
    assert batch.tokens.equal(task.batch(3, 300).tokens)
    assert not batch.tokens.equal(task.batch(4, 300).tokens)
    # The stream is frozen: a stored run must mean the same numbers in every version.
    assert drawn["batch"][:3].tolist() == FROZEN[name]


FROZEN = {"decimal": [384872, 70646, 67295], "half is held out": [95, 31, 90]}


def test_a_run_on_fresh_numbers_restores_its_task(tmp_path):
    task = tasks.fresh_primality(1000, n_validation=50, n_test=50)
    training = TrainConfig(steps=12, batch_size=16, snapshot_every=None)
    run = train(task, SMALL_MODEL, training, out=tmp_path, progress=False)
    assert run.config.model.d_vocab_out == 2
    whole, token = (run.metrics[f"validation_{name}accuracy"] for name in ("", "token_"))
    assert whole.tolist() == pytest.approx(token.tolist())
    restored = Run.load(tmp_path).task
    assert restored.batch(5, 20).tokens.equal(task.batch(5, 20).tokens)
    about = task.about()
    for changes, message in (
        ({"n_test": 10**12}, "the stored test numbers must have the shape"),
        ({"limit": 10**6}, "the stored validation numbers must have the shape"),
        ({"seed": 1}, "the stored validation and test numbers are not those that the task's"),
    ):
        changed = {**about, "params": {**about["params"], **changes}}
        with pytest.raises(ValueError, match=re.escape(message)):
            tasks.restore(changed, task.tensors())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tasks.primality(0), "n must be an integer of at least 1, got 0"),
        (lambda: tasks.primality(100, 1), "base must be an integer of at least 2, got 1"),
        (lambda: tasks.primality(100, True), "base must be an integer of at least 2, got True"),
        (lambda: tasks.primality(2), "the 1 training inputs of 2 must have primes and other"),
        (lambda: tasks.primality(10, split="in_order"), "the 3 test inputs of 10 must have"),
        (lambda: tasks.primality(100, frac_train=1.5), r"must be a number in \(0, 1\], got 1.5"),
        (lambda: tasks.primality(100, seed=-1), "seed must be an integer in 0"),
        (lambda: tasks.prime_rows(1), "base must be an integer of at least 2, got 1"),
        (lambda: tasks.prime_rows(10, 1), "width must be an integer of at least 2, got 1"),
        (lambda: tasks.fresh_primality(4), "limit must be an integer in 5 .. 10.8, got 4"),
        (lambda: tasks.fresh_primality(100, n_test=50), "must be at least 1 and leave half of the"),
        (lambda: tasks.fresh_primality(base=1), "base must be an integer of at least 2, got 1"),
        (lambda: tasks.fresh_primality(seed=2**32), "seed must be an integer in 0"),
        (lambda: tasks.to_digits(torch.tensor([3, 100]), 10, 2), "100 does not fit 2 digits"),
        (lambda: tasks.to_digits(torch.tensor([-1]), 10, 2), "-1 does not fit 2 digits in base 10"),
        (lambda: tasks.from_digits(torch.tensor([3, 10]), 10), "digits in base 10 are 0 .. 9, got"),
        (lambda: tasks.n_digits(-1, 10), "must be an integer of at least 0, got -1"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
