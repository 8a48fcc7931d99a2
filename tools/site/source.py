"""What Sphinx makes the site from: docs/site, the pages of docs/, executed notebooks, API pages."""

from __future__ import annotations

import html
import shutil
from collections.abc import Sequence
from pathlib import Path

import nbformat
import plotly

from tools.site import claims, docstrings, figures

ROOT = Path(__file__).parents[2]
# The menu. A page that is not there has no place in it.
MENU = {
    "notebooks/index": "Notebooks",
    "claims": "Claims",
    "explorer": "Explorer",
    "guides/index": "Guides",
    "api/index": "API",
    "glossary": "Glossary",
    "references": "References",
    "architecture": "Architecture",
    "performance": "Performance",
}


def write(executed: Sequence[Path], to: Path, explorer: Path | None = None) -> None:
    """The sources in `to`, which is made anew. explorer: the page of `interp_utils.explorer`."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "site", to)
    shutil.copytree(ROOT / "docs" / "figures", to / "figures")
    static = to / "_static"
    shutil.copy(Path(plotly.__file__).parent / "package_data" / "plotly.min.js", static)
    for page in MENU:
        if (ROOT / "docs" / f"{page}.md").is_file():
            shutil.copy(ROOT / "docs" / f"{page}.md", to)
    (to / "claims.md").write_text(
        claims.page((ROOT / "docs" / "claims.md").read_text(encoding="utf-8")), encoding="utf-8"
    )
    docstrings.write(to / "api")
    _notebooks([nbformat.read(path, as_version=4) for path in executed], executed, to)
    if explorer is None:
        (to / "explorer.md").unlink(missing_ok=True)
    else:
        (to / "extra").mkdir()
        shutil.copy(explorer, to / "extra" / "play.html")
    _menu(to)


def _notebooks(notebooks: Sequence[nbformat.NotebookNode], paths: Sequence[Path], to: Path) -> None:
    folder = to / "notebooks"
    folder.mkdir(parents=True)
    rows, cards = [], []
    for path, notebook in zip(paths, notebooks, strict=True):
        title, claim = _heading(notebook)
        rows.append(f"- [{title}]({path.name}): {claim}")
        cards += [_card(path.stem, title, figure) for figure in figures.gallery(notebook)]
        nbformat.write(figures.for_page(notebook), folder / path.name)
    listed = "\n".join(rows)
    toctree = "\n".join(path.stem for path in paths)
    text = f"# Notebooks\n\n{listed}\n\n```{{toctree}}\n:hidden:\n\n{toctree}\n```\n"
    (folder / "index.md").write_text(text, encoding="utf-8")
    gallery = f'<div class="gallery">{"".join(cards)}</div>'
    (to / "gallery.html").write_text(gallery, encoding="utf-8")


def _card(page: str, title: str, figure: dict) -> str:
    return (
        f'<a class="card-of-gallery" href="notebooks/{page}.html">'
        f"{figures.as_html(figure, as_picture=True)}"
        f"<span>{html.escape(title)}</span></a>"
    )


def _heading(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """A notebook's title and first paragraph."""
    first, *rest = notebook.cells[0].source.split("\n\n")
    return first.lstrip("# "), rest[0].replace("\n", " ")


def _menu(to: Path) -> None:
    """The table of contents of the front page: of the pages that are there."""
    there = [f"{title} <{page}>" for page, title in MENU.items() if (to / f"{page}.md").is_file()]
    front = to / "index.md"
    text = front.read_text(encoding="utf-8")
    front.write_text(text.replace("MENU", "\n".join(there)), encoding="utf-8")
