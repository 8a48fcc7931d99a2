"""Arrays as text in a page, where `page.js` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from interp_utils.plots.pages import compressed

LEVELS = 48  # shades of a colour: enough for the eye, and few enough to pack well


def pack(
    arrays: Mapping[str, np.ndarray], colours: Mapping[str, np.ndarray]
) -> tuple[dict[str, Any], str]:
    """A pair: where each array lies, and all arrays as base64 of gzip.

    arrays:  float32, as they are.
    colours: "step which ...", each rounded to LEVELS between its own least and largest value, and
             stored as differences between steps, most of which are 0 in a trained model.
    """
    blob, places = bytearray(), {}

    def put(array: np.ndarray) -> int:
        start = len(blob)
        blob.extend(np.ascontiguousarray(array).tobytes())
        return start

    for name, array in arrays.items():
        places[name] = {"shape": array.shape, "at": put(array.astype("<f4")), "kind": "float"}
    for name, array in colours.items():
        axes = tuple(range(2, array.ndim))
        low, high = (edge(axes, keepdims=True) for edge in (array.min, array.max))
        step = np.where(high > low, (high - low) / (LEVELS - 1), 1)
        rounded = np.rint((array - low) / step).astype(np.uint8)
        scale = np.stack([low, step], -1).astype("<f4")
        places[name] = {"shape": array.shape, "scale": put(scale), "kind": "colour"}
        places[name] |= {"at": put(np.diff(rounded, axis=0, prepend=np.uint8(0)))}
    return places, compressed(bytes(blob))
