"""Figures of functions on groups: shares by irrep, coset staircases, ladders, lines in space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from interp_utils.plots.style import BLACK, BLUE, GREY, PINK, again, new_figure, to_numpy

if TYPE_CHECKING:
    import pandas as pd

NEAR = {"eye": {"x": 0.9, "y": 0.9, "z": 0.6}}  # a unit ball fills the figure


def share_bars(
    shares: pd.DataFrame, chance: Sequence[float], *, title: str, y_title: str = "share of energy"
) -> go.Figure:
    """For every row (an irrep), the bars of all columns side by side, and a mark at the share by
    chance.
    """
    fig = new_figure()
    for name in shares:
        fig.add_bar(x=list(shares.index), y=to_numpy(shares[name]), name=name)
    mark = {"symbol": "line-ew-open", "size": 30, "color": BLACK, "line": {"width": 2}}
    fig.add_scatter(
        x=list(shares.index), y=to_numpy(chance), mode="markers", marker=mark, name="by chance"
    )
    return fig.update_layout(title=title, xaxis_title="irrep", yaxis_title=y_title)


def staircase(
    values: Mapping[str, Float[Tensor, "g"]], stairs: int, *, title: str, x_title: str
) -> go.Figure:
    """Functions on a group, drawn over its elements in the order of cosets, with lines between the
    `stairs` cosets.
    """
    fig = new_figure()
    marks = ("circle", "diamond", "square")
    for index, (name, own) in enumerate(values.items()):
        marker = {"size": 8, "symbol": again(index, marks)}
        fig.add_scatter(y=to_numpy(own), mode="markers", name=name, marker=marker)
    size = len(next(iter(values.values()))) / stairs
    for edge in np.arange(1, stairs) * size - 0.5:
        fig.add_vline(x=edge, line={"color": GREY, "width": 1})
    return fig.update_layout(title=title, xaxis_title=x_title, yaxis_title="value (centred)")


def ladder(
    decades: pd.DataFrame, *, title: str, harmless: float, control: str = "shuffled"
) -> go.Figure:
    """One line per column (a run): what the replacement at each rung costs, in decades of loss.

    harmless: replacements that cost at most this count as exact (a band). The control stands apart.
    """
    fig = new_figure()
    rungs = [rung for rung in decades.index if rung != control]
    fig.add_hrect(
        y0=min(-0.5, float(decades.loc[rungs].min().min()) - 0.2),
        y1=harmless,
        fillcolor=BLUE,
        opacity=0.1,
        line_width=0,
        layer="below",
    )
    colours = fig.layout.template.layout.colorway
    for index, name in enumerate(decades):
        mark = {
            "symbol": again(index, ("circle", "diamond", "square")),
            "size": 8,
            "color": colours[index % len(colours)],
        }
        own = decades[name]
        fig.add_scatter(
            x=rungs,
            y=to_numpy(own[rungs]),
            name=name,
            legendgroup=name,
            mode="lines+markers",
            marker=mark,
            line_color=mark["color"],
        )
        if control in own.index:
            fig.add_scatter(
                x=[control],
                y=to_numpy([own[control]]),
                mode="markers",
                marker=mark,
                legendgroup=name,
                showlegend=False,
                name=name,
            )
    fig.update_xaxes(title="pre-activations replaced by", categoryarray=[*rungs, control])
    return fig.update_layout(title=title, yaxis_title="log10(loss / full loss)")


def lines_in_space(
    lines: Float[Tensor, "line 3"],
    orbits: Sequence[int],
    vectors: Mapping[str, Float[Tensor, "n 3"]],
    *,
    title: str,
) -> go.Figure:
    """Lines through the origin, coloured by orbit, and unit vectors as points, in three
    dimensions. Each point is drawn with its negative: the sign of a vector does not count.
    """
    fig = new_figure()
    axes, orbit = to_numpy(lines), np.asarray(orbits)
    for number in np.unique(orbit):
        own = axes[orbit == number]
        ends = np.stack([-own, own, np.full_like(own, np.nan)], 1).reshape(-1, 3)
        name = f"{len(own)} axes"
        fig.add_scatter3d(
            x=ends[:, 0], y=ends[:, 1], z=ends[:, 2], mode="lines", name=name, line={"width": 3}
        )
    for (name, points), colour in zip(vectors.items(), (BLACK, PINK), strict=False):
        units = to_numpy(points)
        units = units / np.linalg.norm(units, axis=1, keepdims=True)
        both = np.concatenate([units, -units])
        marker = {"size": 3, "color": colour}
        fig.add_scatter3d(
            x=both[:, 0], y=both[:, 1], z=both[:, 2], mode="markers", name=name, marker=marker
        )
    hidden = {axis: {"visible": False} for axis in ("xaxis", "yaxis", "zaxis")}
    return fig.update_layout(
        title=title, height=600, scene={**hidden, "aspectmode": "cube", "camera": NEAR}
    )
