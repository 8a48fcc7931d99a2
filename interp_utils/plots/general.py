"""Curves, images, points: figures of anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Complex, Float, Int
from plotly.subplots import make_subplots
from torch import Tensor

from interp_utils.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, RED, SKY, again, to_numpy

if TYPE_CHECKING:
    import pandas as pd


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
    step), drawn as bands.
    """
    fig = go.Figure()
    for index, (column, name) in enumerate(columns.items()):
        fig.add_scatter(
            x=table[x],
            y=to_numpy(table[column]),
            name=name,
            mode="lines",
            line_dash=again(index, ("solid", "dash", "dot")),
        )
    fig.update_layout(title=title)
    fig.update_xaxes(title=x_title)
    fig.update_yaxes(
        title=y_title, **({"type": "log", "exponentformat": "power", "dtick": 1} if log_y else {})
    )
    for color, (name, (start, end)) in zip(
        (SKY, ORANGE, GREEN), (phases or {}).items(), strict=False
    ):
        fig.add_vrect(
            x0=start,
            x1=end,
            fillcolor=color,
            opacity=0.15,
            line_width=0,
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
    fig = go.Figure()
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


def bars(
    series: Mapping[str, Float[Tensor, "n"]], *, title: str, x_title: str, y_title: str
) -> go.Figure:
    """One row of bars per series, over 0, 1, 2, ..."""
    rows = {name: go.Bar(y=to_numpy(values)) for name, values in series.items()}
    return stacked_bars(rows, title=title, x_title=x_title, y_title=y_title)


def stacked_bars(
    rows: Mapping[str, go.Bar], *, title: str, x_title: str, y_title: str
) -> go.Figure:
    """Bars in rows, one above the other, with one x axis."""
    fig = make_subplots(
        rows=len(rows),
        shared_xaxes=True,
        vertical_spacing=min(0.1, 0.3 / len(rows)),
        subplot_titles=list(rows),
    )
    for row, trace in enumerate(rows.values(), start=1):
        fig.add_trace(trace, row=row, col=1)
        fig.update_yaxes(title=y_title, rangemode="tozero", row=row, col=1)
    fig.update_xaxes(title=x_title, row=len(rows), col=1)
    height = 160 + (230 if len(rows) < 5 else 150) * len(rows)
    return fig.update_layout(
        title=title, showlegend=False, margin_t=110, height=height, bargap=0.15
    )


def points(
    table: pd.DataFrame,
    x: str,
    y: str,
    names: Sequence[str],
    *,
    title: str,
    x_title: str,
    y_title: str,
    log_y: bool = False,
) -> go.Figure:
    """A point per row of the table, in a colour and symbol per name."""
    fig = go.Figure()
    for index, name in enumerate(dict.fromkeys(names)):
        own = table[[other == name for other in names]]
        marker = {"size": 9, "symbol": again(index, ("circle", "diamond", "square"))}
        fig.add_scatter(
            x=to_numpy(own[x]), y=to_numpy(own[y]), name=name, mode="markers", marker=marker
        )
    fig.update_layout(title=title, xaxis_title=x_title, yaxis_title=y_title)
    return fig.update_yaxes(type="log", dtick=1, exponentformat="power") if log_y else fig


def complex_plane(
    panels: Mapping[str, Complex[Tensor, "n"]], *, title: str, columns: int = 3
) -> go.Figure:
    """One panel per set of complex numbers (eigenvalues), equal scales on both axes; left of the
    line, negative, is red.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    fig = make_subplots(
        rows, columns, subplot_titles=list(panels), horizontal_spacing=0.09, vertical_spacing=0.16
    )
    for index, values in enumerate(panels.values()):
        place = {"row": index // columns + 1, "col": index % columns + 1}
        marker = {"color": np.where(to_numpy(values.real) < 0, RED, BLUE), "size": 7}
        fig.add_trace(
            go.Scatter(
                x=to_numpy(values.real), y=to_numpy(values.imag), mode="markers", marker=marker
            ),
            **place,
        )
        fig.add_vline(x=0, line={"color": GREY, "width": 1}, **place)
        fig.update_xaxes(title="real part", **place)
        fig.update_yaxes(
            title="imaginary part", scaleanchor=f"x{index + 1 if index else ''}", **place
        )
    return fig.update_layout(title=title, showlegend=False, height=110 + 340 * rows)


def heatmap(
    values: Float[Tensor, "row column"],
    *,
    title: str,
    x_title: str,
    y_title: str,
    color_title: str = "",
    diverging: bool = True,
    x: Sequence | None = None,
    y: Sequence | None = None,
) -> go.Figure:
    """A matrix as an image, first row on top. diverging: white at zero; otherwise dark is large."""
    fig = go.Figure(
        go.Heatmap(
            z=to_numpy(values),
            x=x,
            y=y,
            colorscale="RdBu" if diverging else "Viridis",
            zmid=0 if diverging else None,
            colorbar={"title": {"text": color_title, "side": "right"}},
        )
    )
    fig.update_layout(title=title, width=640, height=600)
    fig.update_xaxes(title=x_title, constrain="domain")
    fig.update_yaxes(
        title=y_title,
        autorange="reversed",
        scaleanchor="x" if values.shape[0] == values.shape[1] else None,
    )
    return fig


def heatmaps(
    panels: Mapping[str, Float[Tensor, "row column"]],
    *,
    title: str,
    x_title: str,
    y_title: str,
    color_title: str = "",
    columns: int = 2,
) -> go.Figure:
    """Several matrices with one colour scale, dark is large."""
    rows = -(-len(panels) // columns)
    fig = make_subplots(
        rows, columns, subplot_titles=list(panels), horizontal_spacing=0.1, vertical_spacing=0.14
    )
    for index, values in enumerate(panels.values()):
        place = {"row": index // columns + 1, "col": index % columns + 1}
        fig.add_trace(go.Heatmap(z=to_numpy(values), coloraxis="coloraxis"), **place)
        fig.update_xaxes(title=x_title, constrain="domain", **place)
        fig.update_yaxes(
            title=y_title,
            autorange="reversed",
            scaleanchor=f"x{index + 1 if index else ''}",
            **place,
        )
    height = 110 + rows * (130 + 520 // columns)
    return fig.update_layout(
        title=title,
        height=height,
        coloraxis={"colorscale": "Viridis", "colorbar": {"title": color_title}},
    )


def histograms(
    samples: Mapping[str, Float[Tensor, "n"]],
    *,
    title: str,
    x_title: str,
    y_title: str,
    threshold: float | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> go.Figure:
    """Overlaid histograms, 40 bins between the limits, with a line at a threshold."""
    low, high = limits
    bins = {"start": low, "end": high + (high - low) * 1e-4, "size": (high - low) / 40}
    fig = go.Figure()
    for name, values in samples.items():
        fig.add_histogram(x=to_numpy(values), name=name, opacity=0.75, xbins=bins)
    if threshold is not None:
        fig.add_vline(
            x=threshold,
            line={"dash": "dash", "color": BLACK},
            annotation_text=f"threshold {threshold}",
            annotation_position="top left",
        )
    return fig.update_layout(
        title=title, barmode="overlay", xaxis_title=x_title, yaxis_title=y_title
    )


def strips(
    table: pd.DataFrame,
    columns: Sequence[str],
    *,
    marks: pd.Series,
    title: str,
    mark_name: str = "paper",
) -> go.Figure:
    """One panel per column: a point per row of the table, named on hover, and a line at the marked
    (published) value.
    """
    fig = make_subplots(1, len(columns), subplot_titles=list(columns), horizontal_spacing=0.12)
    for col, column in enumerate(columns, start=1):
        spread = np.linspace(-0.3, 0.3, len(table))  # so that equal values do not hide each other
        points = go.Scatter(
            x=to_numpy(spread),
            y=to_numpy(table[column].astype(float)),
            mode="markers",
            text=list(table.index),
            name="runs",
        )
        fig.add_trace(
            points.update(marker={"color": BLUE, "size": 9}, showlegend=col == 1), row=1, col=col
        )
        mark = go.Scatter(
            x=[-0.4, 0.4],
            y=to_numpy([marks[column]] * 2),
            mode="lines",
            name=mark_name,
            showlegend=col == 1,
        )
        fig.add_trace(mark.update(line={"color": RED, "dash": "dash"}), row=1, col=col)
        fig.update_xaxes(visible=False, range=[-0.6, 0.6], row=1, col=col)
        fig.update_yaxes(title="value" if col == 1 else None, row=1, col=col)
    return fig.update_layout(title=title)


def token_scatters(
    panels: Mapping[str, Float[Tensor, "token 2"]],
    *,
    title: str,
    axis_title: str,
    columns: int = 2,
    order: Mapping[str, Sequence[int]] | None = None,
) -> go.Figure:
    """One square panel per set of points, coloured by token. order: joins a panel's tokens in this
    order.
    """
    rows = -(-len(panels) // columns)
    fig = make_subplots(
        rows, columns, subplot_titles=list(panels), horizontal_spacing=0.1, vertical_spacing=0.16
    )
    for index, (name, points) in enumerate(panels.items()):
        place = {"row": index // columns + 1, "col": index % columns + 1}
        xy = to_numpy(points)
        if order and name in order:
            loop = xy[[*order[name], order[name][0]]]
            fig.add_trace(
                go.Scatter(
                    x=loop[:, 0],
                    y=loop[:, 1],
                    mode="lines",
                    line={"color": GREY, "width": 1},
                    hoverinfo="skip",
                ),
                **place,
            )
        tokens = np.arange(len(xy))
        marker = {
            "color": tokens,
            "colorscale": "Viridis",
            "size": 7,
            "showscale": index == 0,
            "colorbar": {"title": "token"},
        }
        fig.add_trace(
            go.Scatter(
                x=xy[:, 0],
                y=xy[:, 1],
                mode="markers",
                marker=marker,
                text=[str(token) for token in tokens],
                hovertemplate="token %{text}",
            ),
            **place,
        )
        fig.update_xaxes(title=f"{axis_title} 1", **place)
        fig.update_yaxes(
            title=f"{axis_title} 2", scaleanchor=f"x{index + 1 if index else ''}", **place
        )
    return fig.update_layout(title=title, showlegend=False, height=110 + 390 * rows)
