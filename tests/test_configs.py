import dataclasses
import json

import numpy as np
import pytest
import torch

from interp_utils import ModelConfig, TrainConfig, tasks
from interp_utils.configs import log_then_even


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(d_model=7, biases="mlp", n_ctx=3),
        TrainConfig(betas=(0.8, 0.9), snapshot_every=None),
    ],
)
def test_json_and_back(config):
    assert type(config).from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ModelConfig(d_model=0),
            "ModelConfig.d_model must be an integer of at least 1, got 0",
        ),
        (
            lambda: ModelConfig(d_mlp=2.0),
            "ModelConfig.d_mlp must be an integer of at least 1, got 2.0",
        ),
        (
            lambda: ModelConfig(act_fn="tanh"),
            "ModelConfig.act_fn must be one of .*'relu'.*, got 'tanh'",
        ),
        (lambda: ModelConfig(biases="some"), "ModelConfig.biases must be one of"),
        (lambda: ModelConfig(init="zero"), "ModelConfig.init must be one of"),
        (lambda: TrainConfig(steps=0), "TrainConfig.steps must be an integer of at least 1, got 0"),
        (lambda: TrainConfig(lr=0.0), "TrainConfig.lr must be a finite number above 0.0, got 0.0"),
        (
            lambda: TrainConfig(lr=float("nan")),
            "TrainConfig.lr must be a finite number above 0.0, got nan",
        ),
        (
            lambda: TrainConfig(weight_decay=-1.0),
            "TrainConfig.weight_decay must be a finite number of at least 0.0, got -1.0",
        ),
        (
            lambda: TrainConfig(betas=(0.9, 1.0)),
            r"TrainConfig.betas must be two numbers in \[0, 1\)",
        ),
        (lambda: TrainConfig(forward="fast"), "TrainConfig.forward must be one of .*'table'"),
        (lambda: TrainConfig(loss="mse"), "TrainConfig.loss must be one of"),
    ],
)
def test_bad_values_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_unknown_or_missing_fields_are_named():
    values = TrainConfig().to_json()
    del values["lr"]
    with pytest.raises(ValueError, match=r"missing: \['lr'\], unknown: \['speed'\]"):
        TrainConfig.from_json({**values, "speed": 1})


def test_a_configuration_for_another_p_is_refused():
    config = ModelConfig().for_task(tasks.modular_addition(11))
    assert (config.n_ctx, config.d_vocab, config.d_vocab_out) == (3, 12, 11)
    with pytest.raises(
        ValueError, match="modular_addition needs ModelConfig.d_vocab = 14, got 12; leave it None"
    ):
        config.for_task(tasks.modular_addition(13))


def test_configurations_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig().d_model = 3


@pytest.mark.parametrize(
    ("last", "every", "expected"),
    [
        (0, 5, [0]),
        (3, 100, [0, 1, 2, 3]),
        (20, 5, [0, 1, 2, 4, 5, 10, 15, 20]),
        (11, 4, [0, 1, 2, 4, 8, 11]),
        (2, 1, [0, 1, 2]),
    ],
)
def test_schedule_doubles_and_then_is_even(last, every, expected):
    assert log_then_even(last, every) == expected


NUMPY = {
    "steps": np.int64(40),
    "lr": np.float64(2e-3),
    "weight_decay": np.array(2.0),
    "betas": np.array([0, 0.98]),
    "warmup_steps": torch.tensor(3),
    "snapshot_every": None,
    "deterministic": np.bool_(True),
}


@pytest.mark.usefixtures("as_a_user")
def test_numbers_of_numpy_and_torch_are_numbers():
    config = TrainConfig(**NUMPY)
    plain = TrainConfig(
        steps=40, lr=2e-3, weight_decay=2.0, betas=(0.0, 0.98), warmup_steps=3, snapshot_every=None
    )
    assert config == plain and json.dumps(config.to_json()) == json.dumps(plain.to_json())
    assert ModelConfig(seed=np.uint8(7), d_mlp=np.int32(9)) == ModelConfig(seed=7, d_mlp=9)
    assert TrainConfig(betas=[0, np.float64(0.5)]) == TrainConfig(betas=(0.0, 0.5))


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("value", [True, np.bool_(True), np.array([1e-3]), "0.1", 1e-3j])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match=r"TrainConfig.lr must be a finite number above 0.0, got"):
        TrainConfig(lr=value)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    "changes",
    [
        {"steps": True},
        {"steps": np.float64(3.0)},
        {"betas": (True, 0.9)},
        {"betas": 0.9},
        {"betas": np.array([[0.9, 0.98]])},
        {"betas": (0.9, 0.98, 0.99)},
        {"warmup_steps": False},
    ],
)
def test_bools_and_other_shapes_are_no_settings(changes):
    with pytest.raises(ValueError, match=f"TrainConfig.{next(iter(changes))} must be"):
        TrainConfig(**changes)
