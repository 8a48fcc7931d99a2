"""Executes every notebook and writes each as a page, with an index: build/site/index.html. Works
offline once built.
"""

from __future__ import annotations

import html
import re
import shutil
import sys
import time
from pathlib import Path

import nbformat
import plotly
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build" / "site"
CELL_TIMEOUT_SECONDS = 3600

INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Reading algorithms off small transformers</title>
<style>
body {{
  font: 17px/1.5 system-ui, sans-serif; color: #222;
  max-width: 900px; margin: 2rem auto; padding: 0 1rem;
}}
img {{ max-width: 100%; }}
li {{ margin: 1rem 0; list-style: none; }}
ul {{ padding: 0; }}
a {{ color: #0072B2; font-weight: 600; font-size: 1.1em; }}
</style>
</head>
<body>
<h1>Reading algorithms off small transformers</h1>
<img src="grokking.png" alt="Train loss falls at once, test loss only ten thousand steps later">
<ul>
{entries}
</ul>
</body>
</html>
"""


def main() -> None:
    SITE.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(plotly.__file__).parent / "package_data" / "plotly.min.js", SITE)
    shutil.copy(ROOT / "docs" / "figures" / "grokking.png", SITE)
    entries = []
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        started = time.monotonic()
        print(f"{path.name} ... ", end="", flush=True)
        notebook = nbformat.read(path, as_version=4)
        ExecutePreprocessor(timeout=CELL_TIMEOUT_SECONDS).preprocess(
            notebook, {"metadata": {"path": str(path.parent)}}
        )
        page, _ = HTMLExporter().from_notebook_node(notebook)
        (SITE / f"{path.stem}.html").write_text(offline(page), encoding="utf-8")
        title, claim = heading(notebook)
        entries.append(
            f'<li><a href="{path.stem}.html">{html.escape(title)}</a><br>{html.escape(claim)}</li>'
        )
        print(f"{time.monotonic() - started:.0f} s")
    (SITE / "index.html").write_text(INDEX.format(entries="\n".join(entries)), encoding="utf-8")
    print(f"open {SITE / 'index.html'}")


def offline(page: str) -> str:
    """The page with plotly.js from beside it instead of from the network."""
    page = re.sub(r'<script type="module">import "[^"]*plotly[^"]*"</script>', "", page)
    page = re.sub(
        r'<script[^>]*src="[^"]*/plotly-[^"]*"[^>]*></script>',
        '<script src="plotly.min.js"></script>',
        page,
    )
    return re.sub(r'<script[^>]*src="[^"]*/mathjax/3[^"]*"[^>]*></script>', "", page)


def heading(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """Title and first paragraph, as plain text."""
    first, *rest = notebook.cells[0].source.split("\n\n")
    return first.lstrip("# "), re.sub(r"[*`]", "", rest[0]).replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
