"""Bars and histograms of anything."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from interp_utils.plots.style import BLACK, new_figure, subplots, to_numpy


def bars(
    series: Mapping[str, Float[Tensor, "n"]], *, title: str, x_title: str, y_title: str
) -> go.Figure:
    """One row of bars per series, over 0, 1, 2, ...; all rows have one scale."""
    rows = {name: go.Bar(y=to_numpy(values)) for name, values in series.items()}
    return stacked_bars(rows, title=title, x_title=x_title, y_title=y_title)


def stacked_bars(
    rows: Mapping[str, go.Bar], *, title: str, x_title: str, y_title: str
) -> go.Figure:
    """Bars in rows, one above the other, with the same axes."""
    fig = subplots(
        rows=len(rows),
        shared_xaxes=True,
        vertical_spacing=min(0.1, 0.3 / len(rows)),
        subplot_titles=list(rows),
    )
    for row, trace in enumerate(rows.values(), start=1):
        fig.add_trace(trace, row=row, col=1)
        fig.update_yaxes(title=y_title, rangemode="tozero", matches="y", row=row, col=1)
    fig.update_xaxes(title=x_title, row=len(rows), col=1)
    height = 160 + (230 if len(rows) < 5 else 150) * len(rows)
    return fig.update_layout(
        title=title, showlegend=False, margin_t=110, height=height, bargap=0.15
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
    fig = new_figure()
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
