"""Power et al.'s operations, against their formulas written out."""

import json

import pytest
import torch

from interp_utils import tasks
from interp_utils.tasks.polynomials import polynomial

P = 11
FORMULAS = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a b": lambda a, b: a * b,
    "a^2 + b^2": lambda a, b: a**2 + b**2,
    "a^2 - b^2": lambda a, b: a**2 - b**2,
    "a^2 + a b + b^2": lambda a, b: a**2 + a * b + b**2,
    "a^2 + a b + b^2 + a": lambda a, b: a**2 + a * b + b**2 + a,
    "a^3 + a b": lambda a, b: a**3 + a * b,
    "a^3 + a b^2 + b": lambda a, b: a**3 + a * b**2 + b,
    "-3 a^10b + 12 b a^2 - 4 + b - 2 b": lambda a, b: -3 * a**10 * b + 12 * b * a**2 - 4 - b,
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_polynomial_is_its_formula_at_every_pair(formula):
    task = tasks.modular_polynomial(P, formula)
    numbers = [(a, b) for a in range(P) for b in range(P)]
    assert task.tokens[:, :2].tolist() == [list(pair) for pair in numbers]
    assert task.labels.tolist() == [FORMULAS[formula](a, b) % P for a, b in numbers]
    assert task.train_mask.equal(tasks.modular_addition(P).train_mask)


def test_a_polynomial_states_the_sums_that_it_is():
    """Those without a term in both; that they are sums the task itself checks."""
    sums = {f for f in FORMULAS if tasks.modular_polynomial(P, f).operation is not None}
    assert sums == {"a + b", "a - b", "a^2 + b^2", "a^2 - b^2"}
    one = tasks.modular_polynomial(P, "a - b + 3").as_sums()
    n = torch.arange(P)
    assert one.labels.view(P, P).equal((n[:, None] + n) % P)


def test_quotients_are_undone_by_their_product():
    task = tasks.modular_quotient(P, 0.5, seed=3)
    assert task.grid == (P, P - 1) and len(task) == P * (P - 1)
    a, b, equals = task.tokens.unbind(1)
    assert (task.labels * b % P).equal(a) and b.min() == 1 and set(equals.tolist()) == {P}
    assert task.operation is None and task.train_mask.sum() == P * (P - 1) // 2
    restored = tasks.restore(json.loads(json.dumps(task.about())), task.tensors())
    assert restored.labels.equal(task.labels)


def test_quotients_of_numbers_with_a_logarithm_are_differences():
    """Which is what their docstring says of the pairs without 0."""
    log, quotient = tasks.modular.discrete_logarithm(P), tasks.modular_quotient(P)
    a, b = quotient.tokens[:, 0], quotient.tokens[:, 1]
    kept = a > 0
    assert log[quotient.labels[kept]].equal((log[a] - log[b])[kept] % (P - 1))
    assert (quotient.labels[~kept] == 0).all()


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("", "an empty formula"),
        ("a * b", r"cannot be read from '\* b'"),
        ("a + c", r"cannot be read from '\+ c'"),
        ("a ^ 2", r"cannot be read from '\^ 2'"),
        ("a^-1", r"cannot be read from '\^-1'"),
    ],
)
def test_what_is_no_polynomial_is_refused(formula, message):
    with pytest.raises(ValueError, match=message):
        polynomial(formula)


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(ValueError, match=r"needs an odd prime p, got 9"):
        tasks.modular_quotient(9)


def test_a_layout_and_training_pairs_are_taken():
    layout = tasks.Layout(["b", "a", 12], d_vocab=13)
    task = tasks.modular_polynomial(P, "a^2 b", layout=layout, train=[[1, 2], [3, 4]])
    assert task.tokens[1 * P + 2].tolist() == [2, 1, 12] and task.labels[1 * P + 2] == 2
    assert task.train_mask.nonzero()[:, 0].tolist() == [1 * P + 2, 3 * P + 4]
    assert task.params == {"p": P, "formula": "a^2 b", "train": "given"}
