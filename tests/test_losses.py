import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from interp_utils.losses import (
    cross_entropy,
    cross_entropy_float64,
    cross_entropy_log_softmax,
    stablemax_cross_entropy,
)


def exact(logits, labels):
    """log(1 + sum over the other classes of exp(logit_j - logit_y)) in float64, one input at a
    time.
    """
    losses = []
    for row, label in zip(logits.double(), labels.tolist(), strict=True):
        others = torch.cat([row[:label], row[label + 1 :]])
        losses.append(torch.nn.functional.softplus(others.logsumexp(0) - row[label], threshold=1e6))
    return torch.stack(losses)


def relative_error(value, reference):
    return ((value.double() - reference).abs() / reference.abs()).max().item()


def logits_at_margin(margin, n=64, classes=113, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, classes, generator=generator)
    labels = torch.randint(classes, (n,), generator=generator)
    logits[torch.arange(n), labels] = logits.max(1).values + margin
    return logits, labels


@pytest.mark.parametrize("margin", [-60.0, -20.0, -1.0, 0.0, 1.0, 10.0, 30.0, 40.0, 60.0])
def test_value_and_gradient_keep_five_digits_in_float32(margin):
    logits, labels = logits_at_margin(margin)
    reference_logits = logits.double().requires_grad_()
    reference = exact(reference_logits, labels)
    reference.mean().backward()
    logits.requires_grad_()
    losses = cross_entropy(logits, labels)
    losses.mean().backward()
    assert relative_error(losses, reference) < 1e-5
    large = reference_logits.grad.abs() > 1e-36  # below are float32's denormals
    assert large.any()
    assert relative_error(logits.grad[large], reference_logits.grad[large]) < 1e-5


def test_float64_log_softmax_has_no_digits_left_at_margin_40():
    """Why the default is not the published loss."""
    logits, labels = logits_at_margin(45.0)
    assert relative_error(cross_entropy_float64(logits, labels), exact(logits, labels)) > 0.5
    assert relative_error(cross_entropy(logits, labels), exact(logits, labels)) < 1e-5


def test_log_softmax_is_torchs_in_the_precision_of_the_logits():
    logits, labels = logits_at_margin(5.0)
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    assert cross_entropy_log_softmax(logits, labels).equal(expected)
    double = cross_entropy_log_softmax(logits.double(), labels)
    assert double.equal(cross_entropy_float64(logits, labels))


def test_float32_log_softmax_forgets_the_label_and_not_the_others():
    """Gradients that ought to sum to zero do not: what makes losses spike."""
    logits = torch.tensor([[20.0, 0.0]]).requires_grad_()
    loss = cross_entropy_log_softmax(logits, torch.tensor([0]))
    loss.sum().backward()
    assert loss.item() == 0 and logits.grad[0].tolist() == pytest.approx([0, math.exp(-20)])
    logits.grad = None
    cross_entropy(logits, torch.tensor([0])).sum().backward()
    assert logits.grad[0].tolist() == pytest.approx([-math.exp(-20), math.exp(-20)])


def test_published_loss_at_ordinary_margins():
    logits, labels = logits_at_margin(5.0)
    assert relative_error(cross_entropy_float64(logits, labels), exact(logits, labels)) < 1e-10


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_nothing_overflows(scale):
    logits, labels = logits_at_margin(0.0)
    logits = (scale * logits).requires_grad_()
    cross_entropy(logits, labels).sum().backward()
    assert logits.grad.isfinite().all()


def test_gradcheck_in_float64():
    logits, labels = logits_at_margin(1.0, n=5, classes=4)
    assert torch.autograd.gradcheck(
        lambda x: cross_entropy(x, labels), logits.double().requires_grad_()
    )


@given(st.integers(1, 6), st.floats(-50, 50), st.integers(0, 10_000))
def test_any_number_of_classes_and_a_shift_changes_nothing(classes, shift, seed):
    logits, labels = logits_at_margin(2.0, n=4, classes=classes, seed=seed)
    expected = exact(logits, labels) if classes > 1 else torch.zeros(4, dtype=torch.float64)
    assert torch.allclose(cross_entropy(logits.double(), labels), expected, rtol=1e-9, atol=0)
    assert torch.allclose(
        cross_entropy(logits.double() + shift, labels), expected, rtol=1e-9, atol=0
    )


def test_nan_stays_nan():
    logits, labels = logits_at_margin(1.0, n=2, classes=3)
    logits[0, 0] = float("nan")
    assert cross_entropy(logits, labels).isnan().tolist() == [True, False]


def test_stablemax_is_literally_its_definition():
    generator = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(9, 6, generator=generator)
    logits[0, :3] = 0.0  # where the two halves meet
    labels = torch.arange(9) % 6
    losses = []
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        s = [z + 1 if z >= 0 else 1 / (1 - z) for z in row]
        losses.append(-math.log(s[label] / sum(s)))
    assert stablemax_cross_entropy(logits, labels).tolist() == pytest.approx(losses, rel=1e-12)
    logits = logits.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: stablemax_cross_entropy(x[1:], labels[1:]), logits)
    stablemax_cross_entropy(logits, labels).sum().backward()
    assert logits.grad[0, 1] != 0  # at zero the slope is one from both sides


def test_stablemax_of_several_answers_is_that_of_each():
    logits, labels = torch.randn(7, 5), torch.tensor([[0, 2], [1, 1]])[torch.arange(7) % 2]
    both = stablemax_cross_entropy(logits, labels, (2, 3))
    for answer, own in enumerate(logits.split([2, 3], 1)):
        assert both[:, answer].equal(stablemax_cross_entropy(own, labels[:, answer]))


def test_stablemax_does_not_vanish_where_softmax_does():
    logits, labels = logits_at_margin(60.0)
    assert stablemax_cross_entropy(logits, labels).min() > 0.1 > cross_entropy(logits, labels).max()
