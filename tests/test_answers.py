"""Packed logits against separate answers, input by input in Python floats; ablations of a planted
model.
"""

import math
from functools import partial

import numpy as np
import pytest
import torch

from interp_utils.analysis import answers
from interp_utils.losses import cross_entropy
from tests.planted import random, remainder_logits, remainder_task


@pytest.fixture(scope="module", params=[11, 12])
def task(request):
    return remainder_task(request.param)


@pytest.fixture(scope="module")
def logits(task):
    return random(*task.grid, sum(task.n_classes))


def literal(task, logits):
    """(loss, whether it is right), by input and answer."""
    rows = []
    for row, labels in zip(logits.flatten(0, 1).tolist(), task.labels.tolist(), strict=True):
        start, found = 0, []
        for q, label in zip(task.n_classes, labels, strict=True):
            own = row[start : start + q]
            found.append(
                (
                    math.log(sum(math.exp(x) for x in own)) - own[label],
                    max(range(q), key=own.__getitem__) == label,
                )
            )
            start += q
        rows.append(found)
    return torch.tensor(rows, dtype=torch.float64).unbind(-1)


def test_losses_and_accuracies_are_those_of_separate_answers(task, logits):
    losses, right = literal(task, logits)
    assert torch.allclose(answers.losses(logits, task.labels, task.n_classes), losses)
    assert torch.allclose(answers.mean_losses(logits, task.labels, task.n_classes), losses.mean(0))
    assert torch.allclose(answers.accuracies(logits, task.labels, task.n_classes), right.mean(0))
    test = task.test_mask
    assert torch.allclose(
        answers.mean_losses(logits, task.labels, task.n_classes, mask=test), losses[test].mean(0)
    )
    by_input = logits.flatten(0, 1)
    assert torch.allclose(
        answers.accuracies(by_input, task.labels, task.n_classes, mask=test), right[test].mean(0)
    )
    assert not torch.allclose(losses[test].mean(0), losses.mean(0))


def test_planted_answers_are_read_and_equal_logits_cost_ln_q(task):
    planted = remainder_logits(task.labels, task.n_classes)
    assert answers.predictions(planted, task.n_classes).equal(task.labels)
    assert answers.predictions(planted.unflatten(0, task.grid), task.n_classes).shape == (
        *task.grid,
        len(task.n_classes),
    )
    flat = answers.mean_losses(torch.zeros_like(planted), task.labels, task.n_classes)
    assert torch.allclose(flat, torch.tensor(task.n_classes).double().log())


@pytest.mark.usefixtures("as_a_user")
def test_one_answer_has_no_answer_axis_and_its_number_of_classes_may_be_said(task):
    logits, labels = random(7, 7, 53), torch.arange(49) % 53
    loss, accuracy = answers.mean_loss(logits, labels), answers.accuracy(logits, labels)
    rows = torch.log_softmax(logits.flatten(0, 1), 1)
    assert loss == pytest.approx(-rows[torch.arange(49), labels].mean().item(), rel=1e-12)
    assert accuracy == (rows.argmax(1) == labels).double().mean().item()
    for n_classes in (None, 53, np.int64(53), (53,)):
        assert answers.mean_losses(logits, labels, n_classes).item() == loss
        assert answers.accuracies(logits, labels, n_classes).item() == accuracy
        assert answers.losses(logits, labels, n_classes).shape == (49,)
        assert cross_entropy(logits.flatten(0, 1), labels, n_classes).mean().item() == loss
    for n_classes in (None, 53):
        assert answers.predictions(logits, n_classes).shape == (7, 7)
    matrix = answers.ablation_matrix([lambda: logits], labels, 53, progress=False)
    assert matrix.tolist() == [accuracy]


def test_zero_padding_counts_answers_without_a_positive_logit_as_wrong():
    """At random it takes a quarter off the two-class answer, 0.375 instead of 0.5, and nothing off
    the widest.
    """
    n_classes, n = (2, 3, 5), 40_000
    logits = random(n, 10)
    labels = torch.stack([torch.arange(n) % q for q in n_classes], 1)
    padded = torch.zeros(n, 3, 5, dtype=torch.float64)
    for answer, part in enumerate(logits.split(n_classes, 1)):
        padded[:, answer, : part.shape[1]] = part
    expected = (padded.argmax(-1) == labels).double().mean(0)
    found = answers.accuracies(logits, labels, n_classes, zero_padded=True)
    assert torch.allclose(found, expected)
    assert found[0].item() == pytest.approx(0.375, abs=0.01)
    flat = answers.predictions(logits, n_classes, zero_padded=True)
    on_grid = answers.predictions(logits[:, None], n_classes, zero_padded=True)
    assert on_grid.squeeze(1).equal(flat), "whatever the axes are"
    usual = answers.accuracies(logits, labels, n_classes)
    assert usual[0].item() == pytest.approx(0.5, abs=0.01) and usual[2] == found[2]


def test_ablation_matrix_has_a_row_for_each_component(task):
    planted = remainder_logits(task.labels, task.n_classes)

    def without(answer):
        """The logits of one answer, set to prefer class 0."""
        columns = list(planted.clone().split(task.n_classes, 1))
        columns[answer] = torch.zeros_like(columns[answer])
        columns[answer][:, 0] = 1
        return torch.cat(columns, 1)

    every = range(len(task.n_classes))
    matrix = answers.ablation_matrix(
        [partial(without, answer) for answer in every], task.labels, task.n_classes
    )
    expected = torch.ones(len(every), len(every), dtype=torch.float64)
    for answer in every:
        expected[answer, answer] = (task.labels[:, answer] == 0).double().mean()
    assert torch.allclose(matrix, expected)
    losses = answers.ablation_matrix(
        [partial(without, 1)], task.labels, task.n_classes, mask=task.test_mask, measure="loss"
    )
    assert torch.allclose(
        losses[0], answers.mean_losses(without(1), task.labels, task.n_classes, mask=task.test_mask)
    )


def test_what_does_not_fit_is_refused(task, logits, as_a_user):
    with pytest.raises(ValueError, match="answers of .* classes need 52 logits .*, got 53"):
        answers.mean_losses(random(9, 53), torch.arange(9), 52)
    with pytest.raises(ValueError, match="of 5 answers: pass n_classes, the number of classes"):
        answers.losses(random(9, 53), torch.zeros(9, 5, dtype=torch.long))
    found = f"logits side by side, got {logits.shape[-1] - 1}$"
    with pytest.raises(ValueError, match=f"answers of .* classes need .* {found}"):
        answers.split(logits[..., :-1], task.n_classes)
    with pytest.raises(
        ValueError,
        match=r"answers need labels of shape \(inputs, .*one answer has labels of shape",
    ):
        answers.accuracies(logits, task.labels[:, :1], task.n_classes)
    for of_one in (answers.mean_loss, answers.accuracy):
        with pytest.raises(ValueError, match="are of several answers: use answers.mean_losses"):
            of_one(logits, task.labels)
    with pytest.raises(ValueError, match="the mask selects no input"):
        answers.mean_losses(
            logits, task.labels, task.n_classes, mask=torch.zeros(len(task), dtype=torch.bool)
        )
    with pytest.raises(ValueError, match="must have one row per input"):
        answers.mean_losses(logits, task.labels, task.n_classes, mask=task.test_mask[1:])
    with pytest.raises(ValueError, match="measure must be one of"):
        answers.ablation_matrix([lambda: logits], task.labels, task.n_classes, measure="nats")
