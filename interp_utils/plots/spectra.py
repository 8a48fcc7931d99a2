"""Bars over frequencies, key frequencies coloured. Index k of a spectrum is frequency k; the
constant, index 0, is not drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from interp_utils.plots.bars import stacked_bars
from interp_utils.plots.style import BLUE, ORANGE, RED, new_figure, to_numpy


def frequency_bars(
    spectra: Mapping[str, Float[Tensor, "freq"]],
    *,
    title: str,
    y_title: str,
    x_title: str = "frequency k (cycles per p tokens)",
    keys: Sequence[int] = (),
) -> go.Figure:
    """One row of bars per spectrum. Key frequencies are coloured and named."""
    rows = {name: _bars(values, keys) for name, values in spectra.items()}
    return stacked_bars(rows, title=_with_keys(title, keys), x_title=x_title, y_title=y_title)


def component_bars(
    values: Float[Tensor, "component"],
    names: Sequence[str],
    *,
    title: str,
    y_title: str,
    keys: Sequence[int] = (),
) -> go.Figure:
    """One bar per basis function: cosines and sines in two colours. names: "const", "cos 1",
    "sin 1", ...; key frequencies are named on the axis.
    """
    fig = new_figure()
    for kind, color in (("cos", BLUE), ("sin", ORANGE)):
        own = [index for index, name in enumerate(names) if name.startswith(kind)]
        x = [int(names[index].split()[1]) for index in own]
        fig.add_bar(
            x=x,
            y=to_numpy(values[own]),
            name=kind,
            marker_color=color,
            hovertemplate=kind + " %{x}: %{y:.3g}<extra></extra>",
        )
    fig.update_xaxes(title="frequency k (cycles per p tokens)")
    if keys:
        fig.update_xaxes(tickvals=list(keys))
    fig.update_yaxes(title=y_title)
    return fig.update_layout(title=title, barmode="group", bargap=0.1)


def spectrum_over_training(
    steps: Sequence[int],
    spectra: Float[Tensor, "step freq"],
    *,
    title: str,
    y_title: str,
    keys: Sequence[int] = (),
) -> go.Figure:
    """Bars per frequency, with a slider and a play button over the steps."""
    frames = [
        go.Frame(data=[_bars(values, keys)], name=str(step))
        for step, values in zip(steps, spectra, strict=True)
    ]
    still = {
        "mode": "immediate",
        "frame": {"duration": 0, "redraw": True},
        "transition": {"duration": 0},
    }
    play = {
        "fromcurrent": True,
        "frame": {"duration": 120, "redraw": True},
        "transition": {"duration": 0},
    }
    fig = new_figure(data=frames[0].data, frames=frames)
    fig.update_xaxes(title="frequency k (cycles per p tokens)")
    fig.update_yaxes(title=y_title, range=[0, 1.05 * float(spectra[:, 1:].max())])
    return fig.update_layout(
        title=_with_keys(title, keys),
        height=560,
        sliders=[
            {
                "currentvalue": {"prefix": "training step "},
                "pad": {"t": 60},
                "steps": [
                    {"label": frame.name, "method": "animate", "args": [[frame.name], still]}
                    for frame in frames
                ],
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


def _with_keys(title: str, keys: Sequence[int]) -> str:
    """The title, with the coloured key frequencies named below it."""
    names = ", ".join(map(str, keys))
    return (
        f'{title}<br><span style="font-size:13px;color:{RED}">key frequencies {names}</span>'
        if keys
        else title
    )


def _bars(values: Tensor, keys: Sequence[int]) -> go.Bar:
    heights = to_numpy(values)[1:]
    frequencies = np.arange(1, 1 + len(heights))
    colors = [RED if k in keys else BLUE for k in frequencies]
    return go.Bar(
        x=frequencies,
        y=heights,
        marker_color=colors,
        hovertemplate="frequency %{x}: %{y:.3g}<extra></extra>",
    )
