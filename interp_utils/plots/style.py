"""One template for every figure; colours that the colour-blind can tell apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from plotly.subplots import make_subplots
from torch import Tensor

if TYPE_CHECKING:
    import pandas as pd

# Okabe and Ito's palette, ordered so that the first two colours differ most.
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
CYCLIC = "IceFire"  # its ends are the same colour, and no two of its colours are grey alike
WIDTH, HEIGHT = 900, 450

TEMPLATE = pio.templates.merge_templates(
    "plotly_white",
    go.layout.Template(
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
    ),
)


def new_figure(**options: Any) -> go.Figure:
    """An empty figure with the suite's template; options are those of go.Figure."""
    return go.Figure(**options).update_layout(template=TEMPLATE)


def subplots(*shape: int, **options: Any) -> go.Figure:
    """Empty panels with the suite's template; rows, columns and options are those of
    plotly.subplots.make_subplots.
    """
    return make_subplots(*shape, **options).update_layout(template=TEMPLATE)


def use_in_notebooks() -> None:
    """Makes figures show in JupyterLab and in pages exported from it, and gives figures of other
    libraries the suite's template. A renderer named by the variable PLOTLY_RENDERER is kept.

    This call changes plotly's defaults for the process; importing the suite does not.
    """
    # The renderer that plotly chooses by itself leaves exported pages blank.
    pio.renderers.default = os.environ.get("PLOTLY_RENDERER", "plotly_mimetype+notebook_connected")
    pio.templates.default = TEMPLATE


def again(index: int, marks: Sequence[str]) -> str:
    """The mark of line or point `index`, which tells it from others of the same colour: the next
    one each time the palette starts again.
    """
    return marks[index // len(PALETTE) % len(marks)]


def to_numpy(values: Tensor | Sequence | pd.Series) -> np.ndarray:
    """The values in float32 on the CPU, which plotly draws fast and exports small."""
    if isinstance(values, Tensor):
        values = values.detach().float().cpu().numpy()
    return np.asarray(values, dtype=np.float32)
