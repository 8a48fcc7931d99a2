"""One default device for everything, whatever this machine has."""

import importlib
import inspect
import os
import pkgutil

import pytest
import torch

import interp_utils
from interp_utils import devices


def available(monkeypatch, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [
        (True, True, "cuda:1"),
        (True, False, "cuda:1"),
        (False, True, "mps:0"),
        (False, False, "cpu"),
    ],
)
def test_the_default_is_cuda_then_apples_gpu_then_the_cpu(monkeypatch, cuda, mps, expected):
    available(monkeypatch, cuda, mps)
    assert devices.default() == torch.device(expected) == devices.resolve()


def test_a_gpu_can_train_deterministically(monkeypatch):
    variable = "CUBLAS_WORKSPACE_CONFIG"
    monkeypatch.setenv(variable, ":16:8")
    available(monkeypatch, cuda=True, mps=False)
    devices.resolve()
    assert os.environ[variable] == ":16:8", "the user's own stays"
    monkeypatch.delenv(variable)
    devices.resolve("cpu")
    assert variable not in os.environ
    devices.resolve()
    assert os.environ[variable] == ":4096:8"


def test_a_device_that_torch_cannot_use_is_refused_by_name():
    assert devices.resolve("cpu") == torch.device("cpu") == devices.resolve(torch.device("cpu"))
    with pytest.raises(
        ValueError, match=r"device must be one that torch can use here, got 'abacus' \("
    ):
        devices.resolve("abacus")


def public_functions():
    for module in pkgutil.walk_packages(interp_utils.__path__, "interp_utils."):
        for name, found in vars(importlib.import_module(module.name)).items():
            if getattr(found, "__module__", None) != module.name or name.startswith("_"):
                continue
            if inspect.isfunction(found):
                yield found
            elif inspect.isclass(found):
                yield from (
                    method
                    for method_name, method in inspect.getmembers(found, inspect.isfunction)
                    if not method_name.startswith("_")
                )


def test_no_public_function_has_a_default_device_of_its_own():
    """None is the one default; a function that has an input takes its device."""
    own = {
        function.__qualname__: parameter.default
        for function in public_functions()
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name == "device" and parameter.default not in (None, parameter.empty)
    }
    constants = ("fourier_basis", "sum_of_pair")  # which belong to no model
    assert own == dict.fromkeys(constants, "cpu")
