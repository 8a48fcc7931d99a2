"""Tensors and tables in, plotly figures out (returned, never shown). One template; colours that the colour-blind can tell apart."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

if TYPE_CHECKING:
    import pandas as pd

# Okabe and Ito's palette, in an order whose first two differ most.
BLUE, ORANGE, GREEN, PINK, SKY, RED, BLACK = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000"
GREY = "#B0B0B0"
WIDTH, HEIGHT = 900, 450

pio.templates["interp_utils"] = go.layout.Template(
    layout=go.Layout(
        width=WIDTH,
        height=HEIGHT,
        colorway=[BLUE, ORANGE, GREEN, PINK, SKY, RED, BLACK],
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
    """Lines over training. columns: column name -> legend name; phases: name -> (first step, last step), drawn as bands."""
    fig = go.Figure([go.Scatter(x=table[x], y=to_numpy(table[column]), name=name, mode="lines") for column, name in columns.items()])
    fig.update_layout(title=title)
    fig.update_xaxes(title=x_title)
    fig.update_yaxes(title=y_title, **({"type": "log", "exponentformat": "power", "dtick": 1} if log_y else {}))
    for color, (name, (start, end)) in zip((SKY, ORANGE, GREEN), (phases or {}).items(), strict=False):
        fig.add_vrect(x0=start, x1=end, fillcolor=color, opacity=0.15, line_width=0, name=name, showlegend=True)
    return fig


def loss_curves(metrics: pd.DataFrame, phases: Mapping[str, tuple[int, int]] | None = None, title: str = "Loss over training") -> go.Figure:
    """Train and test loss of a run's metrics, logarithmic."""
    columns = {"train_loss": "train", "test_loss": "test"}
    return curves(metrics, columns, title=title, y_title="cross-entropy (nats)", log_y=True, phases=phases)


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
    fig.update_yaxes(title=y_title, autorange="reversed", scaleanchor="x" if values.shape[0] == values.shape[1] else None)
    return fig


def frequency_bars(
    spectra: Mapping[str, Float[Tensor, "freq"]],
    *,
    title: str,
    y_title: str,
    keys: Sequence[int] = (),
    first: int = 1,
) -> go.Figure:
    """One row of bars per spectrum; index 0 is frequency `first`. Key frequencies are coloured and named."""
    fig = make_subplots(rows=len(spectra), shared_xaxes=True, vertical_spacing=0.3 / len(spectra), subplot_titles=list(spectra))
    for row, values in enumerate(spectra.values(), start=1):
        fig.add_trace(_bars(values, keys, first), row=row, col=1)
        fig.update_yaxes(title=y_title, rangemode="tozero", row=row, col=1)
    fig.update_xaxes(title="frequency k (cycles per p tokens)", row=len(spectra), col=1)
    return fig.update_layout(title=_with_keys(title, keys), showlegend=False, height=160 + 230 * len(spectra), bargap=0.15)


def component_bars(
    values: Float[Tensor, "component"], names: Sequence[str], *, title: str, y_title: str, keys: Sequence[int] = ()
) -> go.Figure:
    """One bar per basis function: cosines and sines in two colours. names: "cos 1", "sin 1", ...; key frequencies are named on the axis."""
    fig = go.Figure()
    kinds = [name.split()[0] for name in names]
    frequencies = [int(name.split()[1]) for name in names]
    for kind, color in (("cos", BLUE), ("sin", ORANGE)):
        own = [i for i, other in enumerate(kinds) if other == kind]
        x = [frequencies[i] for i in own]
        fig.add_bar(x=x, y=to_numpy(values[own]), name=kind, marker_color=color, hovertemplate=kind + " %{x}: %{y:.3g}<extra></extra>")
    fig.update_xaxes(title="frequency k (cycles per p tokens)", **({"tickvals": list(keys)} if keys else {}))
    fig.update_yaxes(title=y_title)
    return fig.update_layout(title=title, barmode="group", bargap=0.1)


def lines(series: Mapping[str, Float[Tensor, "n"]], *, title: str, x_title: str, y_title: str) -> go.Figure:
    """One line with markers per series, over 1, 2, 3, ..."""
    fig = go.Figure()
    for name, values in series.items():
        fig.add_scatter(x=np.arange(1, len(values) + 1), y=to_numpy(values), name=name, mode="lines+markers", marker_size=5)
    return fig.update_layout(title=title, xaxis_title=x_title, yaxis_title=y_title, yaxis_rangemode="tozero")


def spectrum_over_training(
    steps: Sequence[int], spectra: Float[Tensor, "step freq"], *, title: str, y_title: str, keys: Sequence[int] = (), first: int = 1
) -> go.Figure:
    """Bars per frequency, with a slider and a play button over the steps."""
    frames = [go.Frame(data=[_bars(values, keys, first)], name=str(step)) for step, values in zip(steps, spectra, strict=True)]
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    play = {"fromcurrent": True, "frame": {"duration": 120, "redraw": True}, "transition": {"duration": 0}}
    fig = go.Figure(data=frames[0].data, frames=frames)
    fig.update_xaxes(title="frequency k (cycles per p tokens)")
    fig.update_yaxes(title=y_title, range=[0, 1.05 * float(spectra.max())])
    return fig.update_layout(
        title=_with_keys(title, keys),
        height=560,
        sliders=[
            {
                "currentvalue": {"prefix": "training step "},
                "pad": {"t": 60},
                "steps": [{"label": frame.name, "method": "animate", "args": [[frame.name], still]} for frame in frames],
            }
        ],
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "x": 0,
                "y": 1.02,
                "xanchor": "left",
                "yanchor": "bottom",
                "buttons": [
                    {"label": "play", "method": "animate", "args": [None, play]},
                    {"label": "pause", "method": "animate", "args": [[None], still]},
                ],
            }
        ],
    )


def token_scatters(
    panels: Mapping[str, Float[Tensor, "token 2"]],
    *,
    title: str,
    axis_title: str,
    columns: int = 2,
    order: Mapping[str, Sequence[int]] | None = None,
) -> go.Figure:
    """One square panel per set of points, coloured by token. order: joins a panel's tokens in this order."""
    rows = -(-len(panels) // columns)
    fig = make_subplots(rows, columns, subplot_titles=list(panels), horizontal_spacing=0.1, vertical_spacing=0.16)
    for index, (name, points) in enumerate(panels.items()):
        place = {"row": index // columns + 1, "col": index % columns + 1}
        xy = to_numpy(points)
        if order and name in order:
            loop = xy[[*order[name], order[name][0]]]
            fig.add_trace(go.Scatter(x=loop[:, 0], y=loop[:, 1], mode="lines", line={"color": GREY, "width": 1}, hoverinfo="skip"), **place)
        tokens = np.arange(len(xy))
        marker = {"color": tokens, "colorscale": "Viridis", "size": 7, "showscale": index == 0, "colorbar": {"title": "token"}}
        fig.add_trace(
            go.Scatter(
                x=xy[:, 0], y=xy[:, 1], mode="markers", marker=marker, text=[str(token) for token in tokens], hovertemplate="token %{text}"
            ),
            **place,
        )
        fig.update_xaxes(title=f"{axis_title} 1", **place)
        fig.update_yaxes(title=f"{axis_title} 2", scaleanchor=f"x{index + 1 if index else ''}", **place)
    return fig.update_layout(title=title, showlegend=False, height=110 + 390 * rows)


def to_numpy(values: Tensor | Sequence | pd.Series) -> np.ndarray:
    """float32 on the CPU: what plotly draws fast and exports small."""
    if isinstance(values, Tensor):
        values = values.detach().float().cpu().numpy()
    return np.asarray(values, dtype=np.float32)


def _with_keys(title: str, keys: Sequence[int]) -> str:
    """The title, and under it which bars are coloured and why."""
    names = ", ".join(map(str, keys))
    return f'{title}<br><span style="font-size:13px;color:{RED}">key frequencies {names}</span>' if keys else title


def _bars(values: Tensor, keys: Sequence[int], first: int) -> go.Bar:
    heights = to_numpy(values)
    frequencies = np.arange(first, first + len(heights))
    colors = [RED if k in keys else BLUE for k in frequencies]
    return go.Bar(x=frequencies, y=heights, marker_color=colors, hovertemplate="frequency %{x}: %{y:.3g}<extra></extra>")
