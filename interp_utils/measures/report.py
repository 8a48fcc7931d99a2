"""One page on a model of pairs: verdicts, each with its number and its rule, and figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import torch
from torch import Tensor

from interp_utils import plots
from interp_utils.analysis import answers, fourier, neurons
from interp_utils.analysis.neurons import THRESHOLD
from interp_utils.measures import applies, verdicts
from interp_utils.measures.applies import DoesNotApply
from interp_utils.models.cached import CachedModel
from interp_utils.plots import pages
from interp_utils.runs.run import Run
from interp_utils.tasks import Task

if TYPE_CHECKING:
    import pandas as pd


MOST_CIRCLES = 4
HEIGHT = 900  # pixels of the page in a notebook's cell


@torch.no_grad()
def report(model: Any, task: Task | None = None) -> Report:
    """A page on whether the model generalises, with which frequencies, by a circuit or by heart, as
    a clock or a pizza, and what breaks it.

    model: a HookedTransformer or TransformerBridge with its task, a Run, or a CachedModel. A row
           that does not apply (to more layers, LayerNorm, other layouts) says why.
    Raises TypeError for a task that is not on pairs with one answer: the questions have no meaning
    for it.
    """
    if isinstance(model, Run):
        model, task = model.model(), model.task
    cached = model if isinstance(model, CachedModel) else CachedModel(model, task)
    _require_pairs(cached)
    try:
        sums, why_not = cached.as_sums(), ""
    except ValueError as error:
        sums, why_not = None, str(error)
    found = verdicts.judge(cached, sums, why_not)
    return Report(cached.task.name, _table(found), _figures(cached, sums, found))


@dataclass(frozen=True, eq=False)
class Report:
    """table:   one row per question: verdict, number, unit, rule, and a note if not measured.
    figures: the figures that apply, by name.
    """

    name: str
    table: pd.DataFrame
    figures: dict[str, go.Figure]

    def save(self, path: str | Path) -> Path:
        """Writes the page: one file, which needs no network."""
        path = Path(path)
        path.write_text(self.html(), encoding="utf-8")
        return path

    def html(self) -> str:
        return pages.page(f"Report on {self.name}", self._table_html(), self.figures)

    def _repr_html_(self) -> str:
        return pages.in_a_cell(self.html(), f"Report on {self.name}", HEIGHT)

    def _ipython_display_(self) -> None:
        """In a notebook: the table, and each figure as one of the notebook's own."""
        from IPython.display import HTML, display

        display(HTML(self._table_html()))
        for figure in self.figures.values():
            display(figure)

    def _table_html(self) -> str:
        numbers = self.table["number"]
        shown = numbers.map("{:.3g}".format).where(numbers.notna(), "")
        return self.table.assign(number=shown).to_html(escape=True, border=0)


def _require_pairs(model: CachedModel) -> None:
    task = model.task
    if not isinstance(task, Task) or task.grid is None or len(task.grid) != 2:
        raise TypeError(
            f"a report is on a model of pairs (a, b), and inputs of {task.name} are not pairs; "
            f"state where its operands stand with Task(operands=(tasks.Operand(...), ...))"
        )
    if len(task.n_classes) > 1:
        raise TypeError(
            f"a report is on a model with one answer, and {task.name} has {len(task.n_classes)}; "
            f"pass a task that has one of them"
        )


def _table(found: verdicts.Findings) -> pd.DataFrame:
    import pandas as pd

    rows = [verdict._asdict() for verdict in found.verdicts]
    return pd.DataFrame(rows).set_index("question")


def _figures(
    model: CachedModel, sums: CachedModel | None, found: verdicts.Findings
) -> dict[str, go.Figure]:
    figures = {
        "pairs": _pairs(model),
        "ablations": _ablations(found.losses, model.logits.shape[-1]),
    }
    if len(found.losses) == 1:
        del figures["ablations"]
    if sums is not None:
        figures |= _spectra(sums, found.keys or [])
        with suppress(DoesNotApply):
            applies.require_embeddings(sums)
            figures |= _embedding(sums.W_E, found.keys or [])
    cfg = model.model.cfg
    if sums is not None and cfg.d_mlp and not cfg.attn_only:
        figures["neurons"] = _neurons(sums)
    return figures


def _pairs(model: CachedModel) -> go.Figure:
    """A panel for each split where the splits are known; otherwise one panel for all pairs."""
    losses = answers.losses(model.logits, model.task.labels).clamp(min=1e-12).log10()
    splits = model.task.splits
    names = {"train": "training pairs", "test": "the others"}
    shown = {name: splits[split] for split, name in names.items() if split in splits}
    panels = {
        name: losses.where(mask, torch.nan).unflatten(0, model.task.grid)
        for name, mask in (shown or {"all": splits["all"]}).items()
    }
    return plots.heatmaps(
        panels,
        title="Loss of every pair",
        x_title="b",
        y_title="a",
        color_title="log10 of nats",
        columns=len(panels),
    )


def _spectra(sums: CachedModel, keys: list[int]) -> dict[str, go.Figure]:
    on = fourier.by_frequency(fourier.sum_components(sums.logits).square()).sum(-1)
    on[0] = 0
    varying = (sums.logits - sums.logits.mean((0, 1))).square().sum()
    if varying == 0:
        return {}
    shares, title = {"logits": on / varying}, "Logits on cos, sin w(a + b)"
    figure = plots.frequency_bars(shares, title=title, y_title="share of variance", keys=keys)
    return {"logits": figure}


def _embedding(W_E: Sequence[Tensor], keys: list[int]) -> dict[str, go.Figure]:
    figures = {}
    a, b = map(fourier.frequency_shares, W_E)
    rows = {"W_E": a} if a.equal(b) else {"W_E of a": a, "W_E of b": b}
    if all(share.isfinite().all() for share in rows.values()):
        figures["embedding"] = plots.frequency_bars(
            rows, title="Embedding by frequency", y_title="share of variance", keys=keys
        )
    if keys:
        figures["circles"] = _circles(W_E[0], keys)
    return figures


def _circles(W_E: Tensor, keys: list[int]) -> go.Figure:
    p = len(W_E)
    shown = [k for k in keys if 2 * k != p][:MOST_CIRCLES] or keys[:1]
    planes = {f"frequency {k}": fourier.frequency_plane(W_E, k) for k in shown if 2 * k != p}
    order = {f"frequency {k}": sorted(range(p), key=lambda n, k=k: k * n % p) for k in shown}
    return plots.token_scatters(
        planes, title="Embedding in the planes of the keys", axis_title="direction", order=order
    )


def _neurons(sums: CachedModel) -> go.Figure:
    layers = range(sums.model.cfg.n_layers)
    shares = {
        f"layer {layer}": neurons.frequency_clusters(
            sums.activation("post", layer)
        ).variance_explained
        for layer in layers
    }
    return plots.histograms(
        shares,
        title="Share of each neuron's variance at its best frequency",
        x_title="share of variance",
        y_title="neurons",
        threshold=THRESHOLD,
    )


def _ablations(losses: dict[str, float], n_classes: int) -> go.Figure:
    names, values = list(losses), list(losses.values())
    figure = plots.style.new_figure()
    figure.add_scatter(x=values, y=names, mode="markers", marker={"size": 11, "color": plots.RED})
    guess = math.log(n_classes)
    figure.add_vline(x=guess, line={"dash": "dash", "color": plots.style.BLACK})
    above = {"y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False}
    figure.add_annotation(x=math.log10(guess), text="guessing", **above)
    figure.update_layout(title="Loss with a part removed", height=200 + 40 * len(names))
    powers = {"type": "log", "exponentformat": "power"}
    figure.update_xaxes(title="loss over all pairs (nats)", **powers)
    figure.update_yaxes(autorange="reversed")
    return figure
