"""Weights of any family, as a dict of tensors by name."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


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
        if not weights[name].isfinite().all():
            raise ValueError(f"{name} has values that are not finite (NaN or infinity)")
