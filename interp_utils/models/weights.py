"""Weights of any family: dicts of tensors by name, and the forms in which people keep weights."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def check_weights(weights: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ValueError unless `weights` has exactly these names and shapes, and finite values."""
    if weights.keys() != shapes.keys():
        missing, unknown = (
            sorted(shapes.keys() - weights.keys()),
            sorted(weights.keys() - shapes.keys()),
        )
        raise ValueError(
            f"weights do not fit the model: missing {missing or 'none'}, unknown "
            f"{unknown or 'none'}"
        )
    for name, shape in shapes.items():
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"{name} must have shape {shape}, got {tuple(weights[name].shape)}")
        if not weights[name].is_floating_point():
            raise ValueError(f"{name} must have real numbers, got {weights[name].dtype}")
        if not weights[name].isfinite().all():
            raise ValueError(f"{name} has values that are not finite (NaN or infinity)")


def state_dict_in(saved: Any, anchor: str) -> dict[str, Tensor]:
    """The tensors by name in what was saved: `saved` itself (its arrays may be NumPy's), or the one
    state dict among its entries, e.g. {"model": ..., "optimizer": ...}.

    anchor: the name of a weight that every model of the kind has, perhaps after a prefix.
    Raises TypeError/ValueError where there is no state dict, more than one, or a list.
    """
    if isinstance(saved, nn.Module):
        raise TypeError(
            f"expected weights by name, got a {type(saved).__name__}: pass its state_dict()"
        )
    if isinstance(saved, list | tuple):
        raise ValueError(_of_a_list("weights", saved))
    if not isinstance(saved, Mapping):
        raise TypeError(f"expected a dict of tensors by name, got a {type(saved).__name__}")
    saved = {
        name: torch.as_tensor(weight) if isinstance(weight, np.ndarray) else weight
        for name, weight in saved.items()
    }
    if _is_state_dict(saved):
        return saved
    inside = [found for found in _state_dicts(saved, "weights") if _anchors(found[1], anchor)]
    if len(inside) == 1:
        return dict(inside[0][1])
    if inside:
        places = ", ".join(place for place, _ in inside)
        raise ValueError(f"there are several state dicts in these weights: pass one of {places}")
    for key, value in saved.items():
        if isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
            raise ValueError(_of_a_list(f"weights[{key!r}]", value))
    no_tensors = [key for key, value in saved.items() if not isinstance(value, Tensor)]
    raise ValueError(
        f"expected a dict of tensors by name; these entries are not tensors: {no_tensors[:5]}; "
        f"leave them out"
    )


def _of_a_list(place: str, checkpoints: list | tuple) -> str:
    return (
        f"{place} is a list of {len(checkpoints)} checkpoints: pass one of them, e.g. {place}[-1], "
        f"or make a run of them all: Run.from_checkpoints({place}, ...)"
    )


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) for name in value)
        and all(isinstance(weight, Tensor) for weight in value.values())
    )


def _state_dicts(saved: Mapping, place: str) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """Every state dict within, with the Python expression for it."""
    for key, value in saved.items():
        here = f"{place}[{key!r}]"
        if _is_state_dict(value):
            yield here, value
        elif isinstance(value, Mapping):
            yield from _state_dicts(value, here)


def _anchors(names: Iterable[str], anchor: str) -> list[str]:
    return [name for name in names if name == anchor or name.endswith(f".{anchor}")]


def without_prefix(weights: Mapping[str, Tensor], anchor: str) -> dict[str, Tensor]:
    """The weights without the prefix that all names have, e.g. "_orig_mod." of torch.compile or
    "module." of DataParallel.

    Raises ValueError, naming the prefix, where only some names have it.
    """
    anchors = _anchors(weights, anchor)
    if len(anchors) > 1:
        raise ValueError(
            f"these are the weights of several models ({', '.join(anchors)}): pass those of one"
        )
    prefix = anchors[0].removesuffix(anchor) if anchors else ""
    others = [name for name in weights if not name.startswith(prefix)]
    if others:
        raise ValueError(
            f"the names of these weights begin with {prefix!r}, except {', '.join(others[:3])}: "
            f"leave these out"
        )
    return {name.removeprefix(prefix): weight for name, weight in weights.items()}


def say_cast(weights: Mapping[str, Tensor], into: Mapping[str, Tensor], why: str) -> None:
    """Warns of weights that are cast to another dtype, naming both dtypes and the reason."""
    casts = {(str(weight.dtype), str(into[name].dtype)) for name, weight in weights.items()}
    said = [f"{before} become {after}" for before, after in sorted(casts) if before != after]
    if said:
        warnings.warn(f"weights of {' and '.join(said)}, {why}", stacklevel=4)
