"""How a model adds: the algorithm as a drawing, waves that agree on one class, a run's numbers
beside the published ones, and one layer as a diagram.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from interp_utils.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALETTE,
    RED,
    new_figure,
    subplots,
    to_numpy,
)

if TYPE_CHECKING:
    import pandas as pd


def how_it_works(p: int, keys: Sequence[int], a: int, b: int) -> go.Figure:
    """The algorithm in four panels, from its formulas alone: the angles of a and b at the first
    key frequency; the product of their cosines; cos w(a + b), which two products make; and the sum
    over all key frequencies of cos w(a + b - c), which is largest at c = a + b.
    """
    titles = [
        "1 · a number is an angle",
        "2 · angles are multiplied",
        "3 · products make cos w(a + b)",
        "4 · keys agree on c = a + b",
    ]
    fig = subplots(2, 2, subplot_titles=titles, horizontal_spacing=0.12, vertical_spacing=0.17)
    n, w = np.arange(p), 2 * np.pi * keys[0] / p
    circle = {"x": to_numpy(np.cos(w * n)), "y": to_numpy(np.sin(w * n))}
    fig.add_scatter(**circle, mode="markers", marker={"color": GREY, "size": 4}, **_at(0))
    for name, number, color in (("a", a, BLUE), ("b", b, ORANGE), ("a + b", (a + b) % p, GREEN)):
        x, y = float(np.cos(w * number)), float(np.sin(w * number))
        fig.add_scatter(
            x=[0, x],
            y=[0, y],
            mode="lines+markers+text",
            line={"color": color, "width": 3},
            text=["", f"{name} = {number}"],
            textposition=f"{'top' if y >= 0 else 'bottom'} {'right' if x < 0 else 'left'}",
            **_at(0),
        )
    angle = w * np.argsort(keys[0] * n % p, kind="stable")
    products = (
        np.outer(np.cos(angle), np.cos(angle)),
        np.cos(angle[:, None] + angle),
    )
    for panel, values in enumerate(products, start=1):
        trace = go.Heatmap(z=to_numpy(values), zmin=-1, zmax=1, colorscale="RdBu", showscale=False)
        fig.add_trace(trace, **_at(panel))
        fig.update_xaxes(title="b, in the order k b mod p", showticklabels=False, **_at(panel))
        fig.update_yaxes(title="a, same order", showticklabels=False, **_at(panel))
    waves = [np.cos(2 * np.pi * k * (a + b - n) / p) for k in keys]
    lines = [*((wave, GREY, 1) for wave in waves), (sum(waves), BLUE, 2)]
    for wave, color, width in lines:
        line = {"color": color, "width": width}
        fig.add_scatter(x=n, y=to_numpy(wave), line=line, mode="lines", **_at(3))
    fig.add_vline(x=(a + b) % p, line={"color": RED, "dash": "dash"}, row=2, col=2)
    fig.update_xaxes(title="class c", **_at(3))
    fig.update_yaxes(title="sum of the waves", **_at(3))
    fig.update_xaxes(title=f"cos w n, k = {keys[0]}", range=[-1.5, 1.5], **_at(0))
    fig.update_yaxes(title="sin w n", scaleanchor="x", range=[-1.5, 1.5], **_at(0))
    title = f"How it adds {a} and {b} mod {p}: angles, products, waves that agree on {(a + b) % p}"
    return fig.update_layout(title=title, showlegend=False, height=760)


def interference(
    panels: Mapping[str, Mapping[str, Float[Tensor, "c"]]],
    answer: int,
    *,
    title: str,
    dotted: Sequence[str] = (),
) -> go.Figure:
    """Panels of lines over the classes, one above the other: the waves of key frequencies, say, and
    their sum. A line has the same colour in all panels. Dotted lines are drawn over the others, and
    a dashed line marks the answer.
    """
    fig = subplots(
        len(panels), 1, shared_xaxes=True, vertical_spacing=0.12, subplot_titles=list(panels)
    )
    seen: list[str] = []
    for row, lines in enumerate(panels.values(), start=1):
        for name, values in lines.items():
            new = name not in seen
            if new:
                seen.append(name)
            color = BLACK if name in dotted else PALETTE[seen.index(name) % (len(PALETTE) - 1)]
            line = {"color": color, "width": 2, "dash": "dot" if name in dotted else "solid"}
            trace = go.Scatter(y=to_numpy(values), name=name, mode="lines", line=line)
            fig.add_trace(trace.update(legendgroup=name, showlegend=new), row=row, col=1)
        fig.add_vline(x=answer, line={"color": RED, "dash": "dash", "width": 1}, row=row, col=1)
        fig.update_yaxes(title="logit", row=row, col=1)
    fig.update_xaxes(title="class c", row=len(panels), col=1)
    return fig.update_layout(title=title, height=120 + 250 * len(panels))


def dots(
    table: pd.DataFrame,
    others: pd.DataFrame,
    *,
    title: str,
    x_title: str,
    ours: str = "this run",
    published: str = "paper",
    low: str = "low",
    high: str = "high",
) -> go.Figure:
    """A row for each row of the table, on one logarithmic axis: this run, the published value, and
    the span in which a claim holds (columns low and high; NaN: no bound), as a band.

    others: a column for each other run, on the same rows, as small points.
    """
    fig = new_figure()
    rows = list(table.index)
    values = np.log10(
        np.concatenate([table[[ours, published]].to_numpy().ravel(), others.to_numpy().ravel()])
    )
    ends = np.nanmin(values) - 0.5, np.nanmax(values) + 0.5
    for place, row in enumerate(rows):
        span = [table.loc[row, low], table.loc[row, high]]
        x0, x1 = (10.0**end if np.isnan(x) else x for x, end in zip(span, ends, strict=True))
        band = {"fillcolor": GREEN, "opacity": 0.13, "line_width": 0, "layer": "below"}
        fig.add_shape(type="rect", x0=x0, x1=x1, y0=place - 0.4, y1=place + 0.4, **band)
    small = {"color": GREY, "size": 7}
    names = [[name] * len(rows) for name in others]
    fig.add_scatter(
        x=to_numpy(others.to_numpy().T.ravel()),
        y=rows * len(names),
        text=[name for column in names for name in column],
        hovertemplate="%{text}: %{x:.3g}<extra></extra>",
        mode="markers",
        marker=small,
        name="other seeds",
    )
    marks = {published: ("diamond-open", ORANGE), ours: ("circle", BLUE)}
    for column, (symbol, color) in marks.items():
        mark = {"symbol": symbol, "color": color, "size": 12, "line": {"width": 2}}
        x = to_numpy(table[column])
        fig.add_scatter(x=x, y=rows, mode="markers", marker=mark, name=column)
    fig.add_vline(x=1, line={"color": BLACK, "width": 1})
    fig.update_xaxes(title=x_title, type="log", dtick=1, exponentformat="power", range=ends)
    fig.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=rows)
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
    return fig.update_layout(title=title, height=160 + 34 * len(rows), legend=legend, margin_t=110)


def one_layer(
    marks: Mapping[str, str], *, title: str = "Where the model is taken apart"
) -> go.Figure:
    """One layer of attention and MLP as a diagram: boxes, and the two paths that skip them.

    marks: what to write beside "embeddings", "attention", "neurons", "logits", "attention skip"
    and "MLP skip": the shapes of weights, say, or the ablations of each part.
    """
    fig = new_figure()
    for index, name in enumerate(PARTS):
        box = {"fillcolor": "white", "line": {"color": BLACK, "width": 2}}
        fig.add_shape(x0=index - 0.28, x1=index + 0.28, y0=-0.2, y1=0.2, **box)
        fig.add_annotation(x=index, y=0, text=name, showarrow=False)
        fig.add_annotation(x=index, y=-0.26, yanchor="top", **_note(marks.get(name, "")))
        if index:
            arrow = {"arrowhead": 2, "arrowwidth": 2, "axref": "x", "ayref": "y", "text": ""}
            fig.add_annotation(x=index - 0.29, y=0, ax=index - 0.71, ay=0, **arrow)
    for skip, (start, end) in {"attention skip": (0.5, 1.5), "MLP skip": (1.5, 2.5)}.items():
        path = f"M {start},0.03 C {start},0.75 {end},0.75 {end},0.03"
        fig.add_shape(type="path", path=path, line={"color": GREY, "width": 2})
        text = f"<b>{skip}</b><br>{marks.get(skip, '')}"
        fig.add_annotation(x=(start + end) / 2, y=0.6, yanchor="bottom", **_note(text))
    hidden = {"visible": False, "fixedrange": True}
    fig.update_xaxes(range=[-0.5, 3.5], **hidden)
    fig.update_yaxes(range=[-0.8, 1.05], **hidden)
    return fig.update_layout(title=title, height=360, margin={"l": 10, "r": 10, "b": 10})


PARTS = ("embeddings", "attention", "neurons", "logits")


def _note(text: str) -> dict:
    return {"text": text, "showarrow": False, "font": {"size": 12, "color": BLUE}}


def _at(panel: int) -> dict[str, int]:
    return {"row": panel // 2 + 1, "col": panel % 2 + 1}
