"""Phase diagrams: what became of the trainings of each cell of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from interp_utils.plots.style import BLUE, GREEN, GREY, ORANGE, PALETTE, new_figure, to_numpy

if TYPE_CHECKING:
    import pandas as pd

COLORS = {
    "confusion": GREY,
    "memorisation": ORANGE,
    "grokking": BLUE,
    "comprehension": GREEN,
}


def phase_map(
    table: pd.DataFrame,
    x: str,
    y: str,
    phase: str,
    *,
    title: str,
    x_title: str,
    y_title: str,
    text: str | None = None,
) -> go.Figure:
    """A cell for each x and y, with a stripe in the colour of its phase for every row of the table
    that is there; the smallest y at the bottom. text: a column that says what stands in a cell, the
    same for all its rows.
    """
    columns, rows = sorted(table[x].unique()), sorted(table[y].unique())
    groups = dict(list(table.groupby([x, y])))
    names = [name for name in COLORS if (table[phase] == name).any()]
    names += sorted(set(table[phase]) - set(names))
    colors = [COLORS.get(name, PALETTE[i % len(PALETTE)]) for i, name in enumerate(names)]
    each = max(len(own) for own in groups.values())
    z = np.full((len(rows), len(columns) * (each + 1)), np.nan)
    fig = new_figure()
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            own = groups.get((column, row))
            if own is None:
                continue
            kinds = sorted(names.index(name) for name in own[phase])
            place = j * (each + 1)
            # as wide as the cell, however many trainings it has
            z[i, place : place + each] = [kinds[s * len(kinds) // each] for s in range(each)]
            if text is not None:
                said = {"text": str(own[text].iloc[0]), "showarrow": False, "y": i}
                said["bgcolor"] = "rgba(255,255,255,0.75)"
                fig.add_annotation(x=place + (each - 1) / 2, font_size=12, **said)
    fig.add_heatmap(
        z=to_numpy(z),
        colorscale=_steps(colors),
        zmin=-0.5,
        zmax=len(names) - 0.5,
        showscale=False,
        ygap=6,
    )
    for name, color in zip(names, colors, strict=True):
        marker = {"color": color, "symbol": "square", "size": 14}
        fig.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=marker)
    centres = [j * (each + 1) + (each - 1) / 2 for j in range(len(columns))]
    fig.update_xaxes(title=x_title, tickvals=centres, ticktext=_spelt(columns), showgrid=False)
    fig.update_xaxes(range=[-1.2, len(columns) * (each + 1) - 0.8], zeroline=False)
    fig.update_yaxes(title=y_title, tickvals=list(range(len(rows))), ticktext=_spelt(rows))
    fig.update_yaxes(showgrid=False, zeroline=False)
    return fig.update_layout(title=title, legend={"orientation": "h", "y": -0.2})


def _steps(colors: Sequence[str]) -> list[tuple[float, str]]:
    """A colour scale of equal steps, without anything between."""
    n = len(colors)
    return [(place, color) for i, color in enumerate(colors) for place in (i / n, (i + 1) / n)]


def _spelt(values: Sequence[Any]) -> list[str]:
    return [value if isinstance(value, str) else f"{value:g}" for value in values]
