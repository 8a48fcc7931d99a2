"""Tasks as version 0.1 stored them: with a name and a grid, but no kind or layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from interp_utils.tasks.powers import powers


def upgrade(
    about: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What this version would have stored for the same task.

    Assumptions of version 0.1 (operands at the first positions, number n as token n, x^a + y^b) are
    stated only where they are true of the stored inputs and labels.
    """
    if "n_classes" not in about:  # every finite task has stored this entry
        return {**about, "kind": "sorting"}, dict(tensors)
    grid, params = about.get("grid"), about["params"]
    layout = {"positions": [], "answer_pos": -1, "outputs": None, "d_vocab_out": None}
    new = {"weights": None, "operation": None, "split_known": True, **about, **layout}
    new |= {"kind": "table"}
    new.pop("grid", None)
    tensors = dict(tensors)
    if grid is not None and _are_operands(grid, tensors["tokens"].long()):
        new["positions"] = list(range(len(grid)))
        tensors |= {f"operand_{i}": torch.arange(size) for i, size in enumerate(grid)}
        if set(params) >= {"p", "primes", "digit_order"}:
            low_first = params["digit_order"] == "low_first"
            places = [1, params["p"]] if low_first else [params["p"], 1]
            new |= {"kind": "remainders", "places": places}
        elif grid == [params.get("p")] * 2 and len(about["n_classes"]) == 1:
            _state_power_sum(new, tensors)
    return new, tensors


def _are_operands(grid: list[int], tokens: Tensor) -> bool:
    expected = torch.cartesian_prod(*[torch.arange(size) for size in grid])
    columns = tokens[:, : len(grid)]
    return expected.view(len(tokens), -1).equal(columns)


def _state_power_sum(about: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """States x^a + y^b where it holds, or where the labels are those of a shuffled control."""
    params = about["params"]
    p, a, b = params["p"], params.get("a", 1), params.get("b", 1)
    u, v = powers(p, a), powers(p, b)
    holds = ((u[:, None] + v) % p).flatten().equal(tensors["labels"].long())
    if not holds and "labels_seed" not in params:
        return
    about["operation"] = {"holds": holds}
    tensors |= {"u": u, "v": v, "classes": torch.arange(p)}
    if "a" in params:
        about |= {"kind": "power_sum", "exponents": [a, b]}
