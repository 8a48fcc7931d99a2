"""Half precision is for storing: what is computed from it is computed in float32 at least."""

import math

import pytest
import torch
from torch import Tensor

from interp_utils import algorithm, neurons, progress
from interp_utils.losses import LOSSES
from tests import planted
from tests.arguments import FUNCTIONS, Place, arguments, leaves, table

CPU = torch.device("cpu")
OF_TENSORS = [name for name in FUNCTIONS if name.startswith(("losses.", "analysis."))]


def cast(value, dtype):
    """A tensor, or all tensors in a value, of this floating-point type."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, dict):
        return {name: cast(part, dtype) for name, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(cast(part, dtype) for part in value))
    if callable(value):
        return lambda *given: cast(value(*given), dtype)
    return type(value)(cast(x, dtype) for x in value) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", OF_TENSORS)
def test_half_precision_gives_the_numbers_of_float32_and_float64(name, half, small_run):
    function, given = FUNCTIONS[name], arguments(name, table(small_run, Place(CPU, CPU)))
    given = cast(given, half)
    found = list(leaves(function(**given)))
    in_float32 = leaves(function(**cast(given, torch.float32)))
    in_float64 = leaves(function(**cast(given, torch.float64)))
    for own, single, double in zip(found, in_float32, in_float64, strict=True):
        if isinstance(own, Tensor):
            assert own.dtype == single.dtype, "nothing comes back in half precision"
            torch.testing.assert_close(own, single, rtol=1e-5, atol=1e-7, equal_nan=True)
            torch.testing.assert_close(
                own.to(double.dtype), double, rtol=1e-3, atol=1e-5, equal_nan=True
            )
        elif isinstance(own, float):
            assert own == pytest.approx(single, rel=1e-5, abs=1e-7, nan_ok=True)
            assert own == pytest.approx(double, rel=1e-3, abs=1e-5, nan_ok=True)
        else:
            assert own == single == double


# In float32 log-softmax is 0 there, which is why no training has it by default.
SMALL = dict.fromkeys(LOSSES, 2.061153620314381e-09)
SMALL |= {"stablemax": math.log(22 / 21), "cosine": -19, "log_softmax": 0.0}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_small_loss_of_half_logits_is_that_of_float32(loss):
    logits = torch.tensor([[20.0, 0.0]]).half()
    found = LOSSES[loss](logits, torch.tensor([0])).item()
    assert math.isclose(found, SMALL[loss], rel_tol=1e-5)


def test_measures_of_a_clock_in_half_precision():
    """Sums of squares of these logits are beyond what half precision can say."""
    p, keys = 31, [3, 8]
    logits = planted.clock(p, {3: 30.0, 8: 20.0}).half()
    fit = algorithm.cosine_fit(logits, keys)
    assert fit.coefficients[3].item() == pytest.approx(30, rel=1e-3)
    assert fit.variance_explained == pytest.approx(1, abs=1e-4)
    loss = progress.restricted_loss(logits, planted.labels(p), keys)
    assert loss == pytest.approx(progress.mean_loss(logits, planted.labels(p)), rel=0.1)
    assert 0 < loss < 1e-4
    clustered, expected = (
        neurons.frequency_clusters(300 * x).clustered for x in (logits, logits.double())
    )
    assert clustered.equal(expected)
