"""Executes every notebook once and builds build/site/index.html, which works offline.

python -m tools.site --pages builds the pages again from the notebooks as they were executed last.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from interp_utils import Run, explorer
from tools.site import execution, source

BUILD = source.ROOT / "build"
PLOTLY = "_static/plotly.min.js"  # once per site


def build(executed: list[Path], to: Path, explorer: Path | None = None) -> None:
    """The site in `to`, made anew. Raises RuntimeError for anything that Sphinx warns of."""
    sources = to.with_name(f"{to.name}-source")
    source.write(executed, sources, explorer)
    shutil.rmtree(to, ignore_errors=True)
    options = ["-b", "html", "-q", "-W", "--keep-going", "-d", str(sources / ".doctrees")]
    if build_main([*options, str(sources), str(to)]) != 0:
        raise RuntimeError(f"Sphinx found something wrong with {sources}: see above")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", action="store_true", help="execute nothing")
    pages_only = parser.parse_args().pages
    copies, explored = BUILD / "executed", BUILD / "explorer.html"
    if not pages_only:
        execution.execute(sorted((source.ROOT / "notebooks").glob("[0-9]*.ipynb")), copies)
        run = Run.load(source.ROOT / "checkpoints" / "modular_addition")
        explored.write_text(explorer(run).html(PLOTLY), encoding="utf-8")
    build(sorted(copies.glob("*.ipynb")), BUILD / "site", explored)
    print(f"open {BUILD / 'site' / 'index.html'}")


if __name__ == "__main__":
    sys.exit(main())
