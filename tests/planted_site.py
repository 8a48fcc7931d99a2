"""Notebooks as they are once executed, with every kind of output that the site has to show."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat.v4 as nb
import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from interp_utils import plots
from interp_utils.exploring.history import History
from interp_utils.exploring.page import Explorer

FORMULAS = r"""# 01 · Formulas, figures and tables

**Claim**: with $w_k = 2 \pi k / p$, the logits are

$$\sum_{k \in K} \alpha_k \cos w_k (a + b - c), \qquad R = \frac{\lVert x - \hat x \rVert^2}{p^3}$$

\begin{align}
x &= \sqrt{\tfrac{2}{p}} \\
y &= \begin{cases} 0 & a < b \\ 1 & \text{otherwise} \end{cases}
\end{align}

## A section with a [link](02_more.ipynb)

And one to a page of [docs](../docs/claims.md).
"""


def figures() -> list[go.Figure]:
    grid = torch.arange(169.0).view(13, 13)
    panels = make_subplots(1, 3, subplot_titles=["one", "two", "three"])
    for column in (1, 2, 3):
        panels.add_scatter(x=[0, 1, 2], y=[column, 0, 1], row=1, col=column)
    return [
        plots.heatmap(grid, title="A grid", x_title="b", y_title="a", color_title="activation"),
        plots.heatmaps(
            {f"head {head}": grid for head in range(4)},
            title="Four grids whose title is much too long for one line of a telephone",
            x_title="b",
            y_title="a",
            color_title="attention",
        ),
        plots.spectrum_over_training(
            [0, 100], torch.ones(2, 6), title="A spectrum", y_title="power", keys=[2]
        ),
        panels.update_layout(title="Three panels & a legend", width=1400),
        plots.one_layer({"neurons": "W_in: 4 x 8"}, title="A drawing, which has no data"),
    ]


def _shown(figure: go.Figure) -> nb.NotebookNode:
    return nb.new_output(
        "display_data",
        data={"application/vnd.plotly.v1+json": json.loads(figure.to_json())},
    )


def explorer() -> Explorer:
    """Of a training that never was."""
    generator = np.random.default_rng(0)
    p, names = 7, ("logits", "embedding", "restricted", "excluded", "test_accuracy")
    arrays = {
        name: generator.random((2, 3) if index < 2 else 2) for index, name in enumerate(names)
    }
    shown = History(
        p=p,
        keys=[1, 3],
        found=True,
        steps=[0, 100],
        neurons=[5],
        heads=[0],
        arrays={**arrays, "neuron_shares": generator.random((2, 1, 3))},
        grids={name: generator.random((2, 1, p, p)) for name in ("neurons", "attention")},
        circles=generator.random((2, 2, p, 2)),
    )
    curves = {"step": [0, 50, 100], "train_loss": [2, 1, 0.1], "test_loss": [2, None, 1]}
    return Explorer(shown, curves, "planted")


def write(folder: Path) -> list[Path]:
    """Two executed notebooks."""
    folder.mkdir(parents=True)
    wide = "<table><tr>" + "<td>a wide table</td>" * 30 + "</tr></table>"
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "bar"}
    image = {"image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'}
    link = {"text/markdown": "The next is [02](02_more.ipynb).", "text/plain": ""}
    outputs = [
        nb.new_output("stream", name="stdout", text="a line " * 60 + "\n"),
        nb.new_output("display_data", data=widget),
        nb.new_output("display_data", data=image),
        nb.new_output("display_data", data=link),
        nb.new_output("execute_result", data={"text/html": wide, "text/plain": ""}),
    ]
    code = "x = 1\n" * 80 + "y = " + " + ".join(["x"] * 80)
    first = [nb.new_markdown_cell(FORMULAS), nb.new_code_cell(code, outputs=outputs)]
    first += [nb.new_code_cell("figure", outputs=[_shown(figure)]) for figure in figures()]
    second = [
        nb.new_markdown_cell("# 02 · More\n\nNothing but a figure.\n\n## Its section"),
        nb.new_code_cell("figure", outputs=[_shown(go.Figure(go.Bar(y=np.arange(5))))]),
    ]
    paths = [folder / "01_formulas.ipynb", folder / "02_more.ipynb"]
    python = {"language_info": {"name": "python"}}
    for path, cells in zip(paths, (first, second), strict=True):
        notebook = nb.new_notebook(cells=cells, metadata=python)
        path.write_text(nb.writes(notebook), encoding="utf-8")
    return paths
