"""Lines over training, or over anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.plots.style import (
    BLUE,
    GREEN,
    ORANGE,
    SKY,
    again,
    new_figure,
    subplots,
    to_numpy,
)

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
    *,
    title: str = "Loss over training",
    phases: Mapping[str, tuple[int, int]] | None = None,
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


def accuracy_panels(runs: Mapping[str, pd.DataFrame], *, title: str) -> go.Figure:
    """Train and test accuracy of several runs' metrics, a panel each, over the step plus one on a
    logarithmic axis.
    """
    rows = -(-len(runs) // 2)
    fig = subplots(rows, 2, subplot_titles=list(runs), horizontal_spacing=0.1)
    for index, metrics in enumerate(runs.values()):
        place = {"row": index // 2 + 1, "col": index % 2 + 1}
        for name, color in (("train", BLUE), ("test", ORANGE)):
            line = go.Scatter(
                x=to_numpy(metrics["step"] + 1),
                y=to_numpy(metrics[f"{name}_accuracy"]),
                name=name,
                line_color=color,
                showlegend=index == 0,
            )
            fig.add_trace(line, **place)
        fig.update_xaxes(type="log", dtick=1, title="step + 1", **place)
        fig.update_yaxes(range=[-0.03, 1.03], title="accuracy", **place)
    return fig.update_layout(title=title, height=120 + 260 * rows)
