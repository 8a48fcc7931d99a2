"""Lines over training, or over anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.plots.style import GREEN, ORANGE, SKY, again, new_figure, to_numpy

if TYPE_CHECKING:
    import pandas as pd

FEW = 8  # rows of a table that gets markers: a line through one point would be invisible


def curves(
    table: pd.DataFrame,
    columns: Mapping[str, str],
    *,
    title: str,
    y_title: str,
    x: str = "step",
    x_title: str = "training step",
    log_y: bool = False,
    phases: Mapping[str, tuple[int, int]] | None = None,
) -> go.Figure:
    """Lines over training. columns: column name -> legend name; phases: name -> (first step, last
    step), drawn as bands below the lines.
    """
    fig = new_figure()
    for index, (column, name) in enumerate(columns.items()):
        fig.add_scatter(
            x=table[x],
            y=to_numpy(table[column]),
            name=name,
            mode="lines" if len(table) > FEW else "lines+markers",
            line_dash=again(index, ("solid", "dash", "dot")),
        )
    fig.update_layout(title=title)
    fig.update_xaxes(title=x_title)
    fig.update_yaxes(title=y_title)
    if log_y:
        fig.update_yaxes(type="log", exponentformat="power", dtick=1)
    for color, (name, (start, end)) in zip(
        (SKY, ORANGE, GREEN), (phases or {}).items(), strict=False
    ):
        fig.add_vrect(
            x0=start,
            x1=end,
            fillcolor=color,
            opacity=0.15,
            line_width=0,
            layer="below",
            name=name,
            showlegend=True,
        )
    return fig


def loss_curves(
    metrics: pd.DataFrame,
    phases: Mapping[str, tuple[int, int]] | None = None,
    title: str = "Loss over training",
) -> go.Figure:
    """Train and test loss of a run's metrics, logarithmic."""
    columns = {"train_loss": "train", "test_loss": "test"}
    return curves(
        metrics, columns, title=title, y_title="cross-entropy (nats)", log_y=True, phases=phases
    )


def lines(
    series: Mapping[str, Float[Tensor, "n"]],
    *,
    title: str,
    x_title: str,
    y_title: str,
    x: Float[Tensor, "n"] | Int[Tensor, "n"] | Sequence[float] | None = None,
) -> go.Figure:
    """One line with markers per series, over x; default 1, 2, 3, ..."""
    fig = new_figure()
    for name, values in series.items():
        places = np.arange(1, len(values) + 1) if x is None else to_numpy(x)
        fig.add_scatter(
            x=places,
            y=to_numpy(values),
            name=name,
            mode="lines+markers",
            marker_size=5,
            showlegend=len(series) > 1,
        )
    return fig.update_layout(
        title=title, xaxis_title=x_title, yaxis_title=y_title, yaxis_rangemode="tozero"
    )
