"""One template and one renderer for every figure; colours that the colour-blind can tell apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from torch import Tensor

if TYPE_CHECKING:
    import pandas as pd

# Okabe and Ito's palette, in an order whose first two differ most.
BLUE, ORANGE, GREEN, PINK, SKY, RED, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#000000",
)
PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, RED, BLACK)
GREY = "#B0B0B0"
WIDTH, HEIGHT = 900, 450

pio.templates["interp_utils"] = go.layout.Template(
    layout=go.Layout(
        width=WIDTH,
        height=HEIGHT,
        colorway=PALETTE,
        font={"size": 14},
        title={"x": 0.5, "xanchor": "center"},
        margin={"l": 80, "r": 30, "t": 80, "b": 70},
        legend={"bgcolor": "rgba(255,255,255,0.7)"},
        xaxis={"automargin": True},
        yaxis={"automargin": True},
    )
)
pio.templates.default = "plotly_white+interp_utils"
# The default renderer leaves exported HTML blank.
pio.renderers.default = os.environ.get("PLOTLY_RENDERER", "plotly_mimetype+notebook_connected")


def again(index: int, marks: Sequence[str]) -> str:
    """What tells line or point `index` from the one of the same colour: the next mark each time the
    palette starts again.
    """
    return marks[index // len(PALETTE) % len(marks)]


def to_numpy(values: Tensor | Sequence | pd.Series) -> np.ndarray:
    """float32 on the CPU: what plotly draws fast and exports small."""
    if isinstance(values, Tensor):
        values = values.detach().float().cpu().numpy()
    return np.asarray(values, dtype=np.float32)
