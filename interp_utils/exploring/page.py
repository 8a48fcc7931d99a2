"""The explorer's page: one file, without a network."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interp_utils.devices import Device
from interp_utils.exploring.history import History, history
from interp_utils.exploring.packing import pack
from interp_utils.plots import pages

if TYPE_CHECKING:
    from interp_utils.runs.run import Run

LIMIT = 5_000_000  # bytes of a page
HEIGHT = 900  # pixels of a page in a notebook


def explorer(
    run: Run,
    neurons: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    *,
    layer: int = 0,
    device: Device = None,
    progress: bool = True,
) -> Explorer:
    """A page that plays a training: losses, spectra, circles, a neuron, attention, step by step.

    The page shows itself in a notebook; `.save("page.html")` writes one file that needs no network.
    It works for any run on pairs whose task states its operation, for any modulus, and uses the
    coordinates whose sum is the label. Reading a snapshot takes about a second at p of a hundred.

    neurons, heads: those to choose from; default the neurons that the key frequencies explain
                    best, and the first four heads.
    layer:          the layer of these neurons and heads.
    Raises ValueError for a task without an operation, and for neurons, heads or layers that do not
    exist.
    """
    shown = history(run, neurons, heads, layer=layer, device=device, progress=progress)
    metrics = run.metrics
    curves = {
        name: [None if not np.isfinite(value) else float(f"{value:.5g}") for value in metrics[name]]
        for name in ("train_loss", "test_loss")
        if name in metrics
    }
    return Explorer(shown, {"step": metrics["step"].tolist(), **curves}, run.path.name)


@dataclass(frozen=True)
class Explorer:
    """The page of `explorer(run)`. curves: losses at every logged step."""

    history: History
    curves: dict[str, list[Any]]
    name: str

    def save(self, path: str | Path) -> Path:
        """Writes the page, below 5 MB: every other snapshot is left out, again and again, until the
        rest fit.
        """
        path = Path(path)
        path.write_text(self.html(), encoding="utf-8")
        return path

    def html(self, plotly_js: str | None = None) -> str:
        """The page. plotly_js: the address of a plotly.js; default: the page contains its own.

        Raises ValueError if even the first and last snapshot do not fit.
        """
        shown = self.history
        page = self._page(shown, plotly_js)
        while len(page) > LIMIT:
            if len(shown.steps) <= 2:
                raise ValueError(
                    f"two snapshots take {len(page):,} of {LIMIT:,} bytes: choose fewer neurons "
                    f"and heads than {len(shown.neurons)} and {len(shown.heads)}"
                )
            shown = shown.thinned()
            page = self._page(shown, plotly_js)
        return page

    def _repr_html_(self) -> str:
        return pages.in_a_cell(self.html(), f"Explorer of {self.name}", HEIGHT)

    def _page(self, shown: History, plotly_js: str | None) -> str:
        places, blob = pack({**shown.arrays, "circles": shown.circles}, shown.grids)
        about = {
            "name": self.name,
            "p": shown.p,
            "keys": shown.keys,
            "found": shown.found,
            "steps": shown.steps,
            "neurons": shown.neurons,
            "heads": shown.heads,
            "curves": self.curves,
            "places": places,
        }
        here = Path(__file__).parent
        parts = {
            "NAME": html.escape(self.name),
            "ABOUT": json.dumps(about, separators=(",", ":")).replace("</", "<\\/"),
            "BLOB": blob,
            "PLOTLY": pages.with_plotly(plotly_js),
            "PROGRAM": (here / "page.js").read_text(encoding="utf-8"),
        }
        page = (here / "page.html").read_text(encoding="utf-8")
        for name, part in parts.items():
            page = page.replace(f"<!-- {name} -->", part)
        return page
