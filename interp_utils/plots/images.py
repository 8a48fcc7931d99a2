"""Matrices as images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from interp_utils.plots.style import new_figure, subplots, to_numpy

ALL_NAMED = 24  # up to so many rows or columns, all names are shown; plotly would drop half of them


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
    """A matrix as an image, first row on top. diverging: red below zero, white at zero, blue above;
    otherwise the smallest value is dark and the largest bright. x, y: names of columns and rows,
    which are all shown where there are at most 24.
    """
    fig = new_figure()
    fig.add_heatmap(
        z=to_numpy(values),
        x=x,
        y=y,
        colorscale="RdBu" if diverging else "Viridis",
        zmid=0 if diverging else None,
        colorbar={"title": {"text": color_title, "side": "right"}},
    )
    fig.update_layout(title=title, width=640, height=600)
    fig.update_xaxes(title=x_title, constrain="domain")
    fig.update_yaxes(
        title=y_title,
        autorange="reversed",
        scaleanchor="x" if values.shape[0] == values.shape[1] else None,
    )
    if x is not None and len(x) <= ALL_NAMED:
        fig.update_xaxes(tickmode="array", tickvals=list(x))
    if y is not None and len(y) <= ALL_NAMED:
        fig.update_yaxes(tickmode="array", tickvals=list(y))
    return fig


def heatmaps(
    panels: Mapping[str, Float[Tensor, "row column"]],
    *,
    title: str,
    x_title: str,
    y_title: str,
    color_title: str = "",
    columns: int = 2,
    diverging: bool = False,
    x: Sequence | None = None,
    y: Sequence | None = None,
) -> go.Figure:
    """Several matrices with one colour scale, as in `heatmap`. x, y: names of columns and rows,
    the same in every panel; axes have their titles at the left and below all panels.
    """
    rows = -(-len(panels) // columns)
    fig = subplots(
        rows, columns, subplot_titles=list(panels), horizontal_spacing=0.1, vertical_spacing=0.14
    )
    for index, values in enumerate(panels.values()):
        place = {"row": index // columns + 1, "col": index % columns + 1}
        fig.add_trace(go.Heatmap(z=to_numpy(values), x=x, y=y, coloraxis="coloraxis"), **place)
        lowest, leftmost = index + columns >= len(panels), index % columns == 0
        fig.update_xaxes(title=x_title if lowest else None, constrain="domain", **place)
        fig.update_yaxes(
            title=y_title if leftmost else None,
            autorange="reversed",
            constrain="domain",
            scaleanchor=f"x{index + 1 if index else ''}",
            **place,
        )
    height = 110 + rows * (130 + 520 // columns)
    scale = {"colorscale": "RdBu", "cmid": 0} if diverging else {"colorscale": "Viridis"}
    bar = {"title": {"text": color_title, "side": "right"}}
    return fig.update_layout(title=title, height=height, coloraxis={**scale, "colorbar": bar})
