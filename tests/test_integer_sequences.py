"""Integer sequences: each is what its kind says, nothing held out is trained on under any constant
or from any term on, and an encoder that reads both ways is trained and read as stated.
"""

import functools
import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pytest
import sympy
import torch

from interp_utils import CachedModel, ModelConfig, Run, TrainConfig, tasks, train
from interp_utils.models import sequence_logits_fn
from interp_utils.tasks import QUESTIONS, SEQUENCE_KINDS, integer_generators
from interp_utils.tasks.integer_generators import BASES, RECURRENCES, catalogue

N, LIMIT = 8, 50
TASK = tasks.integer_sequences(seed=1, n_validation=80, n_test=400)


def normal(terms) -> tuple[int, ...]:
    return tuple(int(term) - int(min(terms)) for term in terms)


def of_kind(name: str, n: int = 150) -> list[tuple[tuple[int, ...], int]]:
    """Sequences of a kind, with their varieties."""
    found = catalogue(N, 2 * LIMIT)
    rows = np.flatnonzero(found.kind == SEQUENCE_KINDS.index(name))
    rows = np.random.RandomState(0).permutation(rows)[:n]
    return [(tuple(found.terms[row].tolist()), int(found.variety[row])) for row in rows]


def polynomial(terms, degree):
    x = sympy.Symbol("x")
    return sympy.degree(sympy.interpolate(list(enumerate(terms)), x), x) == degree


def periodic(terms, period):
    repeats = [all(terms[i] == terms[i + T] for i in range(N - T)) for T in range(1, period + 1)]
    return repeats == [False] * (period - 1) + [True] and 2 <= period <= N // 2


def modular(terms, variety):
    ups, downs = (
        {b - a for a, b in itertools.pairwise(terms) if (b > a) == up} for up in (True, False)
    )
    if not len(ups) == len(downs) == 1:
        return False
    return max(terms) < ups.pop() - downs.pop()  # k - (k - m) = m


PRIMES = list(sympy.primerange(40_000))
GAPS = {tuple(b - a for a, b in itertools.pairwise(PRIMES[i : i + N])) for i in range(4300)}


def prime(terms, variety):
    return tuple(b - a for a, b in itertools.pairwise(terms)) in GAPS


def recurrence(terms, variety):
    d, (u, v) = [b - a for a, b in itertools.pairwise(terms)], RECURRENCES[variety]
    return all(d[i] == u * d[i - 1] + v * d[i - 2] for i in range(2, N - 1))


def bounded(terms, falls):
    terms = terms[::-1] if falls else terms
    rises = [b - a for a, b in itertools.pairwise(terms) if b != a]
    constant = (terms[1] == 0, terms[-2] == terms[-1] == max(terms))
    return all(constant) and len({*rises[:-1]}) <= 1 and rises[-1] <= rises[0]


@functools.cache
def exponentials():
    return {
        (10 * p + q, normal([math.floor(Fraction(a, 16) * Fraction(p, q) ** i) for i in range(N)]))
        for p, q in BASES
        for a in range(-1600, 1601)
    }


@functools.cache
def waves():
    return {
        normal([round(A * math.cos(math.tau * (8 * i / eighths + k / 12))) for i in range(N)])
        for A in range(3, 51)
        for eighths in range(36, 88)
        for k in range(12)
    }


LITERAL = {
    "polynomial": polynomial,
    "exponential": lambda terms, base: (base, terms) in exponentials(),
    "periodic": periodic,
    "modular": modular,
    "prime": prime,
    "recurrence": recurrence,
    "bounded": bounded,
    "trigonometric": lambda terms, variety: terms in waves(),
}


@pytest.mark.parametrize("name", SEQUENCE_KINDS)
def test_every_sequence_is_what_its_kind_says(name):
    for terms, variety in of_kind(name):
        assert LITERAL[name](terms, variety), terms
        assert terms == normal(terms) and 0 < max(terms) <= 2 * LIMIT


@pytest.mark.parametrize("name", SEQUENCE_KINDS)
def test_and_nothing_that_the_terms_tell_of_another(name):
    """No sequence is also a polynomial of a low degree, a cycle, or a recurrence."""
    for terms, _ in of_kind(name):
        as_polynomial = any(polynomial(terms, degree) for degree in (0, 1, 2, 3))
        as_cycle = any(periodic(terms, period) for period in (2, 3, 4))
        as_recurrence = any(recurrence(terms, place) for place in range(len(RECURRENCES)))
        told = {"polynomial": as_polynomial, "periodic": as_cycle, "recurrence": as_recurrence}
        assert [kind for kind, holds in told.items() if holds] == [name] * (name in told)


def test_no_sequence_is_there_twice():
    found = catalogue(N, 2 * LIMIT)
    assert len({*map(tuple, found.terms.tolist())}) == len(found.terms)
    of_rules = {*zip(found.rule.tolist(), found.kind.tolist(), found.variety.tolist(), strict=True)}
    assert len(of_rules) == len({*found.rule.tolist()})


def test_what_two_rules_make_is_left_out(monkeypatch):
    """0, 1, 2, ... of two kinds is of neither, and so is what two rules of one kind make."""
    line, other = np.arange(N)[None], np.array([[0, 1, 0, 5, 0, 0, 2, 0]])
    twice = np.array([[0, 3, 1, 1, 0, 0, 2, 0]])

    def polynomial(n, span):
        yield (1, 1), line

    def exponential(n, span):
        yield (1, 1), np.concatenate([line, other, twice, other])
        yield (1, 2), twice

    monkeypatch.setattr(integer_generators, "GENERATORS", (polynomial, exponential))
    found = catalogue.__wrapped__(N, 100)
    assert found.terms.tolist() == [*line.tolist(), *other.tolist()]  # the line has its kind alone
    assert found.kind.tolist() == [0, 1] and found.rule.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("terms", "degree", "period", "follows"),
    [
        ([5, 5, 5, 5, 5, 5], 0, 1, True),
        ([1, 3, 5, 7, 9, 11], 1, 6, False),
        ([0, 1, 4, 9, 16, 25], 2, 6, False),
        ([0, 1, 8, 27, 64, 125], 3, 6, False),
        ([2, 7, 1, 2, 7, 1], 5, 3, False),
        ([2, 7, 1, 2, 7, 2], 5, 5, False),
        ([11, 12, 13, 15, 18, 23], 5, 6, True),
    ],
)
def test_degree_period_and_recurrence(terms, degree, period, follows):
    row = np.array([terms])
    assert integer_generators.degree(row).tolist() == [degree]
    assert integer_generators.least_period(row).tolist() == [period]
    assert integer_generators.follows_recurrence(row).tolist() == [follows]


def drawn(task, steps=10, size=400):
    return [task.batch(step, size) for step in range(steps)]


def sets_of(task) -> list[set[tuple[int, ...]]]:
    """All sequences that training, validation and test can have, up to a constant."""
    return [{*map(tuple, drawing.terms.tolist())} for drawing in task.drawings]


def test_no_training_makes_a_held_out_sequence_plus_any_constant():
    training, validation, test = sets_of(TASK)
    assert not training & validation and not training & test and not validation & test
    assert min(map(len, (validation, test))) > 5000
    seen = {normal(terms) for batch in drawn(TASK) for terms in TASK.terms(batch).tolist()}
    assert seen <= training and len(seen) > 1000
    assert {normal(terms) for terms in TASK.terms(TASK.test).tolist()} <= test
    assert {normal(terms) for terms in TASK.terms(TASK.validation).tolist()} <= validation


def later(name: str, terms: tuple[int, ...], variety: int) -> tuple[int, ...]:
    """The same rule, from the second term on."""
    if name == "polynomial":  # the fourth differences vanish
        new = 4 * terms[-1] - 6 * terms[-2] + 4 * terms[-3] - terms[-4]
    elif name == "periodic":
        new = terms[-variety]
    else:
        u, v = RECURRENCES[variety]
        new = terms[-1] + u * (terms[-1] - terms[-2]) + v * (terms[-2] - terms[-3])
    return normal((*terms[1:], new))


@pytest.mark.parametrize("name", ["polynomial", "periodic", "recurrence"])
def test_nor_one_that_is_a_held_out_one_later_on(name):
    """And what is trained on is mostly found again one term later: the test can fail."""
    training, _, test = sets_of(TASK)
    nexts = [(terms, later(name, terms, variety)) for terms, variety in of_kind(name, 4000)]
    assert not any(terms in test and after in training for terms, after in nexts)
    assert not any(terms in training and after in test for terms, after in nexts)
    kept = [after in training for terms, after in nexts if terms in training]
    assert len(kept) > 500 and np.mean(kept) > 0.5


def test_labels_are_what_the_questions_ask():
    kind_of = {
        tuple(terms): int(kind)
        for terms, kind in zip(
            catalogue(N, 2 * LIMIT).terms.tolist(), catalogue(N, 2 * LIMIT).kind, strict=True
        )
    }
    hidden, padding, first = 101, 102, 103
    starts = dict(zip(QUESTIONS, (0, 8, 10, 111), strict=True))
    counts = np.zeros(4)
    for sequences in (TASK.test, *drawn(TASK, 3)):
        all_terms = TASK.terms(sequences).tolist()
        for tokens, labels, terms in zip(
            sequences.tokens.tolist(), sequences.labels.tolist(), all_terms, strict=True
        ):
            question, own, other = QUESTIONS[tokens[0] - first], tokens[1:9], tokens[9:]
            (at,) = [place for place, label in enumerate(labels) if label != -1]
            answer, kind = labels[at] - starts[question], kind_of[normal(terms)]
            counts[tokens[0] - first] += 1
            assert all(-LIMIT <= term <= LIMIT for term in terms)
            if question in ("classification", "comparison"):
                assert at == 0 and [token - LIMIT for token in own] == terms
            else:
                # The hidden term is nowhere in the input but in its label.
                assert tokens[at] == hidden and own.count(hidden) == 1
                assert answer - LIMIT == terms[at - 1]
                assert (at == N) == (question == "continuation")
            if question == "comparison":
                assert answer == (kind == kind_of[normal(other)])
            else:
                assert other == [padding] * N
            if question == "classification":
                assert answer == kind
    assert (counts > 300).all()


def test_kinds_and_answers_come_equally_often():
    batch = TASK.batch(3, 20_000)
    classes = batch.labels[TASK.asks(batch, "classification"), 0]
    assert classes.bincount().div(len(classes)).sub(1 / 8).abs().max() < 0.02
    same = batch.labels[TASK.asks(batch, "comparison"), 0] - 8
    assert abs(same.double().mean() - 0.5) < 0.02
    asked = [TASK.asks(batch, question).double().mean().item() for question in QUESTIONS]
    assert max(abs(share - 0.25) for share in asked) < 0.02
    assert [int(TASK.asks(TASK.test, question).sum()) for question in QUESTIONS] == [100] * 4


def test_outputs_stand_side_by_side():
    ranges = [TASK.writing.outputs(question) for question in QUESTIONS]
    assert [*map(len, ranges)] == [8, 2, 101, 101]
    assert [*itertools.chain(*ranges)] == [*range(*TASK.n_classes)]
    with pytest.raises(ValueError, match="question must be one of .*got 'next'"):
        TASK.writing.outputs("next")
    with pytest.raises(ValueError, match="question must be one of .*got 'next'"):
        TASK.asks(TASK.test, "next")


def test_the_same_seed_makes_the_same_and_another_another():
    small = {"n_validation": 40, "n_test": 40}
    one, same, other = (tasks.integer_sequences(seed=seed, **small) for seed in (0, 0, 1))
    assert one.batch(3, 40).tokens.equal(same.batch(3, 40).tokens)
    assert one.test.tokens.equal(same.test.tokens)
    assert not one.test.tokens.equal(other.test.tokens)
    assert sets_of(one)[2] != sets_of(other)[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_terms": 6}, "n_terms must be an integer in 7 .. 12, got 6"),
        ({"n_terms": 8.0}, "n_terms must be an integer in 7 .. 12, got 8.0"),
        ({"limit": 500}, "limit must be an integer in 20 .. 100, got 500"),
        ({"n_test": 10}, "n_test must be a multiple of 4, got 10"),
        ({"n_validation": 0}, "n_validation must be a multiple of 4, got 0"),
        ({"seed": -1}, "seed must be an integer in 0"),
        ({"n_terms": 12, "limit": 20}, "too few to hold some out: take a larger limit"),
    ],
)
def test_impossible_tasks_say_why(arguments, message, as_a_user):
    with pytest.raises(ValueError, match=re.escape(message)):
        tasks.integer_sequences(**arguments)


def test_stored_sequences_of_another_description_are_refused():
    about, tensors = TASK.about(), TASK.tensors()
    with pytest.raises(ValueError, match="are not those that the task's description makes"):
        tasks.restore({**about, "params": {**about["params"], "seed": 2}}, tensors)
    with pytest.raises(ValueError, match="test sequences must have the shape"):
        tasks.restore({**about, "params": {**about["params"], "n_test": 10**9}}, tensors)


ENCODER = ModelConfig(
    d_model=16,
    n_heads=2,
    d_head=8,
    d_mlp=32,
    n_layers=2,
    attention="bidirectional",
    normalization="LNPre",
    biases="all",
)


def test_an_encoder_is_trained_and_read_both_ways(tmp_path):
    """HookedTransformer computes what was trained, and an answer sees what comes after it."""
    config = TrainConfig(steps=20, batch_size=64, lr=3e-3, weight_decay=0.0, snapshot_every=None)
    train(TASK, ENCODER, config, out=tmp_path / "run", progress=False)
    run = Run.load(tmp_path / "run")
    assert run.metrics["train_loss"].iloc[-1] < run.metrics["train_loss"].iloc[0] - 0.3
    asked, tokens = TASK.test.asked, TASK.test.tokens
    model = CachedModel(run.model(), run.task.test)
    trained = sequence_logits_fn(run.config.model)(run.weights(), tokens, asked)
    torch.testing.assert_close(trained, model.logits[asked], atol=1e-5, rtol=0)
    changed = tokens.clone()
    changed[:, N] = torch.where(changed[:, N] == 101, 101, (changed[:, N] + 1) % 101)
    rows = TASK.asks(TASK.test, "unmasking")
    with torch.no_grad():
        moved = (run.model()(changed[rows]) - run.model()(tokens[rows]))[asked[rows]]
    assert moved.abs().max(1).values.min() > 1e-4
