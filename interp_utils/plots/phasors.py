"""Phases on the circle, and spikes over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils.plots.style import CYCLIC, GREY, PALETTE, subplots, to_numpy

# Where spikes of more neurons would be, lines touch.
MOST_NEURONS = 40


def phase_circles(
    panels: Mapping[str, Float[Tensor, "n"]],
    values: Int[Tensor, "n"],
    *,
    title: str,
    color_title: str,
    columns: int = 3,
) -> go.Figure:
    """Phases in units of pi as points on a circle, one panel per set, coloured by a value that each
    point has, e.g. (a + b) mod p; points of equal value have the same distance from the centre.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    fig = subplots(rows, columns, subplot_titles=list(panels), horizontal_spacing=0.06)
    radius = 0.6 + 0.4 * values / values.max().clamp(min=1)
    for index, phases in enumerate(panels.values()):
        place = {"row": index // columns + 1, "col": index % columns + 1}
        angle = math.pi * phases
        marker = {"size": 4, "color": to_numpy(values), "colorscale": CYCLIC}
        if index == 0:
            marker |= {"showscale": True, "colorbar": {"title": color_title}}
        x, y = (to_numpy(radius * wave) for wave in (angle.cos(), angle.sin()))
        fig.add_trace(go.Scatter(x=x, y=y, mode="markers", marker=marker), **place)
        anchor = f"x{index + 1 if index else ''}"
        fig.update_xaxes(range=[-1.1, 1.1], constrain="domain", visible=False, **place)
        fig.update_yaxes(scaleanchor=anchor, range=[-1.1, 1.1], visible=False, **place)
    return fig.update_layout(title=title, showlegend=False, height=120 + 300 * rows)


def raster(
    layers: Mapping[str, Sequence[Tensor]], *, title: str, x_title: str = "time (cycles)"
) -> go.Figure:
    """Spikes over time, a panel for each layer. layers: name -> (neuron, time) of each spike; of
    the first neurons, at most 40.
    """
    options = {"shared_xaxes": True, "subplot_titles": list(layers), "vertical_spacing": 0.1}
    fig = subplots(len(layers), 1, **options)
    for row, (neuron, time) in enumerate(layers.values(), start=1):
        shown = neuron < MOST_NEURONS
        color = PALETTE[(row - 1) % len(PALETTE)]
        marker = {"symbol": "line-ns", "size": 6, "line": {"width": 1.5, "color": color}}
        x, y = to_numpy(time[shown]), to_numpy(neuron[shown])
        fig.add_trace(go.Scatter(x=x, y=y, mode="markers", marker=marker), row=row, col=1)
        fig.update_yaxes(title="neuron", row=row, col=1)
        fig.update_xaxes(dtick=1, gridcolor=GREY, row=row, col=1)
    fig.update_xaxes(title=x_title, row=len(layers), col=1)
    return fig.update_layout(title=title, showlegend=False, height=140 + 200 * len(layers))
