"""Everything public on a GPU, by a stand-in for one: with float64, and without it."""

import dataclasses
import functools
import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

from interp_utils import (
    CachedModel,
    TrainConfig,
    devices,
    experiments,
    models,
    multitask,
    plots,
    tasks,
    train,
    train_many,
    trajectories,
)
from interp_utils.devices import for_double
from interp_utils.experiments.sequences import parity, reading, stream
from interp_utils.models.blocks import BlocksConfig
from interp_utils.models.phasor import PhasorConfig
from tests.accelerator import accelerator, waits
from tests.arguments import (
    FUNCTIONS,
    Place,
    arguments,
    functions,
    is_on_groups,
    leaves,
    random,
    table,
)
from tests.small import SMALL_MODEL

CPU = torch.device("cpu")


@pytest.fixture(params=[True, False], ids=["float64", "no float64"])
def device(request):
    with accelerator(request.param) as device:
        yield device


def test_the_stand_in_is_strict():
    with accelerator() as device:
        ours, cpu = torch.arange(3.0, device=device), torch.ones(3)
        assert ours.device == device and (ours + 1).device == device and ours.cpu().device == CPU
        for mix in (lambda: ours + cpu, lambda: ours.gather(0, torch.tensor([0]))):
            with pytest.raises(RuntimeError, match="expected all tensors to be on the same device"):
                mix()
        assert (ours[torch.tensor([0, 2])] * torch.tensor(2.0)).tolist() == [0, 4]
        assert torch.tensor([1], device=device).device == device
        assert ours.double().dtype == torch.float64
    with accelerator(float64=False) as device, pytest.raises(TypeError, match="float64"):
        torch.ones(3, device=device).double()


def test_the_stand_in_counts_what_waits_for_it():
    with accelerator() as device:
        ours = torch.arange(3.0, device=device)
        ours.mul_(2).sum()
        assert not waits
        for read in (lambda: ours.sum().item(), ours.tolist, ours.nonzero, lambda: ours[ours > 1]):
            before = waits.total()
            read()
            assert waits.total() == before + 1


ON_CPU: dict[str, Any] = {}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_on_the_device_of_its_input(name, device, small_run):
    """The same numbers, on the same device; and again where labels, masks and names are on the
    CPU. Functions on groups compute on the CPU, wherever their arguments are.
    """
    function = FUNCTIONS[name]
    if name not in ON_CPU:  # the same for both stand-ins
        ON_CPU[name] = function(**arguments(name, table(small_run, Place(CPU, CPU))))
    expected, has_float64 = ON_CPU[name], for_double(device) == device
    for rows in (device, CPU) if has_float64 else (device,):
        given = arguments(name, table(small_run, Place(device, rows)))
        used = {x.device for x in leaves(given) if isinstance(x, Tensor)}
        used |= {device} if {"model", "ablations", "device"} & given.keys() else set()
        on_device = device in used and not is_on_groups(name)
        compare(function(**given), expected, device if on_device else CPU)


def compare(result, expected, device) -> None:
    """What is float64 may be on the CPU, where the device has none."""
    for own, other in zip(leaves(result), leaves(expected), strict=True):
        if isinstance(own, Tensor):
            assert own.dtype == other.dtype
            assert own.device == (for_double(device) if own.dtype == torch.float64 else device)
            torch.testing.assert_close(own.cpu(), other, rtol=1e-5, atol=1e-6, equal_nan=True)
        elif isinstance(own, float):
            assert own == pytest.approx(other, rel=1e-5, abs=1e-6, nan_ok=True)
        else:
            assert own == other


DRAWN = {
    "bars": {"series": {"a": random(5)}},
    "histograms": {"samples": {"a": random(5)}},
    "lines": {"series": {"a": random(5)}, "x": random(5, seed=1)},
    "staircase": {"values": {"a": random(6)}, "stairs": 2},
    "lines_in_space": {"lines": random(3, 3), "orbits": [0, 1, 1], "vectors": {"a": random(4, 3)}},
    "heatmap": {"values": random(3, 4)},
    "heatmaps": {"panels": {"a": random(3, 4)}},
    "polar": {"panels": {"a": torch.tensor([3, 1, 2])}},
    "token_scatters": {"panels": {"a": random(7, 2)}, "axis_title": ""},
    "complex_plane": {"panels": {"a": torch.complex(random(4), random(4, seed=1))}},
    "frequency_bars": {"spectra": {"a": random(5).exp()}, "keys": [2]},
    "component_bars": {"values": random(5), "names": list("abcde"), "keys": [1]},
    "spectrum_over_training": {"steps": [0, 5], "spectra": random(2, 4).exp(), "keys": [2]},
    "phase_circles": {"panels": {"a": random(4)}, "values": torch.arange(4), "color_title": ""},
    "raster": {"layers": {"a": (torch.tensor([0, 50]), random(2))}},
    "interference": {"panels": {"waves": {"a": random(7)}}, "answer": 3},
    "to_numpy": {"values": random(3)},
}
DRAWING = {
    name.rpartition(".")[2]: function
    for name, function in functions(plots).items()
    if "Tensor" in str(inspect.signature(function))
}


@pytest.mark.parametrize("name", DRAWING)
def test_a_figure_of_tensors_on_a_gpu(name, device):
    function, given = DRAWING[name], DRAWN[name]
    needed = inspect.signature(function).parameters
    given |= {title: "" for title in needed if title in ("title", "x_title", "y_title")}

    def moved(value):
        if isinstance(value, dict):
            return {name: moved(part) for name, part in value.items()}
        return value.to(device) if isinstance(value, Tensor) else value

    assert str(function(**moved(given))) == str(function(**given))


SCHEDULE = TrainConfig(steps=9, log_every=1000, snapshot_every=None)
ADDITION = tasks.modular_addition(7, 0.6)
SORTING = tasks.sorting(16, (2, 5), n_validation=20, n_test=20)
REMAINDERS = tasks.remainders(7, 0.6)
FRESH = dataclasses.replace(SCHEDULE, batch_size=16)
TRAININGS = {
    "table": (ADDITION, SMALL_MODEL, SCHEDULE),
    "hooked": (ADDITION, SMALL_MODEL, dataclasses.replace(SCHEDULE, forward="hooked")),
    "published loss": (
        ADDITION,
        SMALL_MODEL,
        dataclasses.replace(SCHEDULE, loss="float64_log_softmax"),
    ),
    "several answers": (
        REMAINDERS,
        SMALL_MODEL,
        dataclasses.replace(SCHEDULE, dropout=0.1, grokfast="ema"),
    ),
    "moving average": (
        ADDITION,
        SMALL_MODEL,
        dataclasses.replace(SCHEDULE, grokfast="ma", grokfast_window=3),
    ),
    "adam": (ADDITION, SMALL_MODEL, dataclasses.replace(SCHEDULE, optimiser="adam")),
    "muon": (ADDITION, SMALL_MODEL, dataclasses.replace(SCHEDULE, optimiser="muon")),
    "sgd, StableMax, perpGrad, constant norm": (
        ADDITION,
        SMALL_MODEL,
        dataclasses.replace(
            SCHEDULE, optimiser="sgd", loss="stablemax", perp_grad=True, weight_norm=5.0
        ),
    ),
    "mini-batches": (ADDITION, SMALL_MODEL, dataclasses.replace(SCHEDULE, batch_size=8)),
    "hooked mini-batches": (
        ADDITION,
        SMALL_MODEL,
        dataclasses.replace(SCHEDULE, batch_size=8, forward="hooked"),
    ),
    "sequences": (SORTING, SMALL_MODEL, FRESH),
    "hooked sequences": (SORTING, SMALL_MODEL, dataclasses.replace(FRESH, forward="hooked")),
}


def trained(setting, out, device, steps=9):
    task, model, training = setting
    training = dataclasses.replace(training, steps=steps)
    return train(task, model, training, out=out, device=device, progress=False)


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory):
    """One of TRAININGS on the CPU, once for both stand-ins."""
    return functools.cache(
        lambda name: trained(TRAININGS[name], tmp_path_factory.mktemp("cpu"), "cpu")
    )


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_is_the_same_on_a_gpu(name, device, on_cpu, tmp_path):
    expected = on_cpu(name)
    run = trained(TRAININGS[name], tmp_path / "gpu", device)
    compare(run.raw_metrics, expected.raw_metrics, CPU)
    compare(run.weights(), expected.weights(), CPU)
    assert next(run.model(device=device).parameters()).device == device


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_waits_for_the_gpu_at_logged_steps_only(name, tmp_path):
    """Between steps 8 and 9, or 8 and 14, nothing is logged and nothing saved."""
    counts = []
    for steps in (9, 14):
        with accelerator() as device:
            trained(TRAININGS[name], tmp_path / str(steps), device, steps)
            counts.append(waits.total())
    assert counts[0] == counts[1] > 0


MANY = {
    "full batch": {},
    "mini-batches, Grokfast": {"batch_size": 8, "grokfast": "ema"},
    "Muon": {"optimiser": "muon"},
}


@pytest.mark.parametrize("name", MANY)
def test_many_trainings_on_a_gpu(name, device, tmp_path):
    settings = {"seeds": range(3), "progress": False}
    training = dataclasses.replace(SCHEDULE, **MANY[name])
    expected, runs = (
        train_many(ADDITION, SMALL_MODEL, training, out=tmp_path / name, device=name, **settings)
        for name in ("cpu", str(device))
    )
    for run, own in zip(runs, expected, strict=True):
        compare(run.raw_metrics, own.raw_metrics, CPU)
        compare(run.weights(), own.weights(), CPU)


@pytest.mark.parametrize("name", MANY)
def test_many_trainings_wait_for_the_gpu_at_logged_steps_only(name, tmp_path):
    counts = []
    for steps in (9, 14):
        with accelerator() as device:
            training = dataclasses.replace(SCHEDULE, steps=steps, **MANY[name])
            out = tmp_path / str(steps)
            train_many(
                ADDITION,
                SMALL_MODEL,
                training,
                seeds=range(3),
                out=out,
                device=device,
                progress=False,
            )
            counts.append(waits.total())
    assert counts[0] == counts[1] > 0


def test_nothing_but_the_default_decides_where_things_are(device, monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "default", lambda: device)
    run = train(ADDITION, SMALL_MODEL, SCHEDULE, out=tmp_path / "run", progress=False)
    assert CachedModel(run.model(), run.task).logits.device == device
    built = models.from_weights(run.config.model, run.weights())
    assert next(built.parameters()).device == device
    assert trajectories.follow(run, lambda model: model.device, progress=False) == dict.fromkeys(
        run.steps, device
    )
    assert trajectories.headline(run) == trajectories.headline(run, device)


def test_a_bridge_is_built_where_it_is_asked_for(device):
    config = dataclasses.replace(SMALL_MODEL, biases="all").for_task(ADDITION)
    weights = models.initial_weights(config)
    weights = {name: random(*w.shape, seed=seed) for seed, (name, w) in enumerate(weights.items())}
    model = models.build(config, weights, device, bridge=True)
    assert {weight.device for weight in model.parameters()} == {device}
    logits = CachedModel(model, ADDITION).logits
    assert logits.device == device
    expected = CachedModel(models.build(config, weights, "cpu"), ADDITION).logits
    torch.testing.assert_close(logits.cpu(), expected, rtol=1e-4, atol=1e-4)


OF_EXPERIMENTS = {
    "addition": tasks.modular_addition(7, 0.6),
    "powers": tasks.exponentiated_addition(11, 3, 7, 0.6),
    "remainders": REMAINDERS,
    "sorting": SORTING,
    "groups": tasks.group_composition("S3", 0.6),
    "phasors": tasks.modular_addition(7, 0.6),
    "blocks": tasks.modular_addition(7, 0.6),
    "gcd": tasks.gcd(6, 900, n_validation=20, n_test=60, n_gcds=6, per_gcd=20),
    "primes": tasks.primality(300, 6),
    "sequences": tasks.integer_sequences(n_validation=80, n_test=400),
}
OF_STREAMS = ("sorting", "gcd", "sequences")
MODELS = {
    "phasors": PhasorConfig(hidden=(8,)),
    "blocks": BlocksConfig(d_model=8, n_heads=2, d_mlp=16),
    "gcd": dataclasses.replace(SMALL_MODEL, biases="all"),
    "primes": dataclasses.replace(SMALL_MODEL, biases="all"),
    "sequences": dataclasses.replace(SMALL_MODEL, attention="bidirectional"),
}


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """A short run of an experiment's task, by the experiment's name."""

    @functools.cache
    def run(name):
        task = OF_EXPERIMENTS[name]
        config = FRESH if name in OF_STREAMS else SCHEDULE
        out = tmp_path_factory.mktemp(name)
        model = MODELS.get(name, SMALL_MODEL)
        return train(task, model, config, out=out, device="cpu", progress=False)

    return run


def test_what_was_learned_is_the_same_on_a_gpu(device, run_of):
    run = run_of("remainders")
    compare(multitask.learned(run, device), multitask.learned(run, "cpu"), CPU)
    assert waits


ROWS_ON_CPU: dict[str, Any] = {}


@pytest.mark.parametrize("name", [n for n, e in experiments.every().items() if e.shipped])
def test_an_experiments_row_and_history_on_a_gpu(name, device, run_of, monkeypatch):
    monkeypatch.setattr(reading, "EACH", 40)  # inputs drawn: where they are is the same
    monkeypatch.setattr(stream, "EACH", 40)
    monkeypatch.setattr(parity, "RISING", 50)
    run = run_of(name)
    experiment = experiments.of(run)
    assert experiment.name == name
    if name not in ROWS_ON_CPU:  # the same for both stand-ins
        history = experiment.history(run, device="cpu", progress=False)
        ROWS_ON_CPU[name] = experiment.row(run, "cpu"), history
        assert not waits
    expected = ROWS_ON_CPU[name]
    monkeypatch.setattr(devices, "default", lambda: device)
    compare(experiment.row(run), expected[0], CPU)
    of_row = waits.total()
    compare(experiment.history(run, progress=False), expected[1], CPU)
    assert waits.total() > of_row > 0, "the GPU is what is taken where nothing is said"
