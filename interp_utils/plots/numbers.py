"""Figures of integers, and of a model's answers modulo several integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Int
from plotly.colors import sample_colorscale
from torch import Tensor

from interp_utils.plots.style import BLUE, RED, new_figure, subplots, to_numpy

if TYPE_CHECKING:
    import pandas as pd


def answer_curves(
    metrics: pd.DataFrame, measure: str, *, title: str, y_title: str, log_y: bool = False
) -> go.Figure:
    """A line for each answer (columns "test_accuracy/2", "test_accuracy/3", ...) over log-scaled
    steps, from dark (the first) to light.
    """
    answers = {
        name.removeprefix(f"{measure}/"): name for name in metrics if name.startswith(f"{measure}/")
    }
    trained = metrics[metrics["step"] > 0]  # a logarithm has no place for step 0
    fig = new_figure()
    for (answer, column), color in zip(
        answers.items(),
        sample_colorscale("Viridis", np.linspace(0, 0.95, max(2, len(answers)))),
        strict=False,
    ):
        fig.add_scatter(
            x=trained["step"],
            y=to_numpy(trained[column]),
            name=answer,
            mode="lines",
            line={"color": color, "width": 1.5},
        )
    fig.update_xaxes(title="training step", type="log", exponentformat="power", dtick=1)
    fig.update_yaxes(title=y_title)
    if log_y:
        fig.update_yaxes(type="log", exponentformat="power", dtick=1)
    return fig.update_layout(
        title=title,
        legend={"title": "q", "tracegroupgap": 0, "font": {"size": 10}},
        height=max(520, 200 + 19 * len(answers)),
    )


def answer_map(
    metrics: pd.DataFrame, measure: str, *, title: str, color_title: str, level: float = 0.99
) -> go.Figure:
    """A row for each answer (columns "test_accuracy/2", "test_accuracy/3", ...), over the logged
    steps from left to right; bright is large. A dot marks the step, if there is one, from which the
    measure is at least `level` to the end.

    Raises ValueError for metrics without such columns.
    """
    trained = metrics[metrics["step"] > 0].reset_index(drop=True)
    columns = [name for name in metrics if name.startswith(f"{measure}/")]
    if not columns:
        raise ValueError(
            f"these metrics have no columns {measure}/..., one for each answer, but only "
            f"{', '.join(map(str, metrics))}: pass the metrics of a run with several answers"
        )
    answers = [name.removeprefix(f"{measure}/") for name in columns]
    steps = [f"{step:,}" for step in trained["step"]]
    fig = new_figure()
    fig.add_heatmap(
        z=to_numpy(trained[columns].to_numpy().T),
        x=steps,
        y=answers,
        zmin=0,
        zmax=1,
        colorscale="Viridis",
        colorbar={"title": {"text": color_title, "side": "right"}},
    )
    below = {
        answer: trained.index[trained[name] < level]
        for answer, name in zip(answers, columns, strict=True)
    }
    first = {answer: rows[-1] + 1 if len(rows) else 0 for answer, rows in below.items()}
    reached = {answer: row for answer, row in first.items() if row < len(trained)}
    fig.add_scatter(
        x=[steps[row] for row in reached.values()],
        y=list(reached),
        mode="markers",
        marker={"color": RED, "size": 7, "line": {"color": "white", "width": 1}},
        name=f"from here at least {level:.0%}",
        showlegend=True,
    )
    fig.update_xaxes(title="training step (every logged step)", type="category", nticks=12)
    fig.update_yaxes(title="q", type="category", autorange="reversed", dtick=1)
    return fig.update_layout(
        title=title,
        height=max(420, 190 + 17 * len(answers)),
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )


def polar(panels: Mapping[str, Int[Tensor, "n"]], *, title: str) -> go.Figure:
    """Integers n at radius n and angle n, in radians, with one panel per set of integers."""
    fig = subplots(
        1, len(panels), specs=[[{"type": "polar"}] * len(panels)], subplot_titles=list(panels)
    )
    for column, n in enumerate(panels.values(), start=1):
        radius = to_numpy(n)
        dots = go.Scatterpolar(
            r=radius,
            theta=np.degrees(n.cpu().double().numpy() % (2 * np.pi)).astype(np.float32),
            mode="markers",
        )
        fig.add_trace(
            dots.update(marker={"size": 2, "color": BLUE}, showlegend=False), row=1, col=column
        )
    fig.update_polars(radialaxis={"showticklabels": False}, angularaxis={"showticklabels": False})
    return fig.update_layout(title=title, margin_t=120)
