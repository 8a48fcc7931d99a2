"""docs/claims.md as a page whose verdicts can be filtered."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

KINDS = ("holds", "holds with a qualification", "does not hold", "undecided")


def page(markdown: str) -> str:
    """The same page: each table with a verdict becomes rows that site.js filters, and everything
    else stays.
    """
    parts, experiments = [], []
    for title, lines in _sections(markdown):
        body = "\n".join(_tables(lines, title))
        if 'class="claim"' in body:
            experiments.append(title)
        parts.append(body)
    head, *rest = parts
    return "\n".join([head, _filters(experiments), *rest])


def _sections(markdown: str) -> Iterator[tuple[str, list[str]]]:
    """(title, lines) of what stands before the first heading of level two, and of each section."""
    title, lines = "", []
    for line in markdown.splitlines():
        if line.startswith("## "):
            yield title, lines
            title, lines = line.removeprefix("## ").strip(), []
        lines.append(line)
    yield title, lines


def _tables(lines: Sequence[str], experiment: str) -> Iterator[str]:
    table: list[str] = []
    for line in [*lines, ""]:
        if line.startswith("|"):
            table.append(line)
            continue
        if table:
            yield _table(table, experiment)
            table = []
        yield line


def _table(lines: Sequence[str], experiment: str) -> str:
    columns, _, *rows = [_cells(line) for line in lines]
    if "verdict" not in columns:
        return "\n".join(lines)
    body = "\n".join(_row(columns, row, experiment) for row in rows)
    head = "".join(f"<th>{_inline(column)}</th>" for column in columns)
    return (
        '\n```{raw} html\n<table class="claims"><thead><tr>'
        f"{head}</tr></thead><tbody>\n{body}\n</tbody></table>\n```\n"
    )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def _row(columns: Sequence[str], cells: Sequence[str], experiment: str) -> str:
    verdict = cells[columns.index("verdict")]
    kind = max((kind for kind in KINDS if verdict.startswith(kind)), key=len, default="undecided")
    shown = "".join(
        f'<td data-column="{html.escape(column)}">{_inline(cell)}</td>'
        for column, cell in zip(columns, cells, strict=True)
    )
    experiment = html.escape(experiment)
    return f'<tr class="claim" data-verdict="{kind}" data-experiment="{experiment}">{shown}</tr>'


def _inline(cell: str) -> str:
    """Code and emphasis are the only marks that cells have."""
    text = html.escape(cell.replace("\\|", "|"), quote=False)
    text = re.sub(r"`([^`]*)`", r"<code>\1</code>", text)
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)


def _filters(experiments: Sequence[str]) -> str:
    verdicts = "".join(f"<option>{kind}</option>" for kind in KINDS)
    names = "".join(f"<option>{html.escape(name)}</option>" for name in experiments)
    return (
        '\n```{raw} html\n<form class="claim-filters" onsubmit="return false">'
        f'<label>Verdict <select name="verdict"><option value="">any</option>{verdicts}</select>'
        "</label> "
        '<label>Experiment <select name="experiment"><option value="">any</option>'
        f"{names}</select></label> "
        '<label>Words <input name="words" type="search"></label> '
        '<output aria-live="polite"></output></form>\n```\n'
    )
