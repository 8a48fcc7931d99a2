"""What is measured of encoders of integer sequences, on planted answers, attention and streams."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import sympy
import torch

from interp_utils import CachedModel, ModelConfig, models, tasks
from interp_utils.analysis import probes
from interp_utils.experiments.sequences import asking, parity, reading, row, stream
from interp_utils.tasks import QUESTIONS, SEQUENCE_KINDS

TASK = tasks.integer_sequences(seed=1, n_validation=80, n_test=2000)
CONFIG = ModelConfig(
    d_model=16,
    n_heads=2,
    d_head=8,
    d_mlp=32,
    n_layers=2,
    attention="bidirectional",
    normalization="LNPre",
    biases="all",
).for_task(TASK)


@pytest.fixture(scope="module")
def model() -> CachedModel:
    return CachedModel(models.build(CONFIG, device="cpu"), TASK.test)


def planted(model: CachedModel, labels: torch.Tensor) -> CachedModel:
    """The model whose top outputs are these labels, and -1's are none."""
    logits = torch.nn.functional.one_hot(labels.clamp(min=0), TASK.n_classes[0]).float()

    class Planted(CachedModel):
        @property
        def logits(self):
            return logits

    return Planted(model.model, model.task)


def test_a_model_that_knows_all_has_skill_one(model):
    found = row.answering(planted(model, TASK.test.labels), TASK)
    for question in QUESTIONS:
        assert found[question] == found[f"{question}, skill"] == 1
        assert found[f"{question} by kind"] == [1] * 8
    assert (
        found["confusion"] == torch.eye(8).tolist()
        and found["least skill lost, beyond its error"] == 0
    )
    assert found["unmasking by place"] == [1] * 7


def test_a_constant_answer_has_skill_zero(model):
    """And what a question's outputs do not have is no answer, however large."""
    labels = TASK.test.labels.clone()
    for question in QUESTIONS:
        asked = TASK.test.asked & TASK.asks(TASK.test, question)[:, None]
        labels[asked] = labels[asked].mode().values
    found = row.answering(planted(model, labels), TASK)
    assert [found[f"{question}, skill"] for question in QUESTIONS] == [0] * 4
    assert 1 / 8 < found["classification, base"] < 0.17 and found["comparison, base"] < 0.55
    assert found["continuation, base"] < 0.05
    first = planted(model, torch.zeros_like(labels))  # "polynomial" to all: of other outputs, too
    said, _ = asking.answers(first, TASK, "continuation")
    assert said.eq(0).all() and len(said) == 500


def test_skill_is_what_it_says():
    assert row.skill(0.75, 0.5) == 0.5 and row.skill(0.25, 0.5) == -0.5
    assert row.most_frequent(torch.tensor([3, 1, 3, 3])) == 0.75
    with pytest.raises(ValueError, match="a base below 1, got 1"):
        row.skill(1.0, 1.0)


def test_what_is_lost_from_question_to_question():
    accuracies, bases = (0.9, 0.75, 0.3, 0.2), (0.125, 0.5, 0.0, 0.0)
    found = dict(zip(QUESTIONS, accuracies, strict=True))
    for question, base in zip(QUESTIONS, bases, strict=True):
        found |= {f"{question}, base": base, f"{question}, skill": row.skill(found[question], base)}
    lost = row.falls(found, 400)
    names = [f"skill lost from {a} to {b}" for a, b in itertools.pairwise(QUESTIONS)]
    assert [lost[name] for name in names] == pytest.approx([0.775 / 0.875 - 0.5, 0.2, 0.1])
    errors = [
        math.sqrt(a * (1 - a) / 400) / (1 - base) for a, base in zip(accuracies, bases, strict=True)
    ]
    twice = [2 * math.hypot(one, other) for one, other in itertools.pairwise(errors)]
    assert [lost[f"twice the error of {name}"] for name in names] == pytest.approx(twice)
    beyond = min(lost[name] - error for name, error in zip(names, twice, strict=True))
    assert lost["least skill lost, beyond its error"] == pytest.approx(beyond)


def test_the_confusion_of_classes():
    said, true = torch.tensor([0, 1, 1, 2, 0]), torch.tensor([0, 0, 1, 2, 2])
    assert row.confusion(said, true, 3).tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0.5, 0, 0.5]]
    with pytest.raises(ValueError, match="every class must have inputs, got none of the classes"):
        row.confusion(said, true, 4)
    assert asking.by_group(torch.tensor([1.0, 0, 5]), torch.tensor([0, 0, 1]), 2) == [0.5, 5]
    with pytest.raises(ValueError, match="each of 3 groups must have values"):
        asking.by_group(torch.tensor([1.0]), torch.tensor([1]), 3)


def test_comparing_by_two_classifications(model, monkeypatch):
    """With the true kinds it is always right; with kinds that say nothing, half of the time."""
    kinds = lambda model, task, terms: task.told(terms)[0]  # noqa: E731
    monkeypatch.setattr(row, "classified", kinds)
    found = row.by_classifying(model, TASK)
    assert found["comparison by two classifications"] == 1
    assert found["comparison gained by classifying"] == 1 - row.answering(model, TASK)["comparison"]
    monkeypatch.setattr(row, "classified", lambda model, task, terms: terms[:, 0] * 0)
    found = row.by_classifying(model, TASK)["comparison by two classifications"]
    assert abs(found - 0.5) < 0.1


def test_a_sample_has_as_many_of_each():
    sample = asking.sample(TASK, np.random.RandomState(0), ["periodic", "prime"], 300, parts=(0, 2))
    assert sample.names == ("period 2", "period 3", "period 4", "prime")
    assert sample.kind.bincount().tolist() == [0, 0, 600, 0, 600]
    counts = sample.group.bincount()
    assert counts[:3].min() > 150 and sample.part.bincount().tolist() == [600, 0, 600]
    for part, drawing in ((0, TASK.drawings[0]), (2, TASK.drawings[2])):
        own = {*map(tuple, drawing.terms.tolist())}
        terms = sample.terms[sample.part == part]
        assert {tuple(each) for each in (terms - terms.min(1, keepdim=True).values).tolist()} <= own
    with pytest.raises(ValueError, match="no generator makes"):
        TASK.told(torch.tensor([[0, 1, 0, 5, 0, 0, 2, 0]]))


def test_polynomials_of_a_degree():
    x = sympy.Symbol("x")
    for degree in (2, 4):
        terms = asking.polynomials(degree, 8, 50, 20)
        assert terms.shape == (20, 8) and terms.abs().max() <= 50
        for each in terms.tolist():
            assert sympy.degree(sympy.interpolate(list(enumerate(each)), x), x) == degree


def test_terms_beyond_the_limit_are_refused():
    with pytest.raises(ValueError, match=r"terms must be in -50 .. 50, got 0 .. 51"):
        asking.asking(TASK, torch.tensor([[0, 1, 2, 3, 4, 5, 6, 51]]))
    asked = asking.asking(TASK, torch.tensor([[0, 1, 2, 3, 4, 5, 6, -7]]))
    assert asked.tokens[0, :9].tolist() == [103, 50, 51, 52, 53, 54, 55, 56, 43]


def test_attention_that_is_cut_goes_to_the_other_keys(model):
    pairs = reading.place(torch.eye(8, dtype=torch.bool).roll(1, 0), TASK)  # term i to term i - 1
    cut = reading.without_attention(model, pairs)
    before, after = (each.activation("pattern", 0, pos=None)[:50] for each in (model, cut))
    assert pairs.sum() == 8 and after[..., pairs].eq(0).all() and before[..., pairs].min() > 0
    expected = before.masked_fill(pairs, 0)
    expected = expected / expected.sum(-1, keepdim=True)
    torch.testing.assert_close(after, expected)
    untouched = ~pairs.any(1)
    torch.testing.assert_close(after[:, :, untouched], before[:, :, untouched])
    with pytest.raises(ValueError, match="query 3 is left without one"):
        reading.without_attention(model, (torch.arange(17) == 3)[:, None].expand(17, 17))


def test_as_many_pairs_at_random():
    distance = reading.distances(8)
    assert distance[2].tolist() == [2, 1, 0, 1, 2, 3, 4, 5]
    pairs, among = distance == 2, distance % 2 == 1
    random = np.random.RandomState(0)
    drawn = [reading.as_many(pairs, among, random) for _ in range(50)]
    assert {int(each.sum()) for each in drawn} == {12}
    assert torch.stack(drawn).any(0).equal(among)  # each can come, and nothing else
    with pytest.raises(ValueError, match="at least 12 pairs to draw from, .* got 8"):
        reading.as_many(pairs, distance == 4, random)


def test_the_ways_from_the_terms():
    groups = ["degree 1", "degree 2", "period 2", "prime", "period 4"]
    lost = [[0, 0.2, 0.5, 0.9, 0.7], [0.4, 0.6, 0, 0.9, 0.1], [0.0] * 5, [1.0] * 5]
    found = reading.ways({"groups": groups} | dict(zip(reading.WAYS, lost, strict=True)))
    means = {
        "polynomials": (0.1, 0.5, 0, 1),
        "periods": (0.6, 0.05, 0, 1),
        "all": (0.46, 0.4, 0, 1),
    }
    assert found == pytest.approx(
        {
            f"{what}, {way}": mean
            for what, of_ways in means.items()
            for way, mean in zip(reading.WAYS, of_ways, strict=True)
        }
    )


def test_what_tells_even_numbers_is_taken_away(model):
    """An embedding of parity alone loses all of it, and one of size alone nothing."""
    even = torch.tensor([1, -1] * 50 + [1])
    size = torch.linspace(-1, 1, 101)
    for W_E, share in ((even[:, None].float(), 1), (size[:, None], 0)):
        assert parity.contrast_share(W_E, even) == pytest.approx(share, abs=1e-3)
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(101, 16, generator=generator)
    assert parity.contrast_share(random, even) < 0.05
    W_E = models.named_weights(model.model)["embed.W_E"].detach()[:101]
    cut = parity.without_contrast(model, W_E, even)
    before, after = (each.activation("hook_embed", pos=None) for each in (model, cut))
    numbers = TASK.test.tokens < 101
    assert after[~numbers].equal(before[~numbers])  # no number, nothing taken
    found = torch.zeros(101, 16).index_copy_(0, TASK.test.tokens[numbers], after[numbers])
    centred = even - even.double().mean()
    assert (centred @ found.double()).abs().max() < 1e-5
    across = (size - size.mean()).double()  # what is even in both directions is left as it is
    across -= centred * (across @ centred) / centred.square().sum()
    torch.testing.assert_close(across @ found.double(), across @ W_E.double(), atol=1e-5, rtol=0)


def test_numbers_that_rise_by_no_rule():
    for step in (1, 2):
        terms = parity.rising(np.random.RandomState(0), TASK, 200, step)
        assert terms.shape == (200, 8) and terms.max() == 50 and terms.min() == -50
        assert terms.diff().min() == 0 and terms.diff().float().std() > 3
        assert terms.remainder(step).eq(0).all()
    assert parity.rising(np.random.RandomState(0), TASK, 200, 1).remainder(2).any()


def test_what_a_linear_map_explains():
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    x = torch.randn(400, 6, generator=generator, dtype=torch.float64) @ mix
    w = torch.tensor([1.0, -2, 0, 0, 3, 0], dtype=torch.float64)
    mask = torch.arange(400) < 200
    found = stream.linear(x, x @ w + 7, mask, ridge=1e-9)
    assert found.share == pytest.approx(1, abs=1e-6) and found.error < 1e-5
    assert found.rest.abs().max() < 1e-4
    # Twice the same inputs, so that those it is measured on are those it was fitted on.
    twice, y = torch.cat([x[mask], x[mask]]), torch.cat([x[mask] @ w] * 2)
    half = torch.arange(400) < 200
    erased = probes.without_directions(twice, found.covariance[None])
    assert abs(stream.linear(erased, y, half).share) < 1e-6
    kept = probes.without_directions(twice, w[None])  # not of what reads it: other maps still do
    assert stream.linear(kept, y, half).share > 0.1
    noise = torch.randn(400, generator=generator, dtype=torch.float64)
    assert stream.linear(x, noise, mask).share < 0.05
    # On other inputs than those it was fitted on: what holds on the mask alone explains nothing.
    turned = torch.where(mask, x @ w, -(x @ w))
    assert stream.linear(x, turned, mask).share < -1
    constant = stream.linear(0 * x, torch.arange(400.0), mask)
    assert constant.error == pytest.approx(math.sqrt(200**2 + (200**2 - 1) / 12))
    for every in (mask | True, mask & False):
        with pytest.raises(ValueError, match="the mask must select some inputs"):
            stream.linear(x, noise, every)


def test_a_stream_of_two_terms_tells_their_sum_as_well_as_their_difference():
    generator = torch.Generator().manual_seed(1)
    one, other = torch.randn(2, 600, generator=generator, dtype=torch.float64)
    noise = 0.1 * torch.randn(600, 2, generator=generator, dtype=torch.float64)
    mask = torch.arange(600) < 300
    both, difference = torch.stack([one, other], 1) + noise, (one - other)[:, None] + noise
    errors = [
        [stream.linear(x, y, mask).error for y in (one - other, one + other)]
        for x in (both, difference)
    ]
    assert errors[0][0] == pytest.approx(errors[0][1], rel=0.1)
    assert errors[1][0] < 0.2 * errors[1][1]


def test_everything_is_a_row_of_plain_numbers(tmp_path, monkeypatch):
    from interp_utils import TrainConfig, train

    for module in (reading, stream):
        monkeypatch.setattr(module, "EACH", 60)
    config = TrainConfig(steps=2, batch_size=16, snapshot_every=None)
    small = dataclasses.replace(CONFIG, n_ctx=None, d_vocab=None, d_vocab_out=None)
    run = train(TASK, small, config, out=tmp_path / "run", progress=False)
    found = row.row(run)
    numbers = itertools.chain(*(v if isinstance(v, list) else [v] for v in found.values()))
    flat = [x for v in numbers for x in (v if isinstance(v, list) else [v])]
    assert all(type(x) in (int, float, str, bool) for x in flat)
    assert len(found["groups"]) == len(found["accuracy of groups"]) == 8 + 4
    assert {len(each) for each in found["lost without distance"]} == {12}
    assert found == row.row(run)  # nothing in it is by chance
    assert set(SEQUENCE_KINDS) - {"polynomial", "periodic"} < {*found["groups"]}
