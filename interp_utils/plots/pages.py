"""Figures in a page that is one file and needs no network: it contains plotly.js, compressed."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Mapping

import plotly.graph_objects as go

# Browsers unpack gzip themselves. Code that draws awaits `plotlyReady`.
UNPACK = """
async function unpacked(id) {
  const text = atob(document.getElementById(id).textContent.trim());
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
const plotlyReady = (async () => {
  if (!document.getElementById("plotly")) return;
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(await unpacked("plotly"));
  document.head.append(script);
})();
"""
STYLE = """
body { margin: 0 auto; max-width: 940px; padding: 0 12px 30px; background: #fff; color: #222832;
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; overflow-wrap: anywhere; }
.scrolls { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
td, th { border-bottom: 1px solid #d5dae0; padding: 4px 9px; }
td:nth-child(5), td:nth-child(6) { min-width: 14em; }
td, th { text-align: left; vertical-align: top; }
"""
DRAW = """
(async () => {
  await plotlyReady;
  for (const element of document.querySelectorAll(".plotly-figure")) {
    const figure = JSON.parse(element.querySelector("script").textContent);
    await Plotly.newPlot(element, { ...figure, config: { responsive: true, displaylogo: false } });
  }
  document.body.dataset.ready = "yes";
})();
"""


def page(title: str, body: str, figures: Mapping[str, go.Figure]) -> str:
    """An HTML page: a title, the body under it, and figures as wide as the page."""
    drawn = "\n".join(_figure(figure) for figure in figures.values())
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<h1>{html.escape(title)}</h1><div class="scrolls">{body}</div>{drawn}'
        f"{with_plotly()}<script>{DRAW}</script></body></html>"
    )


def with_plotly(address: str | None = None) -> str:
    """Scripts that load plotly.js from an address beside the page or, by default, contain it."""
    if address is not None:
        return f'<script src="{html.escape(address)}"></script><script>{UNPACK}</script>'
    from plotly.offline import get_plotlyjs

    packed = compressed(get_plotlyjs().encode())
    return f'<script type="text/plain" id="plotly">{packed}</script><script>{UNPACK}</script>'


def in_a_cell(page: str, title: str, height: int) -> str:
    """A whole page as the output of a notebook's cell."""
    return (
        f'<iframe title="{html.escape(title)}" srcdoc="{html.escape(page)}" '
        f'style="width:100%;height:{height}px;border:0"></iframe>'
    )


def compressed(content: bytes) -> str:
    """base64 of gzip."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _figure(figure: go.Figure) -> str:
    spec = json.loads(figure.to_json())
    label = (figure.layout.title.text or "Figure").split("<br>")[0]
    spec["layout"].pop("width", None)
    spec["layout"].get("template", {}).get("layout", {}).pop("width", None)
    data = json.dumps(spec, separators=(",", ":")).replace("</", "<\\/")
    return (
        f'<div class="plotly-figure" role="img" aria-label="{html.escape(label)}">'
        f'<script type="application/json">{data}</script></div>'
    )
