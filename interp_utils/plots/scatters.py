"""Points: rows of tables, tokens, complex numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Complex, Float
from torch import Tensor

from interp_utils.plots.style import (
    BLUE,
    CYCLIC,
    GREY,
    PALETTE,
    RED,
    again,
    new_figure,
    subplots,
    to_numpy,
)

if TYPE_CHECKING:
    import pandas as pd


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
    censored: str | None = None,
) -> go.Figure:
    """A point per row of the table, in a colour and symbol per name.

    censored: the column that is True where the true value is only known to exceed y: an arrow up.
    """
    fig = new_figure()
    for index, name in enumerate(dict.fromkeys(names)):
        own = table[[other == name for other in names]]
        is_above = np.zeros(len(own), bool) if censored is None else own[censored].to_numpy(bool)
        symbol = again(index, ("circle", "diamond", "square"))
        for part, mark in ((own[~is_above], symbol), (own[is_above], "arrow-bar-up")):
            if len(part):
                in_legend = mark == symbol or bool(is_above.all())
                marker = {"color": PALETTE[index % len(PALETTE)], "size": 9, "symbol": mark}
                fig.add_scatter(
                    x=to_numpy(part[x]), y=to_numpy(part[y]), name=name, legendgroup=name
                ).data[-1].update(mode="markers", marker=marker, showlegend=in_legend)
    fig.update_layout(title=title, xaxis_title=x_title, yaxis_title=y_title)
    return fig.update_yaxes(type="log", dtick=1, exponentformat="power") if log_y else fig


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
    fig = subplots(1, len(columns), subplot_titles=list(columns), horizontal_spacing=0.12)
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
    """One square panel per set of points, one for each token; every tenth token is numbered.

    Colours are cyclic. They show the token or, where a panel has an order, the token's place in
    that order; a line then joins the tokens in order.
    """
    rows = -(-len(panels) // columns)
    fig = subplots(
        rows, columns, subplot_titles=list(panels), horizontal_spacing=0.1, vertical_spacing=0.16
    )
    for index, (name, points) in enumerate(panels.items()):
        place = {"row": index // columns + 1, "col": index % columns + 1}
        xy, joined = to_numpy(points), (order or {}).get(name)
        if joined is not None:
            loop = xy[[*joined, joined[0]]]
            line = {"color": GREY, "width": 1}
            fig.add_scatter(
                x=loop[:, 0], y=loop[:, 1], mode="lines", line=line, hoverinfo="skip", **place
            )
        fig.add_trace(_tokens(xy, range(len(xy)) if joined is None else joined), **place)
        fig.update_xaxes(title=f"{axis_title} 1", **place)
        fig.update_yaxes(
            title=f"{axis_title} 2", scaleanchor=f"x{index + 1 if index else ''}", **place
        )
    bar = {"title": {"text": "place in the order" if order else "token", "side": "right"}}
    scale = {"colorscale": CYCLIC, "colorbar": bar}
    return fig.update_layout(
        title=title, showlegend=False, height=110 + 390 * rows, coloraxis=scale
    )


def _tokens(xy: np.ndarray, order: Sequence[int]) -> go.Scatter:
    """A token's point is coloured by its place in the order."""
    place = np.empty(len(xy), dtype=int)
    place[list(order)] = np.arange(len(xy))
    tokens = [str(token) for token in range(len(xy))]
    edge = {"color": "rgba(60,60,60,0.5)", "width": 0.5}
    return go.Scatter(
        x=xy[:, 0],
        y=xy[:, 1],
        mode="markers+text",
        marker={
            "color": place,
            "coloraxis": "coloraxis",
            "showscale": True,
            "size": 8,
            "line": edge,
        },
        text=[token if int(token) % 10 == 0 else "" for token in tokens],
        textposition="top center",
        textfont={"size": 11},
        customdata=tokens,
        hovertemplate="token %{customdata}<extra></extra>",
    )


def complex_plane(
    panels: Mapping[str, Complex[Tensor, "n"]], *, title: str, columns: int = 3
) -> go.Figure:
    """One panel per set of complex numbers (eigenvalues), with equal scales on both axes. Numbers
    left of the line have a negative real part and are orange.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    fig = subplots(
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
