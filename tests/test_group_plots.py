"""Figures of functions on groups."""

import numpy as np
import pandas as pd
import pytest
import torch

from interp_utils import plots

RUNGS = pd.DataFrame(
    {"one": [0.0, 1.5, 6.0], "other": [0.1, 0.2, 7.0]}, index=["additive", "coset", "shuffled"]
)
FIGURES = {
    "shares": lambda: plots.share_bars(
        pd.DataFrame({"W_E": [0.2, 0.8]}, index=["sign", "standard"]), [0.1, 0.9], title="t"
    ),
    "staircase": lambda: plots.staircase({"x": torch.rand(12)}, 3, title="t", x_title="element"),
    "ladder": lambda: plots.ladder(RUNGS, title="t", harmless=0.3),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_say_what_they_show(name):
    fig = FIGURES[name]()
    assert fig.layout.title.text and fig.layout.xaxis.title.text and fig.layout.yaxis.title.text
    assert fig.layout.template.layout.width == plots.WIDTH
    assert '"dtype":"f8"' not in fig.to_json(), "float64 in an exported figure"


def test_chance_is_marked_beside_every_bar():
    bars, chance = FIGURES["shares"]().data
    assert list(bars.x) == list(chance.x) == ["sign", "standard"]
    assert np.allclose(chance.y, [0.1, 0.9]) and chance.name == "by chance"


def test_a_line_stands_between_cosets():
    shapes = FIGURES["staircase"]().layout.shapes
    assert [shape.x0 for shape in shapes] == [3.5, 7.5]


def test_the_control_stands_apart_from_the_rungs():
    fig = FIGURES["ladder"]()
    lines = [trace for trace in fig.data if trace.mode == "lines+markers"]
    controls = [trace for trace in fig.data if trace.mode == "markers"]
    assert [list(trace.x) for trace in lines] == [["additive", "coset"]] * 2
    assert [trace.y[0] for trace in controls] == [6.0, 7.0]
    assert fig.layout.shapes[0].y1 == 0.3
    assert [t.marker.color for t in controls] == [t.line.color for t in lines]
    assert len({trace.line.color for trace in lines}) == 2, "a colour for each run"


def test_lines_in_space_are_drawn_by_orbit_and_points_up_to_sign():
    lines = torch.eye(3)
    fig = plots.lines_in_space(lines, [0, 0, 1], {"b": torch.tensor([[2.0, 0, 0]])}, title="t")
    assert [trace.name for trace in fig.data] == ["2 axes", "1 axes", "b"]
    assert sorted(fig.data[2].x) == [-1, 1]
    assert '"dtype":"f8"' not in fig.to_json()
