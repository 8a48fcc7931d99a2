import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from interp_utils import plots

METRICS = pd.DataFrame(
    {"step": [0, 1, 2], "train_loss": [1.0, 0.1, 0.01], "test_loss": [1.0, 2.0, 0.1]}
)
BY_ANSWER = pd.DataFrame(
    {
        "step": [0, 10, 100],
        "test_loss/2": [1.0, 0.5, 0.1],
        "test_loss/3": [2.0, 1.0, 0.2],
        "train_loss/2": [0.0, 0.0, 0.0],
    }
)
DOTS = pd.DataFrame(
    {
        "this run": [2.0, 1e6],
        "paper": [1.0, 1e8],
        "low": [float("nan"), 1e3],
        "high": [10.0, float("nan")],
    },
    index=["harmless", "breaks"],
)
CELLS = pd.DataFrame(
    {
        "share": [0.2, 0.2, 0.5, 0.5],
        "decay": [0.0, 1.0, 1.0, 1.0],
        "phase": ["memorisation", "confusion", "grokking", "comprehension"],
        "step": ["> 9", "> 9", "5", "5"],
    }
)
ACCURACIES = METRICS.assign(train_accuracy=[0.0, 1.0, 1.0], test_accuracy=[0.0, 0.1, 1.0])
FIGURES = {
    "accuracy_panels": lambda: plots.accuracy_panels(
        dict.fromkeys(("one", "two"), ACCURACIES), title="t"
    ),
    "phase_map": lambda: plots.phase_map(
        CELLS, "share", "decay", "phase", title="t", x_title="x", y_title="y", text="step"
    ),
    "loss": lambda: plots.loss_curves(METRICS, phases={"memorisation": (0, 1), "cleanup": (1, 2)}),
    "curves": lambda: plots.curves(METRICS, {"train_loss": "train"}, title="t", y_title="y (nats)"),
    "heatmap": lambda: plots.heatmap(torch.rand(3, 3), title="t", x_title="b", y_title="a"),
    "how_it_works": lambda: plots.how_it_works(7, [1, 2], 3, 5),
    "interference": lambda: plots.interference(
        {"waves": {"k = 1": torch.rand(5)}, "sums": {"k = 1": torch.rand(5), "x": torch.rand(5)}},
        2,
        title="t",
        dotted=["x"],
    ),
    "dots": lambda: plots.dots(DOTS, DOTS[["paper"]], title="t", x_title="ratio"),
    "one_layer": lambda: plots.one_layer({"attention": "zero", "MLP skip": "mean"}),
    "strips": lambda: plots.strips(
        METRICS, ["train_loss", "test_loss"], marks=METRICS.iloc[0], title="t"
    ),
    "heatmaps": lambda: plots.heatmaps(
        {"x": torch.rand(3, 3), "y": torch.rand(3, 3)}, title="t", x_title="b", y_title="a"
    ),
    "histograms": lambda: plots.histograms(
        {"x": torch.rand(9)}, title="t", x_title="x", y_title="y", threshold=0.5
    ),
    "bars": lambda: plots.frequency_bars(
        {"one": torch.rand(5), "two": torch.rand(5)}, title="t", y_title="y", keys=[2]
    ),
    "plain bars": lambda: plots.bars(
        {"one": torch.rand(5)}, title="t", x_title="label", y_title="y"
    ),
    "components": lambda: plots.component_bars(
        torch.rand(5),
        ["const", "cos 1", "sin 1", "cos 2", "sin 2"],
        title="t",
        y_title="y",
        keys=[2],
    ),
    "complex_plane": lambda: plots.complex_plane(
        {"one": torch.rand(5, dtype=torch.complex64)}, title="t"
    ),
    "raster": lambda: plots.raster(
        {"one": (torch.tensor([0, 1, 40]), torch.rand(3, dtype=torch.float64))}, title="t"
    ),
    "points": lambda: plots.points(
        METRICS,
        "train_loss",
        "test_loss",
        ["a", "b", "a"],
        title="t",
        x_title="x",
        y_title="y",
        log_y=True,
    ),
    "lines": lambda: plots.lines({"one": torch.rand(5)}, title="t", x_title="x", y_title="y"),
    "answers": lambda: plots.answer_curves(
        BY_ANSWER, "test_loss", title="t", y_title="y", log_y=True
    ),
    "training": lambda: plots.spectrum_over_training(
        [0, 5], torch.rand(2, 4), title="t", y_title="y", keys=[1]
    ),
    "scatter": lambda: plots.token_scatters(
        {"x": torch.rand(5, 2), "y": torch.rand(5, 2)},
        title="t",
        axis_title="c",
        order={"x": [3, 1, 0, 2, 4]},
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_say_what_they_show(name):
    fig = FIGURES[name]()
    assert fig.layout.title.text
    # Panels of strips have their titles on top, a dot plot its rows, and a diagram no axes.
    named = [bool(axis.title.text) for axis in fig.select_yaxes()]
    assert all(named) or name in ("strips", "dots", "one_layer", "heatmaps")
    assert any(axis.title.text for axis in fig.select_xaxes()) or name in ("strips", "one_layer")
    assert fig.layout.template.layout.width == plots.WIDTH
    json = fig.to_json()
    assert '"dtype":"f8"' not in json, "float64 in an exported figure"


def test_panels_of_heatmaps_have_their_titles_at_the_left_and_below():
    panels = {f"panel {i}": torch.eye(2) for i in range(5)}
    fig = plots.heatmaps(panels, title="t", x_title="x", y_title="y")
    assert [axis.title.text for axis in fig.select_xaxes()][:5] == [None, None, None, "x", "x"]
    assert [axis.title.text for axis in fig.select_yaxes()][:5] == ["y", None, "y", None, "y"]


def test_phases_are_bands_named_in_the_legend():
    fig = FIGURES["loss"]()
    assert [(shape.name, shape.x0, shape.x1, shape.showlegend) for shape in fig.layout.shapes] == [
        ("memorisation", 0, 1, True),
        ("cleanup", 1, 2, True),
    ]
    assert fig.layout.yaxis.type == "log" and [trace.name for trace in fig.data] == [
        "train",
        "test",
    ]


def test_key_frequencies_are_coloured_and_named():
    fig = plots.frequency_bars({"one": torch.arange(6.0)}, title="t", y_title="y", keys=[2, 5])
    assert list(fig.data[0].x) == [1, 2, 3, 4, 5] and list(fig.data[0].y) == [1, 2, 3, 4, 5]
    assert [color == plots.RED for color in fig.data[0].marker.color] == [
        False,
        True,
        False,
        False,
        True,
    ]
    assert "key frequencies 2, 5" in fig.layout.title.text


def test_animation_has_a_frame_and_a_slider_stop_per_step():
    values = torch.tensor([[50.0, 1.0, 2.0], [50.0, 3.0, 0.5]])
    fig = plots.spectrum_over_training([0, 700], values, title="t", y_title="y")
    assert (
        [frame.name for frame in fig.frames]
        == ["0", "700"]
        == [step.label for step in fig.layout.sliders[0].steps]
    )
    assert list(fig.frames[1].data[0].y) == [3.0, 0.5] and 3 < fig.layout.yaxis.range[1] < 4


def test_bands_are_below_the_lines():
    assert {shape.layer for shape in FIGURES["loss"]().layout.shapes} == {"below"}


def test_panels_that_are_compared_have_one_scale():
    fig = plots.bars({"x": torch.ones(3), "y": torch.ones(3)}, title="t", x_title="x", y_title="y")
    assert {axis.matches for axis in fig.select_yaxes()} <= {"y", None}
    assert fig.layout.yaxis2.matches == "y"


def test_every_row_of_a_small_matrix_is_named():
    names = ["const", "cos 1", "sin 1", "cos 2", "sin 2"]
    fig = plots.heatmap(torch.rand(5, 5), title="t", x_title="x", y_title="y", x=names, y=names)
    assert list(fig.layout.xaxis.tickvals) == names == list(fig.layout.yaxis.tickvals)


def test_the_waves_of_the_drawing_agree_on_the_sum():
    fig = FIGURES["how_it_works"]()
    total = np.asarray(fig.data[-1].y)
    assert total.argmax() == (3 + 5) % 7 and total.max() == pytest.approx(2.0)


def test_a_line_has_one_colour_in_all_panels():
    first, again, over = FIGURES["interference"]().data
    assert first.line.color == again.line.color != over.line.color
    assert [line.showlegend for line in (first, again, over)] == [True, False, True]
    assert over.line.dash == "dot"


def test_few_points_are_marked():
    assert FIGURES["curves"]().data[0].mode == "lines+markers"
    many = pd.DataFrame({"step": range(20), "x": range(20)})
    assert plots.curves(many, {"x": "x"}, title="t", y_title="y").data[0].mode == "lines"


def test_dots_span_where_a_claim_holds():
    fig = FIGURES["dots"]()
    low, high = fig.layout.xaxis.range
    bands = [(shape.x0, shape.x1) for shape in fig.layout.shapes if shape.type == "rect"]
    assert bands == [(pytest.approx(10**low), 10.0), (1e3, pytest.approx(10**high))]
    assert low < 0 and high > 8


def test_tokens_are_coloured_by_their_place_in_the_order():
    points = torch.rand(12, 2)
    fig = plots.token_scatters(
        {"x": points, "y": points}, title="t", axis_title="c", order={"x": list(range(12))[::-1]}
    )
    joined, plain = fig.data[1], fig.data[2]
    assert list(joined.marker.color) == list(range(12))[::-1]
    assert list(plain.marker.color) == list(range(12))
    assert list(plain.text) == ["0", *[""] * 9, "10", ""]


def test_points_known_to_be_larger_only_are_arrows():
    table = METRICS.assign(above=[True, False, True])
    axes = {"title": "t", "x_title": "x", "y_title": "y", "censored": "above"}
    fig = plots.points(table, "train_loss", "test_loss", ["a", "a", "b"], **axes)
    assert [(trace.name, trace.marker.symbol) for trace in fig.data] == [
        ("a", "circle"),
        ("a", "arrow-bar-up"),
        ("b", "arrow-bar-up"),
    ]
    assert [trace.showlegend for trace in fig.data] == [True, False, True]
    assert fig.data[0].marker.color == fig.data[1].marker.color != fig.data[2].marker.color
    assert fig.data[1].y.tolist() == pytest.approx([table["test_loss"].iloc[0]])


def test_scatter_joins_tokens_in_order():
    points = torch.arange(6.0).reshape(3, 2)
    fig = plots.token_scatters({"x": points}, title="t", axis_title="c", order={"x": [2, 0, 1]})
    assert list(fig.data[0].x) == [4, 0, 2, 4] and list(fig.data[1].x) == [0, 2, 4]


def test_anything_becomes_float32_on_the_cpu():
    values = plots.to_numpy(torch.ones(2, dtype=torch.float64, requires_grad=True))
    assert values.dtype == np.float32
    assert plots.to_numpy([1, 2]).dtype == np.float32


def test_answer_curves_have_a_line_per_answer_without_step_0():
    fig = FIGURES["answers"]()
    assert [trace.name for trace in fig.data] == ["2", "3"] and len(
        {trace.line.color for trace in fig.data}
    ) == 2
    assert list(fig.data[1].x) == [10, 100] and list(fig.data[1].y) == pytest.approx([1.0, 0.2])


def test_polar_has_each_number_at_its_own_angle():
    fig = plots.polar({"all": torch.arange(9), "even": torch.arange(0, 9, 2)}, title="t")
    assert list(fig.data[1].r) == [0, 2, 4, 6, 8]
    assert fig.data[0].theta[7] == pytest.approx(np.degrees(7 - 2 * np.pi), rel=1e-5)
    assert fig.data[1].subplot == "polar2" and '"dtype":"f8"' not in fig.to_json()


def test_importing_changes_nothing_of_plotlys_and_a_call_does():
    code = """
import plotly.io as pio
before = pio.templates.default, pio.renderers.default
from interp_utils import plots
fig = plots.lines({}, title="t", x_title="x", y_title="y")
assert (pio.templates.default, pio.renderers.default) == before
assert fig.layout.template.layout.width == plots.WIDTH
plots.use_in_notebooks()
print(pio.renderers.default, pio.templates.default.layout.width)
"""
    for environment, renderer in (
        ({}, "plotly_mimetype+notebook_connected"),
        ({"PLOTLY_RENDERER": "json"}, "json"),
    ):
        clean = {name: value for name, value in os.environ.items() if name != "PLOTLY_RENDERER"}
        found = subprocess.check_output(
            [sys.executable, "-c", code], text=True, env=clean | environment
        )
        assert found.split() == [renderer, str(plots.WIDTH)]


def test_answers_are_rows_in_their_order_with_a_dot_where_they_stay_learned():
    metrics = pd.DataFrame(
        {
            "step": [0, 1, 2, 3],
            "test_accuracy/2": [0.5, 1.0, 0.9, 1.0],
            "test_accuracy/11": [0.1, 0.2, 0.3, 0.4],
            "test_accuracy/3": [1.0, 1.0, 1.0, 1.0],
        }
    )
    fig = plots.answer_map(metrics, "test_accuracy", title="t", color_title="accuracy")
    image, dots = fig.data
    assert list(image.y) == ["2", "11", "3"] and list(image.x) == ["1", "2", "3"]
    assert np.asarray(image.z)[0].tolist() == pytest.approx([1.0, 0.9, 1.0])
    assert list(zip(dots.y, dots.x, strict=True)) == [("2", "3"), ("3", "1")]
    with pytest.raises(ValueError, match="no columns train_accuracy/"):
        plots.answer_map(metrics, "train_accuracy", title="t", color_title="accuracy")


def test_a_cell_has_a_stripe_for_each_training_in_its_phases_colour():
    fig = FIGURES["phase_map"]()
    (cells,) = [trace for trace in fig.data if trace.type == "heatmap"]
    names = [trace.name for trace in fig.data if trace.type == "scatter"]
    assert names == ["confusion", "memorisation", "grokking", "comprehension"], "all in the legend"
    low, high = cells.z
    assert [names[int(k)] for k in low[:2]] == ["memorisation"] * 2 and np.isnan(low[2:]).all()
    assert [names[int(k)] for k in high[[0, 1, 3, 4]]] == ["confusion"] * 2 + names[2:]
    assert [note.text for note in fig.layout.annotations] == ["> 9", "> 9", "5"]
    assert list(fig.layout.xaxis.ticktext) == ["0.2", "0.5"]
    assert list(fig.layout.yaxis.ticktext) == ["0", "1"], "the smallest at the bottom"
    colors = [trace.marker.color for trace in fig.data if trace.type == "scatter"]
    scale = dict.fromkeys(color for _, color in cells.colorscale)
    assert list(scale) == colors


def test_a_phase_is_a_point_on_its_values_circle():
    values = torch.tensor([0, 2, 2])
    phases = {"one": torch.tensor([0.0, 0.5, -1.0]), "two": torch.zeros(3)}
    fig = plots.phase_circles(phases, values, title="t", color_title="c")
    one, _ = fig.data
    assert one.x == pytest.approx([0.6, 0, -1], abs=1e-6)
    assert one.y == pytest.approx([0, 1, 0], abs=1e-6)
    assert list(one.marker.color) == [0, 2, 2]


def test_spikes_are_those_of_the_first_neurons():
    (spikes,) = FIGURES["raster"]().data
    assert list(spikes.y) == [0, 1]
