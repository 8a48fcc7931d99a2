"""Executed notebooks as the site shows them: figures as data that the page draws, code folded."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import nbformat

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
NOTEBOOK = re.compile(r"\]\((\w+)\.ipynb\)")
GALLERY_BYTES = 400_000  # the front page is to open at once


def for_page(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The same notebook with every plotly figure as HTML, its code folded, and no widgets: a
    progress bar says nothing once it is over. Pages of docs/ are one folder nearer than they are
    in the repository.
    """
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../docs/", "](../")
        if cell.cell_type != "code":
            continue
        cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
        cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            data = output.get("data", {})
            if PLOTLY in data:
                output["data"] = {"text/html": as_html(data[PLOTLY])}
            elif "text/markdown" in data:  # MyST follows links in cells, and not in outputs
                data["text/markdown"] = NOTEBOOK.sub(r"](\1.html)", data["text/markdown"])
    return notebook


def as_html(figure: dict[str, Any], as_picture: bool = False) -> str:
    """A figure as data in the page, for site.js to draw: a picture is still, and scales as one."""
    shown = {"data": figure.get("data", []), "layout": figure["layout"]}  # a drawing has no data
    if figure.get("frames"):
        shown["frames"] = figure["frames"]
    data = json.dumps(shown, separators=(",", ":")).replace("</", "<\\/")
    kind = "plotly-picture" if as_picture else "plotly-figure"
    height = "" if as_picture else f' style="min-height:{shown["layout"].get("height", 450)}px"'
    return (
        f'<div class="{kind}" role="img" aria-label="{html.escape(title(figure))}"{height}>'
        f'<script type="application/json">{data}</script></div>'
    )


def title(figure: dict[str, Any]) -> str:
    """A figure's title as plain text."""
    text = figure["layout"].get("title", {}).get("text", "Figure")
    return html.unescape(re.sub(r"<[^>]*>", " ", text)).strip()


def gallery(notebook: nbformat.NotebookNode) -> Iterator[dict[str, Any]]:
    """The figures that stand for a notebook on the front page: those of cells with the tag
    "gallery", else its first that is small enough.
    """
    found = [
        (cell, output["data"][PLOTLY])
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if PLOTLY in output.get("data", {})
    ]
    tagged = [figure for cell, figure in found if "gallery" in cell.metadata.get("tags", [])]
    small = [figure for _, figure in found if len(json.dumps(figure)) < GALLERY_BYTES]
    yield from tagged or small[:1]
