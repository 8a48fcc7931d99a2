"""What is measured of runs on greatest common divisors, on a small run and on planted readers."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from interp_utils import ModelConfig, Run, TrainConfig, experiments, tasks, train
from interp_utils.analysis import answers, decoding, divisors
from interp_utils.experiments.gcd import ablation, claims, mechanism, recipes, row
from interp_utils.experiments.gcd import together as of_all
from interp_utils.experiments.gcd.reading import answered, logits

MODEL = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
TRAINING = TrainConfig(steps=20, batch_size=64, log_every=5, snapshot_every=10, lr=1e-2)
TASK = tasks.gcd(30, 9000, n_validation=20, n_test=60, n_gcds=9, per_gcd=20)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    out = tmp_path_factory.mktemp("gcd")
    return train(TASK, MODEL, TRAINING, out=out, device="cpu", progress=False)


def test_answers_are_those_of_the_hooked_transformer(run):
    model = run.model(0, device="cpu")  # of initial weights, which answer all kinds of things
    with torch.no_grad():
        whole = model(TASK.test.tokens)
        written = decoding.free_running(
            lambda tokens, places: model(tokens)[places], TASK.test.tokens, TASK.test.asked
        )
    found = answered(run, TASK.test, 0, device="cpu")
    assert found.equal(TASK.spelling.numbers(written)) and len(found.unique()) >= 5
    asked = TASK.test.asked
    torch.testing.assert_close(logits(run, TASK.test, 0, device="cpu")[asked], whole[asked])


def test_digits_at_a_place_are_read_as_if_embedded_otherwise(run):
    """A hook on the embeddings is the reference; W_E itself changes nothing."""
    W_E, spelling = run.weights(0)["embed.W_E"], TASK.spelling
    same = answered(run, TASK.test, 0, digits={0: W_E[:30], 2: W_E[:30]}, device="cpu")
    assert same.equal(answered(run, TASK.test, 0, device="cpu"))
    other = torch.randn(30, 16, generator=torch.Generator().manual_seed(0))
    tokens, model = TASK.test.tokens, run.model(0, device="cpu")

    def replace(embedded, hook):
        for at in (spelling.width - 2, 2 * spelling.width - 2):
            embedded[:, at] = other[tokens[:, at]]
        return embedded

    with model.hooks(fwd_hooks=[("hook_embed", replace)]), torch.no_grad():
        written = decoding.free_running(
            lambda read, places: model(read)[places], tokens, TASK.test.asked
        )
    found = answered(run, TASK.test, 0, digits={1: other}, device="cpu")
    assert found.equal(spelling.numbers(written)) and not found.equal(same)


def test_a_row_is_of_the_last_snapshot(run):
    found = row.row(run, device="cpu")
    model = run.model(device="cpu")
    with torch.no_grad():
        forced = answers.sequence_accuracy(model(TASK.test.tokens), TASK.test.labels)
    assert found["accuracy"] == pytest.approx(forced.whole)
    assert found["token accuracy, teacher-forced"] == pytest.approx(forced.token)
    right = answered(run, TASK.test, device="cpu") == TASK.gcds(TASK.test)
    assert found["accuracy"] == pytest.approx(right.double().mean().item()), "as free-running"
    assert found["kind"] == "base 30" and found["gcds learned"] == len(found["learned"])
    table = row.history(run, device="cpu", progress=False)
    assert table["step"].tolist() == run.steps and table["examples"].iloc[-1] == 20 * 64
    assert table["learned"].iloc[-1] == found["learned"]


def test_kinds_of_runs():
    def kind(**of):
        task = tasks.gcd(10, 900, n_validation=5, n_test=5, n_gcds=3, per_gcd=2, **of)
        return row.kind(task)

    assert kind() == "base 10"
    assert kind(operands="log_uniform") == "base 10, log-uniform"
    assert kind(n_pairs=50) == "base 10, fixed pairs"
    assert kind(uniform_gcds=0.25) == "base 10, 25% by gcd"


class Reader(Run):
    """A planted model of base 30 that reads n mod 2, 3 and 4 by features of the digits, as they are
    embedded, and answers 30 or 60 where both last digits are 0, by a feature of their own.
    """

    LEARNED = (1, 2, 3, 4, 6, 12, 30, 60)

    def __init__(self, task):
        self.of_task = task
        digits = torch.arange(30)
        last = [digits % 2 == 0, digits % 3 == 0, digits == 0, digits // 2 % 2 == 0]
        higher = [digits % 2 == 0]
        self.embeddings = torch.stack([*last, *higher], 1).float()

    @property
    def task(self):
        return self.of_task

    def weights(self, step=None):
        return {"embed.W_E": self.embeddings}

    def answers(self, run, pairs, step=None, device=None, digits=None):
        digits, width = digits or {}, self.task.spelling.width
        known = []
        for operand in (0, 1):
            at = [(operand + 1) * width - 1 - place for place in (0, 1)]
            last, second = (
                digits.get(place, self.embeddings)[pairs.tokens[:, at[place]]] > 0.5
                for place in (0, 1)
            )
            # n mod 4 = d0 + 2 d1 mod 4
            by_four = last[:, 0] & (last[:, 3] == second[:, 4])
            known.append(torch.stack([last[:, 0], last[:, 1], by_four, last[:, 2]], 1))
        even, by_three, by_four, zero = (known[0] & known[1]).unbind(1)
        found = torch.where(zero, 30, torch.where(even, 2, 1) * torch.where(by_three, 3, 1))
        return found * torch.where(by_four, 2, 1)


@pytest.fixture
def reader(monkeypatch):
    task = tasks.gcd(30, 10**5, n_validation=20, n_test=60, n_gcds=60, per_gcd=20)
    planted = Reader(task)
    for module in (ablation, mechanism):
        monkeypatch.setattr(module, "answered", planted.answers)
    return planted


def test_a_planted_reader_loses_what_it_is_without(reader):
    pairs = ablation.few(reader, reader.LEARNED)
    gcds = reader.task.gcds(pairs)
    assert ablation.right(reader.answers(reader, pairs), gcds) == dict.fromkeys(gcds.tolist(), 1)
    powers = ablation.prime_powers(reader.LEARNED, 30)
    assert powers == [(2, 1), (3, 1), (2, 2)]
    found = ablation.ablations(reader, reader.LEARNED)
    assert found["prime powers"] == [2, 3, 4]
    assert found["right without it, multiples"] == [0.0, 0.0, 0.0]
    assert found["right without it, others"] == [1.0, 1.0, 1.0]
    assert min(found["right without as much at random"]) > 0.3
    assert found["multiples merged without it"] == [1.0, 1.0, 1.0]
    assert found["others apart without it"] == [1.0, 1.0, 1.0]
    assert max(found["multiples merged without as much at random"]) < 0.5
    found |= mechanism.of_zero(reader, reader.LEARNED)
    # 30 and 60 end in 0, which is told by itself: without 2, 30 stays, and 60 becomes 30.
    assert found["left without"]["2"] == [1, 0, 1, 0, 0, 0, 1, 0]
    assert found["the base, right without a prime"] == [1.0, 1.0]
    assert found["multiples of the base, right without zero's own part"] == 0.0
    assert found["others, right without zero's own part"] == 1.0


def test_a_reader_of_divisibility_reads_no_residues(reader):
    found = mechanism.of_residues(reader, reader.LEARNED)
    assert found["divisibility share"]["3"] > 0.98
    assert found["right without residues"] == [1.0]
    assert found["multiples, right without divisibility"] == [0.0]


def test_a_reader_of_nothing_fits_no_prediction(reader, monkeypatch):
    """The negative control: one that answers 1 whatever it reads, and merges everything."""
    ones = lambda run, pairs, **others: torch.ones(len(pairs), dtype=torch.int64)  # noqa: E731
    monkeypatch.setattr(ablation, "answered", ones)
    found = ablation.ablations(reader, reader.LEARNED)
    assert max(found["right without it, others"]) <= 0.5
    assert found["others apart without it"] == [1 / 2, 1 / 3, 1 / 4]


def test_places_of_a_prime_power():
    assert ablation.needed((2, 1), 30) == [0] and ablation.needed((2, 2), 30) == [0, 1]
    assert ablation.needed((2, 2), 420) == [0] and ablation.needed((2, 3), 2) == [0, 1, 2]
    assert ablation.prime_powers([1, 2, 4, 16, 5, 7], 10) == [(2, 1), (2, 2), (5, 1), (2, 4)]
    with pytest.raises(ValueError, match="numbers of 3 digits have places 0 .. 2"):
        TASK.spelling.positions(3)
    with pytest.raises(ValueError, match="a place has no position of its"):
        tasks.Spelling(10, 3, True).positions(0)


def test_a_course_is_grokking_where_validation_comes_five_times_later():
    steps = list(range(0, 10_001, 100))

    def course(delay):
        late = [0.9 if step >= 500 * delay else 0.5 for step in steps]
        columns = {
            "step": steps,
            "train_accuracy": [0.9 if step >= 500 else 0.5 for step in steps],
            "validation_accuracy": late,
            "train_loss": 0.1,
            "validation_loss": [2.0 - step / 10_000 for step in steps],
        }
        return row.course(pd.DataFrame(columns))

    at_once, later = course(1), course(6)
    assert not at_once["groks"] and set(at_once["validation over training"]) == {1.0}
    assert later["groks"] and set(later["validation over training"]) == {6.0}
    assert later["validation loss over its lowest"] == 1.0


def test_all_together():
    def of(kind, learned, seed=0):
        return {"kind": kind, "seed": seed, "steps": 10, "gcds learned": learned}

    rows = {"a": of("base 10", 9), "b": of("base 10", 99, 1), "c": of("base 10, log-uniform", 12)}
    found = of_all.together(rows, Path("."))
    both = found["base 10, log-uniform and uniform"]
    assert both["gcds learned, log-uniform minus uniform"] == 3 and both["lengths"] == [10]
    by_counting = found["by counting"]["bound of base 420 on uniform pairs"]
    assert by_counting == pytest.approx(0.9687, abs=1e-4)
    assert of_all.together({"c": rows["c"]}, Path(".")).keys() == {"by counting"}
    assert claims.bound_of(2) == pytest.approx(divisors.bound([1, 2, 4, 8, 16, 32, 64]))


def test_every_recipe_has_a_kind_that_some_claim_is_about():
    experiment = experiments.every()["gcd"]
    for name, recipe in recipes.RECIPES.items():
        base, of = recipe.make.args[0], recipe.make.keywords
        assert name.startswith(f"gcd_base{base}_") and name.endswith(f"_seed{of['seed']}")
        kinds = {"operands": "log-uniform", "n_pairs": "fixed pairs"}
        own = {"kind": ", ".join([f"base {base}", *(kinds[key] for key in kinds if key in of)])}
        about = [claim.text for claim in experiment.all_claims if claim.about and claim.about(own)]
        assert about, name
