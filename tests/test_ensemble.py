"""Many trainings at once against one at a time: the same runs, however they are stopped, stacked
and continued.
"""

import dataclasses
import os
import signal
from pathlib import Path

import pytest
import torch

from interp_utils import ModelConfig, Run, TrainConfig, cli, models, tasks, train, train_many
from interp_utils.configs import RunConfig
from interp_utils.losses import cross_entropy
from interp_utils.models import logits_fn, members_logits_fn
from interp_utils.runs import export, storage
from interp_utils.training import ensemble
from interp_utils.training.adam import adam_
from interp_utils.training.members import evenly
from interp_utils.training.optimisers import MEMBERS_OPTIMISERS
from interp_utils.training.stacked import StackedTrainer, bytes_per_member
from interp_utils.training.trainer import Trainer
from tests import small
from tests.small import SMALL_TRAINING
from tests.test_forward import CASES, random_weights

# Smooth, for comparisons in float32: at ReLU's corner the last bit decides whether a neuron learns
# (see test_forward).
SMALL_MODEL = dataclasses.replace(small.SMALL_MODEL, act_fn="gelu")
SEEDS = range(3)


def many(task, out, **options) -> list[Run]:
    return train_many(
        task, SMALL_MODEL, SMALL_TRAINING, seeds=SEEDS, out=out, progress=False, **options
    )


@pytest.fixture(scope="module")
def together(small_task, tmp_path_factory) -> list[Run]:
    """Three seeds, trained at once. Tests only read them."""
    return many(small_task, tmp_path_factory.mktemp("together"))


@pytest.fixture(scope="module")
def alone(small_task, tmp_path_factory) -> list[Run]:
    """The same, one after the other."""
    folder = tmp_path_factory.mktemp("alone")
    configs = [dataclasses.replace(SMALL_MODEL, seed=seed) for seed in SEEDS]
    return [
        train(small_task, config, SMALL_TRAINING, out=folder / str(config.seed), progress=False)
        for config in configs
    ]


def distance(first: Run, second: Run) -> float:
    """The largest over the weights of |difference| / |weight|."""
    a, b = first.weights(), second.weights()
    assert a.keys() == b.keys()
    return max(((a[name] - b[name]).norm() / b[name].norm().clamp(min=1e-9)).item() for name in a)


def assert_same(run: Run, expected: Run, tolerance: float) -> None:
    """Equal but for rounding; 0 for bit for bit."""
    run.verify()
    without_digests = [
        {**r.manifest, "files": sorted(r.manifest["files"])} for r in (run, expected)
    ]
    assert without_digests[0] == without_digests[1]
    assert run.raw_metrics.keys() == expected.raw_metrics.keys()
    ours, theirs = run.metrics, expected.metrics
    assert ours["step"].equals(theirs["step"]) and ours.isna().equals(theirs.isna())
    assert ((ours - theirs).abs() <= tolerance * theirs.abs()).fillna(True).all(axis=None), (
        (ours - theirs).abs().max()
    )
    assert distance(run, expected) <= tolerance


# The forward and the update


@pytest.mark.parametrize("case", CASES)
def test_logits_and_gradients_are_each_members_own(case):
    task, config = CASES[case]
    config = config.for_task(task)
    order = torch.stack(
        [
            torch.randperm(len(task), generator=torch.Generator().manual_seed(seed))
            for seed in range(3)
        ]
    )
    order = order[:, : -(-len(task) * 2 // 3)]  # two thirds of the inputs, others for each member
    members = [random_weights(config, seed) for seed in range(3)]
    stacked = {
        name: torch.stack([weights[name] for weights in members]).requires_grad_()
        for name in members[0]
    }
    logits = members_logits_fn(config, task.tokens[order])(stacked)
    cross_entropy(logits.flatten(0, 1), task.labels[order].flatten()).sum().backward()
    for i, weights in enumerate(members):
        weights = {name: weight.requires_grad_() for name, weight in weights.items()}
        expected = logits_fn(config, task.tokens[order[i]])(weights)
        cross_entropy(expected, task.labels[order[i]]).sum().backward()
        assert (logits[i] - expected).abs().max() < 1e-5 * expected.abs().max()
        scale = max(weight.grad.norm() for weight in weights.values())
        for name, weight in weights.items():
            assert (
                stacked[name].grad[i] - weight.grad
            ).norm() < 1e-4 * weight.grad.norm() + 1e-6 * scale, name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.Adam])
def test_updates_are_those_of_torch(dtype, kind):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(3, 50, dtype=dtype, generator=generator)
    gradients = torch.randn(20, 3, 50, dtype=dtype, generator=generator) * torch.logspace(
        -6, 2, 50, dtype=dtype
    )
    lr, decay = [1e-3, 1e-2, 1e-2], [1.0, 1.0, 0.1]
    weights, exp_avg, exp_avg_sq = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    rates, decays = (torch.tensor(values, dtype=torch.float64)[:, None] for values in (lr, decay))
    for step, gradient in enumerate(gradients, 1):
        adam_(
            weights,
            gradient,
            exp_avg,
            exp_avg_sq,
            step,
            lr=rates,
            weight_decay=decays,
            betas=(0.9, 0.98),
            eps=1e-8,
            decoupled=kind is torch.optim.AdamW,
        )
    ends = []
    for i in range(3):
        weight = start[i].clone().requires_grad_()
        optimizer = kind(
            [weight], lr=lr[i], weight_decay=decay[i], betas=(0.9, 0.98), eps=1e-8, fused=True
        )
        for gradient in gradients:
            weight.grad = gradient[i]
            optimizer.step()
        ends.append(weight.detach())
        assert (weights[i] - weight).abs().max() < 20 * torch.finfo(dtype).eps * weight.abs().max()
    assert (ends[1] - start[1] - (ends[2] - start[2])).abs().max() > 1e-3, (
        "a member with another's weight decay would be seen"
    )


DIFFERENT = [
    (0, 1e-3, 1.0, 0),
    (1, 3e-3, 1.0, 1),
    (2, 1e-3, 0.1, 0),
]  # split, learning rate, weight decay, initial weights


def different(act_fn: str):
    model = ModelConfig(d_model=32, n_heads=4, d_head=8, d_mlp=64, act_fn=act_fn)
    schedule = TrainConfig(steps=200, log_every=20)
    return [
        (
            tasks.modular_addition(13, 0.6, seed=split),
            dataclasses.replace(model, seed=seed),
            dataclasses.replace(schedule, lr=lr, weight_decay=decay),
        )
        for split, lr, decay, seed in DIFFERENT
    ]


def test_200_steps_in_float64_are_each_members_own(monkeypatch):
    """In the precision in which what differs is the algorithm."""
    initial = models.initial_weights
    monkeypatch.setattr(
        models,
        "initial_weights",
        lambda config: {name: weight.double() for name, weight in initial(config).items()},
    )
    members = [
        (task, RunConfig(model.for_task(task), config)) for task, model, config in different("relu")
    ]
    cpu = torch.device("cpu")
    stacked = StackedTrainer([task for task, _ in members], [config for _, config in members], cpu)
    for _ in range(200):
        stacked.update()
    losses = stacked.take_losses()
    ends = [state["weights"] for state in stacked.states()]
    for i, (task, config) in enumerate(members):
        trainer = Trainer(task, config, cpu)
        for _ in range(200):
            trainer.update()
        own = torch.stack(trainer.losses)
        assert own[-1] < 0.5 * own[0], "200 steps must be enough to learn something"
        assert ((losses[:, i] - own) / own).abs().max() < 1e-8
        for name, weight in trainer.weights.items():
            assert (ends[i][name] - weight).abs().max() < 1e-8, name
    assert (ends[0]["embed.W_E"] - ends[2]["embed.W_E"]).abs().max() > 1e-3, "members must differ"


def test_200_float32_steps_of_different_members_in_one_batch(tmp_path, monkeypatch):
    batches = []
    monkeypatch.setattr(
        ensemble,
        "StackedTrainer",
        lambda *arguments: batches.append(StackedTrainer(*arguments)) or batches[-1],
    )
    names = ["first", "other split and rate", "other decay"]
    runs = train_many(
        *map(list, zip(*different("gelu"), strict=True)), names=names, out=tmp_path, progress=False
    )
    assert len(batches) == 1 and [run.path for run in runs] == [tmp_path / name for name in names]
    for i, (member, run) in enumerate(zip(different("gelu"), runs, strict=True)):
        own = train(*member, out=tmp_path / f"{i}", progress=False)
        assert own.metrics["train_loss"].iloc[-1] < 0.5 * own.metrics["train_loss"].iloc[0]
        assert_same(run, own, 1e-4)
    assert distance(runs[0], runs[2]) > 1e-2, "members must differ"


# Runs


def test_members_are_ordinary_runs(together, alone, tmp_path, capsys):
    for run, own in zip(together, alone, strict=True):
        assert_same(run, own, 1e-4)
        assert run.path.name == f"seed_{run.config.model.seed}"
    assert min(distance(together[0], other) for other in together[1:]) > 0.1, "seeds must differ"
    assert cli.main(["verify", str(together[0].path.parent)]) == 0
    assert distance(export(together[1], tmp_path / "exported"), together[1]) == 0


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_members_train_with_the_users_gradients_off(together, tmp_path, mode):
    with mode():
        runs = many(tasks.modular_addition(7, frac_train=0.6), tmp_path)
        assert not torch.is_grad_enabled()
    for run, on in zip(runs, together, strict=True):
        assert_same(run, on, 0)


def test_finished_members_are_returned_as_they_are(together, small_task):
    manifests = [(run.path / "run.json").read_bytes() for run in together]
    again = many(small_task, together[0].path.parent)
    one = train(
        small_task, together[2].config.model, SMALL_TRAINING, out=together[2].path, progress=False
    )
    assert [run.path for run in again] == [run.path for run in together] and distance(
        one, together[2]
    ) == 0
    assert [(run.path / "run.json").read_bytes() for run in together] == manifests


def test_one_configuration_without_seeds_is_a_run_in_out(small_task, alone, tmp_path):
    (run,) = train_many(small_task, SMALL_MODEL, SMALL_TRAINING, out=tmp_path, progress=False)
    assert run.path == tmp_path
    assert_same(run, alone[0], 1e-4)


def test_members_that_do_not_fit_together_are_trained_one_batch_after_the_other(
    small_task, tmp_path
):
    control = tasks.exponentiated_addition(7, 2, 3, frac_train=0.6)  # other labels: fits
    larger = tasks.modular_addition(5, 0.6)
    configs = [
        SMALL_TRAINING,
        SMALL_TRAINING,
        SMALL_TRAINING,
        dataclasses.replace(SMALL_TRAINING, steps=20),
    ]
    given = [small_task, control, larger, small_task]
    runs = train_many(
        given, SMALL_MODEL, configs, names=list("abcd"), out=tmp_path / "many", progress=False
    )
    for name, task, config, run in zip("abcd", given, configs, runs, strict=True):
        assert_same(
            run, train(task, SMALL_MODEL, config, out=tmp_path / name, progress=False), 1e-4
        )


def test_all_pairs_for_training_has_no_test_loss(tmp_path):
    (run,) = train_many(
        tasks.modular_addition(3, 1.0),
        SMALL_MODEL,
        TrainConfig(steps=2),
        out=tmp_path,
        progress=False,
    )
    assert run.metrics["test_loss"].isna().all() and run.metrics["train_loss"].notna().all()


def test_published_loss_by_name(small_task, alone, tmp_path):
    config = dataclasses.replace(SMALL_TRAINING, loss="float64_log_softmax")
    (run,) = train_many(small_task, SMALL_MODEL, config, out=tmp_path, progress=False)
    assert run.metrics["train_loss"].iloc[-1] == pytest.approx(
        alone[0].metrics["train_loss"].iloc[-1], rel=1e-3
    )


# Chunks


@pytest.mark.parametrize(
    ("n", "most", "sizes"), [(64, 60, [32, 32]), (5, 2, [1, 2, 2]), (3, 9, [3]), (2, 1, [1, 1])]
)
def test_chunks_are_even_and_few(n, most, sizes):
    members = list(range(n))
    chunks = list(evenly(members, most))
    assert [member for chunk in chunks for member in chunk] == members and [
        len(chunk) for chunk in chunks
    ] == sizes


@pytest.mark.parametrize("chunk", [1, 2])
def test_chunks_change_nothing(small_task, together, tmp_path, chunk):
    for run, whole in zip(many(small_task, tmp_path, chunk=chunk), together, strict=True):
        assert_same(run, whole, 1e-4)


def test_by_default_chunks_are_what_memory_allows(small_task, tmp_path, monkeypatch):
    sizes = []

    def stacked(given, *arguments):
        sizes.append(len(given))
        return StackedTrainer(given, *arguments)

    monkeypatch.setattr(ensemble, "StackedTrainer", stacked)
    monkeypatch.setattr(
        ensemble, "CPU_BYTES", 2.5 * bytes_per_member(small_task, SMALL_MODEL.for_task(small_task))
    )
    train_many(
        small_task, SMALL_MODEL, TrainConfig(steps=1), seeds=range(4), out=tmp_path, progress=False
    )
    assert sizes == [2, 2]


# Stopped and continued


class Killed(BaseException):
    pass


def stop_at(patch, trainer: type, step: int, stop) -> None:
    update = trainer.update

    def stops(self):
        if self.step == step:
            stop(self)
        update(self)

    patch.setattr(trainer, "update", stops)


def die(trainer) -> None:
    raise Killed


def press_ctrl_c(trainer) -> None:
    os.kill(os.getpid(), signal.SIGINT)  # in the middle of a step


@pytest.mark.parametrize("last_update", [0, 39])
def test_killed_members_go_on_bit_for_bit(small_task, together, tmp_path, monkeypatch, last_update):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        stop_at(patch, StackedTrainer, last_update, die)
        many(small_task, tmp_path)
    assert {Run.load(tmp_path / f"seed_{seed}").step for seed in SEEDS} == {
        20 if last_update else 0
    }
    for run, whole in zip(many(small_task, tmp_path), together, strict=True):
        assert_same(run, whole, 0)


def test_ctrl_c_saves_all_and_train_goes_on_from_there(small_task, alone, tmp_path, monkeypatch):
    handler = signal.getsignal(signal.SIGINT)
    message = (
        f"stopped at step 34, saved in {tmp_path / 'seed_0'} and 2 others; the same call goes on"
    )
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt, match=message):
        stop_at(patch, StackedTrainer, 33, press_ctrl_c)
        many(small_task, tmp_path)
    assert signal.getsignal(signal.SIGINT) is handler
    for own in alone:
        folder = tmp_path / f"seed_{own.config.model.seed}"
        assert Run.load(folder).step == 34
        assert_same(
            train(small_task, own.config.model, SMALL_TRAINING, out=folder, progress=False),
            own,
            1e-4,
        )


def test_train_many_goes_on_from_what_train_has_left(small_task, alone, tmp_path, monkeypatch):
    """One interrupted between two rows of metrics, one after a snapshot, one not begun: three
    batches.
    """
    for seed, (step, stop, error) in enumerate(
        [(13, press_ctrl_c, KeyboardInterrupt), (33, die, Killed)]
    ):
        with monkeypatch.context() as patch, pytest.raises(error):
            stop_at(patch, Trainer, step, stop)
            train(
                small_task,
                alone[seed].config.model,
                SMALL_TRAINING,
                out=tmp_path / f"seed_{seed}",
                progress=False,
            )
    assert [Run.load(tmp_path / f"seed_{seed}").step for seed in range(2)] == [14, 20]
    for run, own in zip(many(small_task, tmp_path), alone, strict=True):
        assert_same(run, own, 1e-4)


def test_a_loss_that_is_not_finite_stops_its_member_alone(small_task, alone, tmp_path):
    configs = [
        SMALL_TRAINING,
        dataclasses.replace(SMALL_TRAINING, lr=1e30, warmup_steps=0, weight_decay=0.0),
        SMALL_TRAINING,
    ]
    given = {"names": ["good", "bad", "too"], "out": tmp_path, "progress": False}
    for _ in range(2):  # and the second time too
        message = (
            rf"^the training loss is not finite at step \d+; the run in {tmp_path}/bad is "
            r"kept as of step \d+\. Try .* than 1e\+30$"
        )
        with pytest.raises(FloatingPointError, match=message):
            train_many(small_task, SMALL_MODEL, configs, **given)
        for name in ("good", "too"):
            assert_same(Run.load(tmp_path / name), alone[0], 1e-4)
        bad = Run.load(tmp_path / "bad")
        bad.verify()
        assert not bad.finished and bad.metrics["train_loss"].notna().all()


def test_a_broken_state_never_replaces_a_good_one(small_task, tmp_path, monkeypatch):
    """Saves between log steps look at the weights: here Ctrl-C comes when one member's have just
    broken.
    """
    update = StackedTrainer.update

    def breaks(trainer):
        update(trainer)
        if trainer.step == 33:
            trainer.weights.data[1, 0] = float("nan")
            press_ctrl_c(trainer)

    monkeypatch.setattr(StackedTrainer, "update", breaks)
    with pytest.raises(KeyboardInterrupt, match="stopped at step 33"):
        many(small_task, tmp_path)
    assert [Run.load(tmp_path / f"seed_{seed}").step for seed in SEEDS] == [33, 20, 33]


def test_a_folder_in_use_or_of_another_run_is_left_alone(small_task, tmp_path):
    train(small_task, SMALL_MODEL, TrainConfig(steps=1), out=tmp_path / "seed_2", progress=False)
    with pytest.raises(ValueError, match="seed_2 holds another run"):
        many(small_task, tmp_path)
    (tmp_path / "other" / "seed_1").mkdir(parents=True)
    with (
        storage.exclusive(tmp_path / "other" / "seed_1"),
        pytest.raises(storage.RunInUse, match="seed_1"),
    ):
        many(small_task, tmp_path / "other")
    assert not list(tmp_path.rglob("seed_[01]/run.json")), (
        "nothing is trained before all folders are looked at"
    )


def test_a_member_that_another_process_trains_meanwhile(small_task, tmp_path, monkeypatch):
    """Between the look at all folders and the turn of its chunk."""

    def chunks(members, most):
        train(small_task, SMALL_MODEL, SMALL_TRAINING, out=tmp_path / "seed_0", progress=False)
        return [members]

    monkeypatch.setattr(ensemble, "evenly", chunks)
    with pytest.raises(
        storage.RunInUse,
        match=r"another process has trained .*seed_1 in the meantime; make the same call again",
    ):
        many(small_task, tmp_path)


# What is asked for


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tasks": tasks.sorting(16, 5)},
            "sorting draws fresh inputs at every step: set TrainConfig.batch_size",
        ),
        (
            {"tasks": tasks.sorting(16, 5), "train_configs": TrainConfig(steps=1, batch_size=8)},
            "finitely many inputs and one label each",
        ),
        ({"tasks": "two labels"}, "finitely many inputs and one label each"),
        (
            {"model_configs": dataclasses.replace(SMALL_MODEL, n_layers=2)},
            "set ModelConfig.n_layers = 1, .* got 2, None and",
        ),
        (
            {"model_configs": dataclasses.replace(SMALL_MODEL, normalization="LN")},
            "ModelConfig.normalization = None and .* got 1, 'LN' and",
        ),
        (
            {"train_configs": TrainConfig(steps=1, forward="hooked")},
            'set .* TrainConfig.forward = "auto", got 1, None and "hooked"; or use train',
        ),
        (
            {"train_configs": TrainConfig(steps=1, dropout=0.1)},
            r"train_many does not have dropout, got TrainConfig.dropout = 0.1; use train",
        ),
        (
            {"train_configs": TrainConfig(steps=1, grokfast="ma")},
            'does not have a window of gradients, got TrainConfig.grokfast = "ma"; use train',
        ),
        ({"tasks": "weights"}, "does not have weighted losses, as this task has; use train"),
        (
            {"train_configs": [TrainConfig(steps=1)] * 2},
            "2 configurations need names=, a list of 2 names of folders in",
        ),
        (
            {"train_configs": [TrainConfig(steps=1)] * 2, "names": ["a"]},
            "all lists of one length; got .* {'train_configs': 2, 'names': 1}",
        ),
        (
            {"train_configs": [TrainConfig(steps=1)] * 2, "names": ["a", "a"]},
            "a folder of its own: give distinct names and seeds",
        ),
        ({"seeds": [0, 1, 0]}, "a folder of its own: give distinct names and seeds"),
        ({"seeds": []}, "a folder of its own"),
        ({"model_configs": []}, "all lists of one length; got .* {'model_configs': 0}"),
        ({"chunk": 0}, "chunk must be an integer of at least 1, or None, got 0"),
    ],
)
def test_what_cannot_be_trained_together_is_refused(small_task, tmp_path, changes, message):
    if changes.get("tasks") == "two labels":
        two = torch.stack([small_task.labels, small_task.labels % 2], 1)
        changes = {
            "tasks": dataclasses.replace(small_task, labels=two, n_classes=(7, 2), operation=None)
        }
    if changes.get("tasks") == "weights":
        changes = {"tasks": dataclasses.replace(small_task, weights=(2.0,))}
    given = {
        "tasks": small_task,
        "model_configs": SMALL_MODEL,
        "train_configs": TrainConfig(steps=1),
        **changes,
    }
    with pytest.raises(ValueError, match=message):
        train_many(given.pop("tasks"), **given, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_every_part_of_a_configuration_is_stacked_or_refused():
    """A field that is new must be heeded by StackedTrainer or refused by members.list_members; then
    add it here.
    """
    model = (
        "d_model n_heads d_head d_mlp n_layers act_fn biases init positions attention seed "
        "n_ctx d_vocab d_vocab_out normalization init_scale"
    )
    training = (
        "steps batch_size lr weight_decay betas eps warmup_steps log_every snapshot_every "
        "forward loss products deterministic optimiser momentum weight_norm perp_grad"
    )
    training += (
        " dropout dropout_mask grokfast grokfast_lambda grokfast_alpha grokfast_window "
        "grokfast_start"
    )
    for config, heeded in ((ModelConfig, model), (TrainConfig, training)):
        assert {field.name for field in dataclasses.fields(config)} == set(heeded.split())


def test_progress_bar_shows_the_median_losses(small_task, tmp_path, capsys):
    train_many(small_task, SMALL_MODEL, TrainConfig(steps=3), seeds=range(2), out=tmp_path)
    shown = capsys.readouterr().err
    assert (
        "modular_addition, 2 runs: 100%" in shown
        and "median train_loss=" in shown
        and "median test_loss=" in shown
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_trains_the_same_models(small_task, alone, tmp_path):
    for run, own in zip(many(small_task, tmp_path, device="cuda"), alone, strict=True):
        assert run.metrics["train_loss"].iloc[-1] == pytest.approx(
            own.metrics["train_loss"].iloc[-1], rel=1e-2
        )


def test_the_verdict_is_that_of_each_alone(tmp_path: Path):
    """One generalises and one only memorises, together and alone."""
    task = tasks.modular_addition(23, 0.75)
    model = ModelConfig(d_model=64, n_heads=2, d_head=16, d_mlp=128)
    groks = TrainConfig(steps=400, lr=4e-3, weight_decay=2.0, log_every=50, snapshot_every=None)
    configs = {"groks": groks, "memorises": dataclasses.replace(groks, weight_decay=0.0)}
    runs = train_many(
        task,
        model,
        list(configs.values()),
        names=list(configs),
        out=tmp_path / "many",
        progress=False,
    )
    runs += [
        train(task, model, config, out=tmp_path / name, progress=False)
        for name, config in configs.items()
    ]
    ends = [run.metrics.iloc[-1] for run in runs]
    assert all(end["train_accuracy"] == 1 for end in ends)
    assert all(end["test_accuracy"] > 0.95 for end in ends[::2]) and all(
        end["test_accuracy"] < 0.85 for end in ends[1::2]
    )


def test_an_optimiser_without_a_version_for_members_is_refused(small_task, tmp_path, monkeypatch):
    monkeypatch.delitem(MEMBERS_OPTIMISERS, "adam")
    with pytest.raises(
        ValueError,
        match=r"the optimisers \['adamw', 'muon', 'sgd'\], got TrainConfig.optimiser = 'adam'",
    ):
        train_many(
            small_task,
            SMALL_MODEL,
            TrainConfig(optimiser="adam"),
            out=tmp_path / "out",
            progress=False,
        )
    assert not (tmp_path / "out").exists()
