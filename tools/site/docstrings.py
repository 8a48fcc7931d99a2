"""API pages: which modules have one, and docstrings of plain sentences as reStructuredText."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx

import interp_utils

ENTRY = re.compile(r"([*\w.]+((, | or )[*\w.]+)*|[a-z]\w* [a-z]\w*):( +|$)")
MARKUP = re.compile(r"([\\*|]|_(?=\W|$))")


def api_pages() -> Iterator[tuple[str, str]]:
    """(name, page) of every public module of the package, and of the names at its top."""
    names = {name: getattr(interp_utils, name) for name in interp_utils.__all__}
    described = [value for value in names.values() if not inspect.ismodule(value)]
    yield "interp_utils", _page("interp_utils", "interp_utils", map(_object, described))
    for name, module in sorted(names.items()):
        if inspect.ismodule(module):
            members = _members(module)
            shown = [_object(value, value in described) for value in members]
            yield name, _page(name, module.__name__, shown)
            described += members


def _members(module: ModuleType) -> list[Any]:
    """The functions and classes that a module defines; of a folder, that its __init__ offers."""
    offered = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
    ]
    values = [getattr(module, name) for name in offered if not name.startswith("_")]
    return [value for value in values if inspect.isfunction(value) or inspect.isclass(value)]


def _object(value: Any, elsewhere: bool = False) -> str:
    """elsewhere: another page has it, too, and is where links to it lead."""
    kind = "autoclass" if inspect.isclass(value) else "autofunction"
    options = ["members"] if inspect.isclass(value) else []
    options += ["no-index"] if elsewhere else []
    path = f"{value.__module__}.{value.__qualname__}"
    return "\n   ".join([f".. {kind}:: {path}", *(f":{option}:" for option in options)])


def _page(title: str, module: str, objects: Iterable[str]) -> str:
    text = "\n\n".join([f".. automodule:: {module}\n   :no-members:\n   :no-index:", *objects])
    return f"# {title}\n\n```{{eval-rst}}\n{text}\n```\n"


def as_rst(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]):
    """Docstrings here are plain sentences with `code` in backticks: nothing else is markup. Lines
    "name: text" are a list; an indented block is shown as it is.
    """
    lines[:] = [line for paragraph in _paragraphs(lines) for line in [*_paragraph(paragraph), ""]]


def _paragraphs(lines: list[str]) -> Iterator[list[str]]:
    paragraph: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield paragraph
            paragraph = []


def _paragraph(lines: list[str]) -> list[str]:
    if all(line.startswith("    ") for line in lines):
        return ["::", "", *lines]
    entries = [line for line in lines if ENTRY.match(line)]
    if not ENTRY.match(lines[0]) or not entries:
        return [_escape(line.strip()) for line in lines]
    listed = []
    for line in lines:
        match = ENTRY.match(line)
        if match:
            listed.append(f"* **{_escape(match[1])}**: {_escape(line[match.end() :].strip())}")
        else:
            listed.append(f"  {_escape(line.strip())}")
    return listed


def _escape(text: str) -> str:
    """Text outside backticks without reStructuredText's marks."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return MARKUP.sub(r"\\\1", text.replace("`", "'"))
    return "".join(
        f"``{part}``" if index % 2 else MARKUP.sub(r"\\\1", part)
        for index, part in enumerate(parts)
    )


def readable(app: Sphinx, what: str, name: str, obj: Any, options: Any, call: str, result: str):
    """Sphinx breaks a long signature into lines only where it can parse it."""
    return (call.replace("<factory>", "...") if call else call, result)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-signature", readable)
    app.connect("autodoc-process-docstring", as_rst)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    pages = dict(api_pages())
    for name, page in pages.items():
        (to / f"{name}.md").write_text(page, encoding="utf-8")
    rows = "\n".join(f"- [{name}]({name}.md): {_summary(name)}" for name in pages)
    hidden = "\n".join(pages)
    text = f"# API\n\n{rows}\n\n```{{toctree}}\n:hidden:\n\n{hidden}\n```\n"
    (to / "index.md").write_text(text, encoding="utf-8")


def _summary(name: str) -> str:
    value = interp_utils if name == "interp_utils" else getattr(interp_utils, name)
    first = (value.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(first.split())
