import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from interp_utils import fourier, progress
from interp_utils.analysis.progress import Variant
from tests import planted

SEEDS = st.integers(0, 10_000)
VARIANTS = list(Variant.__args__)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def literal_directions(p, k, variant):
    """The orthonormal grids that a variant projects on, written out."""
    n = planted.numbers(p)
    cos, sin, one = (
        torch.cos(planted.angle(p, k) * n),
        torch.sin(planted.angle(p, k) * n),
        torch.ones(p, dtype=torch.float64),
    )
    if variant == "sum":
        sums = planted.angle(p, k) * (n[:, None] + n)
        grids = [torch.cos(sums), torch.sin(sums)]
    else:
        first = [one, cos, sin] if variant == "block3x3" else [cos, sin]
        grids = [torch.outer(x, y) for x in first for y in first if not (x is one and y is one)]
    return [grid / grid.norm() for grid in grids if grid.norm() > 1e-6]


def literal_projection(grid, keys, variant):
    p = grid.shape[0]
    if variant == "sum_3d":
        cubes = [planted.clock(p, {k: 1.0}) for k in keys]
        return sum(cube * (cube * grid).sum() / cube.square().sum() for cube in cubes)
    directions = [direction for k in keys for direction in literal_directions(p, k, variant)]
    return sum(
        direction[..., None] * (direction[..., None] * grid).sum((0, 1)) for direction in directions
    )


def literal_loss(logits, mask):
    p = logits.shape[0]
    losses = [
        -torch.log_softmax(logits[a, b], 0)[(a + b) % p].item()
        for a in range(p)
        for b in range(p)
        if mask is None or mask[a * p + b]
    ]
    return sum(losses) / len(losses)


@given(st.integers(3, 14), SEEDS, st.sampled_from(VARIANTS), st.data())
def test_every_variant_is_its_literal_formula(p, seed, variant, data):
    keys = data.draw(st.lists(st.integers(1, p // 2), min_size=1, unique=True))
    logits = random(p, p, p, seed=seed)
    expected = literal_projection(logits, keys, variant)
    assert torch.allclose(progress.project(logits, keys, variant=variant), expected, atol=1e-10)
    mask = torch.rand(p * p, generator=torch.Generator().manual_seed(seed)) < 0.5
    mask[0] = True
    labels = planted.labels(p)
    restricted = progress.restricted_loss(logits, labels, keys, mask=mask, variant=variant)
    assert math.isclose(
        restricted, literal_loss(logits.mean((0, 1)) + expected, mask), rel_tol=1e-9
    )
    excluded = progress.excluded_loss(logits, labels, keys, mask=mask, variant=variant)
    assert math.isclose(excluded, literal_loss(logits - expected, mask), rel_tol=1e-9)
    share = progress.share_on(logits, keys, variant=variant)
    assert math.isclose(
        share, (expected.square().sum((0, 1)) / logits.square().sum((0, 1))).mean(), rel_tol=1e-9
    )


@given(st.integers(2, 12), SEEDS, st.sampled_from(VARIANTS), st.data())
def test_project_and_remove_are_the_identity_and_projections(p, seed, variant, data):
    keys = data.draw(st.lists(st.integers(1, p // 2), unique=True))
    logits = random(p, p, p, seed=seed)
    on, off = (
        progress.project(logits, keys, variant=variant),
        progress.remove(logits, keys, variant=variant),
    )
    assert torch.allclose(on + off, logits)
    assert torch.allclose(progress.project(on, keys, variant=variant), on, atol=1e-10)
    assert torch.allclose(
        progress.project(off, keys, variant=variant), torch.zeros_like(off), atol=1e-10
    )


@given(st.integers(3, 13), st.data())
def test_removing_an_absent_frequency_changes_nothing_and_a_present_one_everything(p, data):
    k = data.draw(st.integers(1, p // 2))
    logits = planted.clock(p, {k: 10.0})
    absent = [other for other in range(1, p // 2 + 1) if other != k]
    for variant in VARIANTS:
        assert torch.allclose(progress.remove(logits, absent, variant=variant), logits, atol=1e-10)
        assert progress.remove(logits, [k], variant=variant).abs().max() < 1e-10
        assert math.isclose(
            progress.excluded_loss(logits, planted.labels(p), [k], variant=variant),
            math.log(p),
            rel_tol=1e-9,
        )
        assert torch.allclose(progress.restrict(logits, [k], variant=variant), logits, atol=1e-10)


@pytest.mark.parametrize("p", [9, 10])
def test_keeping_all_frequencies_keeps_every_function_of_the_sum(p):
    table = random(p, p)
    logits = table[planted.labels(p)].view(p, p, p)
    every = list(range(1, p // 2 + 1))
    assert torch.allclose(progress.restrict(logits, every), logits, atol=1e-10)
    assert torch.allclose(
        progress.remove(logits, every), logits.mean((0, 1)).expand(p, p, p), atol=1e-10
    )


def test_single_excluded_losses_are_one_at_a_time():
    p, labels = 11, planted.labels(11)
    logits, mask = random(p, p, p) + planted.clock(p, {2: 5.0, 5: 7.0}), torch.arange(121) % 3 == 0
    for variant in ("sum", "sum_3d"):
        single = progress.single_excluded_losses(logits, labels, mask=mask, variant=variant)
        expected = [progress.mean_loss(logits, labels, mask=mask)]
        expected += [
            progress.excluded_loss(logits, labels, [k], mask=mask, variant=variant)
            for k in range(1, 6)
        ]
        assert torch.allclose(single, torch.tensor(expected, dtype=torch.float64), rtol=1e-9)
        assert single.argmax() == 5


def test_even_p_with_its_alternating_frequency():
    p = 8
    logits = planted.clock(p, {4: 3.0, 1: 2.0})
    assert fourier.key_frequencies(logits) == [1, 4]
    assert torch.allclose(progress.restrict(logits, [4]), planted.clock(p, {4: 3.0}), atol=1e-10)
    assert torch.allclose(
        progress.project(logits, [4]), literal_projection(logits, [4], "sum"), atol=1e-10
    )


def test_neuron_level_is_logit_level_where_only_the_mlp_answers():
    p, keys = 11, [2, 5]
    post, W_L = random(p, p, 6), random(6, p, seed=1)
    assert torch.allclose(
        progress.restrict(post, keys) @ W_L, progress.restrict(post @ W_L, keys), atol=1e-10
    )
    assert torch.allclose(
        progress.remove(post, keys) @ W_L, progress.remove(post @ W_L, keys), atol=1e-10
    )
    skip = random(p, p, p, seed=2)  # and where it does not, they differ
    assert not torch.allclose(
        progress.remove(post, keys) @ W_L + skip,
        progress.remove(post @ W_L + skip, keys),
        atol=1e-3,
    )


def test_accuracy_and_loss_on_a_mask():
    p, labels = 5, planted.labels(5)
    logits = planted.clock(p, {1: 9.0})
    logits[0, 0] = logits[0, 0].roll(1)  # one pair wrong
    only_it = torch.arange(25) == 0
    assert progress.accuracy(logits, labels) == 24 / 25
    assert (
        progress.accuracy(logits, labels, mask=only_it) == 0
        and progress.accuracy(logits, labels, mask=~only_it) == 1
    )
    assert math.isclose(
        progress.mean_loss(logits, labels, mask=only_it),
        literal_loss(logits, only_it),
        rel_tol=1e-9,
    )


def test_memoriser_is_the_negative_control():
    """Right on the training pairs and random elsewhere. The projection averages over pairs of one
    sum, training pairs among them, so that
    restricted loss is below chance even on test pairs: why it is shown with accuracy and the share
    of the logits it stands for.
    """
    p, labels, keys = 23, planted.labels(23), [1, 4, 7]
    mask = torch.rand(p * p, generator=torch.Generator().manual_seed(0)) < 0.3
    logits = random(p, p, p)
    logits.flatten(0, 1)[mask.nonzero()[:, 0], labels[mask]] += 20
    assert (
        progress.accuracy(logits, labels, mask=mask) == 1
        and progress.accuracy(logits, labels, mask=~mask) < 0.15
    )
    assert progress.restricted_loss(logits, labels, keys, mask=~mask) < 0.8 * math.log(p)
    assert progress.share_on(logits, keys) < 0.15
    assert progress.excluded_loss(logits, labels, keys, mask=mask) < 1e-2


P7 = torch.zeros(7, 7, 7, dtype=torch.float64)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("measure", [progress.restricted_loss, progress.excluded_loss])
@pytest.mark.parametrize(
    ("logits", "labels", "keys", "mask", "message"),
    [
        (
            torch.zeros(7, 6, 7),
            planted.labels(7),
            [1],
            None,
            r"expected a tensor on the \(a, b\) grid.*\(7, 6, 7\)",
        ),
        (
            torch.zeros(49, 7),
            planted.labels(7),
            [1],
            None,
            r"expected a tensor on the \(a, b\) grid.*\(49, 7\)",
        ),
        (
            torch.zeros(7, 7, 8),
            planted.labels(7),
            [1],
            None,
            r"logits of shape \(p, p, p\), one class per number, got \(7, 7, 8\)",
        ),
        (
            P7,
            planted.labels(7).roll(1),
            [1],
            None,
            r"labels must be \(a \+ b\) mod p, a-major; for a control .* any_labels=True",
        ),
        (P7, planted.labels(6), [1], None, r"expected 49 labels, one per pair, got shape \(36,\)"),
        (P7, planted.labels(7), [4], None, r"frequencies mod 7 are 1 .. 3, got \[4\]"),
        (P7, planted.labels(7), [0], None, r"frequencies mod 7 are 1 .. 3, got \[0\]"),
        (P7, planted.labels(7), [2, 2], None, r"key frequencies must be different, got \[2, 2\]"),
        (
            P7,
            planted.labels(7),
            [1],
            torch.zeros(49, dtype=torch.bool),
            "the mask selects no input",
        ),
        (
            P7,
            planted.labels(7),
            [1],
            torch.ones(9, dtype=torch.bool),
            "must have one row per input, got 49, 49, 9 rows",
        ),
    ],
)
def test_bad_input_is_named(measure, logits, labels, keys, mask, message):
    with pytest.raises(ValueError, match=message):
        measure(logits, labels, keys, mask=mask)


@pytest.mark.usefixtures("as_a_user")
def test_unknown_variant_is_named():
    with pytest.raises(ValueError, match="variant must be one of .*'block2x2'.*, got '2x2'"):
        progress.project(P7, [1], variant="2x2")


def test_a_share_of_nothing_is_refused():
    with pytest.raises(ValueError, match="all values are zero"):
        progress.share_on(P7, [1])


def test_any_labels_is_for_controls():
    logits = planted.clock(7, {1: 3.0})
    assert progress.restricted_loss(logits, planted.labels(7).roll(1), [1], any_labels=True) > 1


MASK = torch.arange(12769) % 3 == 0
P113 = torch.zeros(113, 113, 113)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: progress.restricted_loss(P113, planted.labels(113), MASK),
            TypeError,
            "keys must be frequencies in 1 .. 56, got 12769 booleans: pass a mask by keyword",
        ),
        (
            lambda: progress.project(P113, MASK.tolist()),
            TypeError,
            "keys must be frequencies in 1 .. 56, got 12769 booleans",
        ),
        (
            lambda: progress.project(P113, [True]),
            TypeError,
            "keys must be frequencies in 1 .. 56, got 1 booleans",
        ),
        (
            lambda: progress.project(P113, torch.ones(2, 3)),
            TypeError,
            r"keys must be a list of frequencies in 1 .. 56, got tensor\(\[\[1",
        ),
        (
            lambda: progress.excluded_loss(P113, planted.labels(113), [14, 35], mask=[14, 35]),
            TypeError,
            "mask must be a tensor of booleans, one per input, got list; key frequencies are",
        ),
        (
            lambda: progress.mean_loss(P113, planted.labels(113), mask=torch.tensor([14, 35])),
            TypeError,
            r"mask must be a tensor of booleans.*got torch.int64 of shape \(2,\)",
        ),
        (
            lambda: progress.restricted_loss(P113, planted.labels(113), 14),
            TypeError,
            "keys must be a list of frequencies in 1 .. 56, got 14",
        ),
        (
            lambda: progress.project(P113, [14.5]),
            TypeError,
            r"keys must be a list of frequencies in 1 .. 56, got \[14.5\]",
        ),
        (
            lambda: progress.restricted_loss(object(), planted.labels(113), [1]),
            TypeError,
            r"got object: pass model.logits or model.activation\(...\) from model = CachedModel",
        ),
        (
            lambda: progress.mean_loss(P113, planted.labels(113)[:, None]),
            ValueError,
            r"labels of shape \(12769, 1\) are of several answers: use answers.mean_losses",
        ),
    ],
)
def test_arguments_in_each_others_place_get_one_clear_line(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    text = str(caught.value)
    assert len(text) < 220 and "\n" not in text


@pytest.mark.usefixtures("as_a_user")
def test_keys_may_be_numpys_or_torchs():
    logits = planted.clock(7, {1: 2.0, 3: 1.0})
    expected = progress.project(logits, [1, 3])
    for keys in (torch.tensor([1, 3]), np.array([1, 3]), (1, 3), range(1, 4, 2)):
        assert progress.project(logits, keys).equal(expected)
