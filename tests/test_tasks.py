import dataclasses
import json
import random

import numpy as np
import pytest
import torch

from interp_utils import tasks
from interp_utils.tasks import Layout, Operand, Operation, Task
from interp_utils.tasks.splits import Split, permutation, train_mask


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
        "tokens": torch.tensor([[0, 1], [1, 1], [2, 1]]),
        "labels": torch.tensor([[0, 4], [1, 3], [0, 0]]),
        "train_mask": torch.tensor([True, False, True]),
        "n_classes": (2, 5),
        "d_vocab": 3,
        "operands": (Operand(0, torch.arange(3)), Operand(1, torch.tensor([1]))),
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
        ({"n_classes": (2,)}, ValueError, "2 columns of labels, 1 entries"),
        (
            {"tokens": torch.tensor([[0, 1], [1, 1], [3, 1]])},
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
        (
            {"operands": (Operand(0, torch.arange(2)), Operand(1, torch.tensor([1])))},
            ValueError,
            r"input 2 is \[2, 1\]: its token 2 at position 0 is not a value of operand a",
        ),
        (
            {"operands": (Operand(0, torch.arange(3)), Operand(1, torch.arange(2)))},
            ValueError,
            "a grid of 3 x 2 needs 6 inputs, got 3",
        ),
        (
            {"tokens": torch.tensor([[0, 1], [1, 1], [0, 1]])},
            ValueError,
            r"that of input 0, \[0, 1\], occurs 2 times",
        ),
        (
            {"operands": (Operand(0, torch.arange(3)), Operand(0, torch.arange(3)))},
            ValueError,
            r"two operands stand at one position: \[0, 0\]",
        ),
        (
            {"operands": (Operand(2, torch.arange(3)),)},
            ValueError,
            "operand 0 must stand at one of the positions 0 .. 1, got 2",
        ),
        (
            {"operands": (Operand(0, torch.tensor([0, 1, 1])),)},
            ValueError,
            "two values of operand 0 have the same token",
        ),
        ({"answer_pos": 2}, ValueError, "answer_pos must be a position of the 2 tokens, got 2"),
        ({"outputs": (0, 1)}, ValueError, "outputs must name 7 different outputs of 0 .. 6"),
        ({"d_vocab_out": 6}, ValueError, "7 classes need as many outputs, got d_vocab_out = 6"),
        (
            {"operation": Operation(torch.arange(3), torch.arange(3), torch.arange(3))},
            ValueError,
            "an operation needs two operands and one answer",
        ),
        ({"split_known": False}, ValueError, "train_mask marks inputs for training"),
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


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_noisy_labels_are_wrong_for_that_share_of_the_training_pairs(share):
    task = tasks.modular_addition(11, 0.5)
    noisy = tasks.noisy_labels(task, share, seed=3)
    wrong = noisy.labels != task.labels
    assert wrong.sum() == round(share * 60) and not wrong[task.test_mask].any()
    assert noisy.labels.equal(tasks.noisy_labels(task, share, seed=3).labels)
    assert noisy.operation.holds == (share == 0)
    assert noisy.params == {**task.params, "wrong_labels": share, "labels_seed": 3}


@pytest.mark.parametrize(
    ("task", "share", "message"),
    [
        (tasks.modular_addition(5), 1.1, r"must be a number in \[0, 1\], got 1.1"),
        (tasks.modular_addition(5), True, r"must be a number in \[0, 1\], got True"),
        (
            tasks.modular_addition(5, train="unknown"),
            0.1,
            "which inputs .* are for training is unknown",
        ),
        (tasks.remainders(5), 0.1, "has several answers per input"),
    ],
    ids=["share", "bool", "unknown", "answers"],
)
def test_noisy_labels_need_one_answer_and_a_known_split(as_a_user, task, share, message):
    with pytest.raises(ValueError, match=message):
        tasks.noisy_labels(task, share)


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


def test_a_wrong_operation_is_refused_with_the_first_input_that_shows_it():
    task, n = tasks.modular_addition(5), torch.arange(5)
    message = r"first at input 1: for \(a, b\) = \(0, 1\) it gives class 4, and the label is 1"
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(task, operation=Operation(n, -n % 5, n))
    with pytest.raises(ValueError, match="holds is False, but all labels are those"):
        dataclasses.replace(task, operation=Operation(n, n, n, holds=False))
    with pytest.raises(ValueError, match=r"operation.v must be 5 integers, one for each value"):
        dataclasses.replace(task, operation=Operation(n, n[:4], n))


OPERATIONS = {
    "a + b": (tasks.modular_addition(7), lambda a, b: (a + b) % 7),
    "a - b": (tasks.modular_subtraction(7), lambda a, b: (a - b) % 7),
    "3a + 5b": (tasks.linear_combination(7, 3, 5), lambda a, b: (3 * a + 5 * b) % 7),
    "x^3 + y^5 mod 11": (
        tasks.exponentiated_addition(11, 3, 7),
        lambda a, b: (a**3 + b**7) % 11,
    ),
    "a b": (tasks.modular_product(7), lambda a, b: a * b % 7),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_a_sum_in_its_coordinates(name):
    task, operation = OPERATIONS[name]
    numbers = [operand.tokens.tolist() for operand in task.operands]
    outputs = task.outputs or tuple(range(task.n_classes[0]))
    for a in range(task.grid[0]):
        for b in range(task.grid[1]):
            label = task.labels[a * task.grid[1] + b].item()
            assert outputs[label] == operation(numbers[0][a], numbers[1][b])
    sums = task.as_sums()
    m, n = task.operation.modulus, torch.arange(task.operation.modulus)
    assert sums.labels.view(m, m).equal((n[:, None] + n) % m)
    # The same inputs, with the same outputs and for training as before.
    answers = {}
    for one in (task, sums):
        columns = torch.tensor(one.outputs or range(m))[one.labels]
        for row, column, train in zip(one.tokens, columns, one.train_mask, strict=True):
            answers.setdefault(tuple(row.tolist()), []).append((int(column), bool(train)))
    assert len(answers) == m * m and all(one == other for one, other in answers.values())
    assert sums.as_sums().tokens.equal(sums.tokens)


def test_what_is_no_sum_is_refused_by_name():
    squares = tasks.exponentiated_addition(7, 2, 1)
    with pytest.raises(ValueError, match=r"cannot be written as u \+ v: u\(a\) takes 4 of the 7"):
        squares.as_sums()
    with pytest.raises(ValueError, match="remainders states no operation"):
        tasks.remainders(5).as_sums()
    with pytest.raises(ValueError, match="discrete logarithms mod p need an odd prime p, got 9"):
        tasks.modular_product(9)


def test_a_layout_is_written_as_it_says():
    layout = Layout(["a", 9, "b", 8], tokens=[3, 1, 2, 0, 4], outputs=[5, 4, 3, 2, 1], d_vocab=12)
    layout = dataclasses.replace(layout, d_vocab_out=6, answer_pos=2)
    task = tasks.modular_addition(5, layout=layout)
    names = [3, 1, 2, 0, 4]
    expected = [[names[a], 9, names[b], 8] for a in range(5) for b in range(5)]
    assert task.tokens.tolist() == expected
    assert task.grid == (5, 5) and task.p == 5
    assert [operand.position for operand in task.operands] == [0, 2]
    assert (task.d_vocab, task.d_vocab_out, task.answer_pos) == (12, 6, 2)
    assert task.labels.equal(tasks.modular_addition(5).labels)
    two = tasks.modular_addition(3, layout=Layout(tokens=([0, 1, 2], [3, 4, 5])))
    assert two.tokens[5].tolist() == [1, 5, 6] and two.d_vocab == 7


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (Layout(["a", "a", 3]), 'must have "a" and "b" once each'),
        (Layout(["a", "b", "="]), 'takes "a", "b" and tokens, got'),
        (Layout(tokens=[0, 1]), "must name 3 values of a and 3 of b, got 2 and 2"),
        (Layout(tokens=[0, 1, 1]), "two values of operand a have the same token"),
        (Layout(d_vocab=3), "tokens must be in 0 .. 2, got 0 .. 3"),
        (Layout(outputs=[0, 1, 1]), "outputs must name 3 different outputs"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_a_layout_that_makes_no_task_says_why(layout, message):
    with pytest.raises(ValueError, match=message):
        tasks.modular_addition(3, layout=layout)


@pytest.mark.usefixtures("as_a_user")
def test_what_is_no_layout_is_refused():
    with pytest.raises(TypeError, match=r"a tasks.Layout, e.g. Layout\(\['b', 'a', 3\]\), got"):
        tasks.modular_addition(3, layout=["b", "a", 3])


@pytest.mark.usefixtures("as_a_user")
def test_the_classes_of_one_answer_may_be_a_number():
    assert dataclasses.replace(tasks.modular_addition(53), n_classes=53).n_classes == (53,)


def test_rows_in_any_order_are_put_on_the_grid():
    task = tasks.modular_subtraction(5)
    order = torch.randperm(25, generator=torch.Generator().manual_seed(0))
    fields = {name: getattr(task, name)[order] for name in ("tokens", "labels", "train_mask")}
    shuffled = dataclasses.replace(task, **fields)
    assert not shuffled.tokens.equal(task.tokens)
    for one in (shuffled.a_major(), shuffled.a_major().a_major()):
        for name in fields:
            assert getattr(one, name).equal(getattr(task, name))
    assert shuffled.as_sums().tokens.equal(task.as_sums().tokens)


def test_training_pairs_are_of_numbers_where_the_numbers_begin_at_1():
    product = tasks.modular_product(5, train=[(4, 4), (2, 3)])
    assert product.tokens[product.train_mask][:, :2].tolist() == [[2, 3], [4, 4]]
    quotient = tasks.modular_quotient(5, train=[(0, 1), (3, 4)])
    assert quotient.tokens[quotient.train_mask][:, :2].tolist() == [[0, 1], [3, 4]]
    with pytest.raises(
        ValueError, match=r"\[0, 1\], which is not on the grid of 1 .. 4 and 1 .. 4"
    ):
        tasks.modular_product(5, train=[(0, 1)])


def test_training_pairs_and_a_split_are_not_both_given():
    with pytest.raises(ValueError, match="give train, or frac_train=0.5, not both"):
        tasks.modular_addition(5, 0.5, train="unknown")
    with pytest.raises(ValueError, match="split='grokking_demo'"):
        tasks.modular_product(5, split="grokking_demo", train=[(1, 1)])


def test_the_users_training_pairs_take_the_place_of_a_split():
    mask = torch.rand(25, generator=torch.Generator().manual_seed(0)) < 0.4
    for train in (mask, mask.view(5, 5), mask.view(5, 5).nonzero(), mask.view(5, 5).numpy()):
        assert tasks.modular_addition(5, train=train).train_mask.equal(mask)
    columns = mask.view(5, 5).nonzero().unbind(1)
    for train in (columns, tuple(column.numpy() for column in columns)):
        assert tasks.modular_addition(5, train=train).train_mask.equal(mask)
    with pytest.raises(ValueError, match=r"may be the pairs \[0, 1\] and \[2, 3\], or these as a"):
        tasks.modular_addition(5, train=(torch.tensor([0, 1]), torch.tensor([2, 3])))
    unknown = tasks.modular_addition(5, train="unknown")
    assert not unknown.train_mask.any()
    with pytest.raises(
        ValueError, match="which inputs of modular_addition were for training is un"
    ):
        unknown.test_mask  # noqa: B018
    with pytest.raises(ValueError, match=r"the pair \[5, 0\], which is not on the grid"):
        tasks.modular_addition(5, train=[[5, 0]])
    with pytest.raises(
        ValueError, match=r"a mask of 25 pairs, pairs \(a, b\) of shape \(k, 2\), or"
    ):
        tasks.modular_addition(5, train=torch.ones(24, dtype=torch.bool))


@pytest.mark.parametrize(
    "task",
    [
        tasks.modular_addition(5, layout=Layout(["a", 6, "b", 5], answer_pos=3)),
        tasks.random_labels(tasks.modular_addition(5)),
        tasks.modular_product(7),
        tasks.exponentiated_addition(5, 2, 3),
        tasks.remainders(5, masked=[2]),
        tasks.modular_addition(5, train="unknown"),
        tasks.sorting(9, (1, 3), n_validation=5, n_test=5),
        tasks.primality(20),
        tasks.primality(20, base=6, split="in_order"),
        tasks.prime_rows(6, 3),
        tasks.fresh_primality(200, base=3, n_validation=5, n_test=5),
        tasks.gcd(6, 90, separators=True, n_validation=5, n_test=5, n_gcds=9, per_gcd=3),
        tasks.integer_sequences(n_validation=4, n_test=8),
    ],
    ids=lambda task: task.name,
)
def test_a_stored_task_comes_back_whole(task):
    about = json.loads(json.dumps(task.about()))
    restored = tasks.restore(about, task.tensors())
    assert type(restored) is type(task) and json.loads(json.dumps(restored.about())) == about
    assert restored.tensors().keys() == task.tensors().keys()
    assert all(own.equal(task.tensors()[name]) for name, own in restored.tensors().items())


def test_a_stored_task_is_read_by_its_kind_whatever_its_name():
    task = dataclasses.replace(tasks.modular_addition(5), name="sorting")
    assert type(tasks.restore(task.about(), task.tensors())) is Task
    with pytest.raises(ValueError, match="of the kind 'phasor', and .* are known: import the"):
        tasks.restore({**task.about(), "kind": "phasor"}, task.tensors())
    with pytest.raises(
        ValueError, match="the kind 'table' belongs to interp_utils.tasks.task.Task"
    ):
        type("Other", (Task,), {"kind": "table"})


NUMPY = {
    "modular_addition": ({"p": 7, "frac_train": 0.5, "seed": 1}, {}),
    "modular_subtraction": ({"p": 7, "seed": 1}, {}),
    "linear_combination": ({"p": 7, "alpha": 2, "beta": 3}, {}),
    "modular_product": ({"p": 7, "frac_train": 0.5}, {}),
    "exponentiated_addition": ({"p": 7, "a": 2, "b": 3}, {}),
    "remainders": ({"p": 7, "seed": 2}, {"masked": [3]}),
    "sorting": ({"n_values": 16, "seed": 3, "n_test": 5, "n_validation": 5}, {"length": (2, 4)}),
}


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, "scalar"])
@pytest.mark.parametrize("name", NUMPY)
def test_numbers_of_numpy_and_torch_are_numbers(name, kind):
    """And are stored as Python's."""
    numbers, several = NUMPY[name]
    convert = (lambda value: np.asarray(value)[()]) if kind == "scalar" else kind
    made = getattr(tasks, name)
    given = {key: convert(value) for key, value in numbers.items()}
    given |= {key: type(v)(convert(value) for value in v) for key, v in several.items()}
    assert type(given[next(iter(given))]) is not int
    task, expected = made(**given), made(**numbers, **several)
    assert json.dumps(task.about()) == json.dumps(expected.about())
    assert all(own.equal(expected.tensors()[key]) for key, own in task.tensors().items())


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("value", [True, np.True_, np.array([7]), 7.0])
def test_what_is_no_integer_is_no_modulus(value):
    with pytest.raises(ValueError, match="p must be an integer of at least 2"):
        tasks.modular_addition(value)


@pytest.mark.parametrize(
    "task",
    [
        tasks.sorting(8, (2, 3), n_validation=5, n_test=5),
        tasks.gcd(6, 900, n_validation=5, n_test=5, n_gcds=3, per_gcd=2),
        tasks.fresh_primality(100, n_validation=5, n_test=5),
        tasks.integer_sequences(n_validation=4, n_test=4),
    ],
    ids=lambda task: task.name,
)
def test_a_stream_is_described_by_its_fields(task):
    """Otherwise a run would go on with other data than those that it began with."""
    assert task.restore(task.about(), task.tensors()).about() == task.about()
    changed = dataclasses.replace(task, seed=task.seed + 1)
    assert changed.about()["params"] == {**task.about()["params"], "seed": task.seed + 1}
    with pytest.raises(ValueError, match="are not those that the task's description makes"):
        task.restore(changed.about(), changed.tensors())
