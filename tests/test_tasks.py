import random

import pytest
import torch

from interp_utils import tasks
from interp_utils.tasks import Task
from interp_utils.tasks.grid import Split, permutation, train_mask


@pytest.mark.parametrize("p", [2, 3, 4, 10, 13])
def test_modular_addition_is_every_pair_once_a_major(p):
    task = tasks.modular_addition(p, frac_train=0.5)
    expected = [(a, b, p) for a in range(p) for b in range(p)]
    assert [tuple(row) for row in task.tokens.tolist()] == expected
    assert task.labels.tolist() == [(a + b) % p for a, b, _ in expected]
    assert task.train_mask.sum() == p * p // 2
    assert (task.n_classes, task.d_vocab, task.grid) == ((p,), p + 1, (p, p))


def test_grokking_demo_split_is_the_published_one():
    first = permutation(113 * 113, 598, "grokking_demo")[:5]
    assert [(int(n) // 113, int(n) % 113) for n in first] == [
        (21, 31),
        (30, 98),
        (47, 10),
        (86, 21),
        (99, 83),
    ]
    assert tasks.modular_addition(113, split="grokking_demo").train_mask[first].all()


def test_paper_split_is_the_released_codes():
    pairs = [(i, j, 113) for i in range(113) for j in range(113)]
    random.seed(0)
    random.shuffle(pairs)
    task = tasks.modular_addition(113, frac_train=0.3, split="paper")
    train, test = task.tokens[task.train_mask], task.tokens[task.test_mask]
    assert (len(train), len(test)) == (3830, 8939)
    assert {tuple(row) for row in train.tolist()} == set(pairs[:3830])


def test_default_split_never_changes():
    """Frozen once: a run must mean the same pairs in every version."""
    assert permutation(9, 0, "random").tolist() == [7, 2, 1, 4, 8, 6, 3, 0, 5]
    assert not train_mask(400, 0.5, 0, "random").equal(train_mask(400, 0.5, 1, "random"))


@pytest.mark.usefixtures("as_a_user")  # beartype draws from `random`
@pytest.mark.parametrize("split", Split.__args__)
def test_splits_leave_global_random_state_alone(split):
    before = torch.get_rng_state(), random.getstate()
    tasks.modular_addition(11, split=split)
    assert before[0].equal(torch.get_rng_state()) and before[1] == random.getstate()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"p": 1}, "p must be an integer of at least 2, got 1"),
        ({"p": 7.0}, "p must be an integer of at least 2, got 7.0"),
        ({"p": 7, "frac_train": 0.0}, r"frac_train must be a number in \(0, 1\], got 0.0"),
        ({"p": 7, "frac_train": 1.1}, r"frac_train must be a number in \(0, 1\], got 1.1"),
        ({"p": 7, "frac_train": float("nan")}, r"frac_train must be a number in \(0, 1\], got nan"),
        ({"p": 7, "frac_train": 0.01}, "leaves none for training; it must be at least 0.02"),
        ({"p": 7, "seed": -1}, "seed must be an integer in 0 .. 2\\^32 - 1, got -1"),
        ({"p": 7, "split": "sorted"}, "split must be one of .*'grokking_demo'.*, got 'sorted'"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        tasks.modular_addition(**arguments)


def test_all_pairs_for_training_is_allowed():
    assert tasks.modular_addition(5, frac_train=1.0).test_mask.sum() == 0


def make_task(**changes) -> Task:
    fields = {
        "name": "t",
        "tokens": torch.tensor([[0, 1], [1, 1], [2, 0]]),
        "labels": torch.tensor([[0, 4], [1, 3], [0, 0]]),
        "train_mask": torch.tensor([True, False, True]),
        "n_classes": (2, 5),
        "d_vocab": 3,
        "grid": (3, 1),
    }
    return Task(**{**fields, **changes})


def test_several_label_columns_and_any_two_operand_ranges():
    task = make_task()
    assert task.labels.shape == (3, 2) and task.test_mask.tolist() == [False, True, False]
    assert task.to("cpu").labels.equal(task.labels)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"labels": torch.tensor([[0, 5], [1, 3], [0, 0]])},
            ValueError,
            r"labels of column 1 must be in 0 .. 4, got 0 .. 5",
        ),
        ({"n_classes": (2,)}, ValueError, "2 columns, 1 entries"),
        (
            {"tokens": torch.tensor([[0, 1], [1, 1], [3, 0]])},
            ValueError,
            r"tokens must be in 0 .. 2, got 0 .. 3",
        ),
        (
            {"tokens": torch.tensor([0, 1, 2])},
            ValueError,
            r"Task.tokens must have 2 axes, got shape \(3,\)",
        ),
        (
            {"tokens": torch.rand(3, 2)},
            TypeError,
            "Task.tokens must be torch.int64, got torch.float32",
        ),
        ({"train_mask": torch.tensor([True, False])}, ValueError, "got 3, 3 and 2 rows"),
        ({"train_mask": torch.zeros(3, dtype=torch.bool)}, ValueError, "no input for training"),
        ({"grid": (2, 2)}, ValueError, "a grid of 2 x 2 pairs needs 4 inputs, got 3"),
    ],
)
def test_tensors_that_do_not_fit_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        make_task(**changes)


def test_random_labels_keep_all_but_what_there_is_to_learn():
    task = tasks.modular_addition(11)
    control = tasks.random_labels(task, seed=3)
    assert control.labels.sort().values.equal(task.labels.sort().values)
    assert (control.labels == task.labels).float().mean() < 0.3
    assert control.tokens is task.tokens and control.train_mask is task.train_mask
    assert control.labels.equal(
        tasks.random_labels(task, seed=3).labels
    ) and not control.labels.equal(tasks.random_labels(task).labels)
    assert control.params == {**task.params, "labels_seed": 3}


@pytest.mark.parametrize(
    ("p", "a", "b"), [(113, 1, 1), (113, 7, 7), (101, 9, 8), (10, 2, 3), (2, 1, 5), (13, 10**30, 4)]
)
def test_exponentiated_labels_are_pythons(p, a, b):
    task = tasks.exponentiated_addition(p, a, b)
    assert task.labels.tolist() == [
        (pow(x, a, p) + pow(y, b, p)) % p for x in range(p) for y in range(p)
    ]
    assert (
        task.n_classes == (p,)
        and task.grid == (p, p)
        and task.params["a"] == a
        and task.params["b"] == b
    )
    assert task.tokens.equal(tasks.modular_addition(p).tokens)


def test_exponents_of_one_are_modular_addition():
    one, plain = (
        tasks.exponentiated_addition(17, 1, 1, 0.4, seed=3),
        tasks.modular_addition(17, 0.4, seed=3),
    )
    assert one.labels.equal(plain.labels) and one.train_mask.equal(plain.train_mask)


def test_powers_of_a_bijection_and_of_another_exponent():
    assert sorted(tasks.powers(113, 3).tolist()) == list(range(113))  # 3 does not divide 112
    assert len(set(tasks.powers(113, 7).tolist())) == 1 + 112 // 7


@pytest.mark.parametrize("exponent", [0, -1, 1.5])
def test_exponents_that_make_no_task(exponent, as_a_user):
    with pytest.raises(ValueError, match="an exponent must be an integer of at least 1, got"):
        tasks.exponentiated_addition(7, exponent, 1)
