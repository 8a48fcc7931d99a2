"""What the documents name is there: paths, names of the package, commands and make's targets."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import interp_utils
from interp_utils import milestones
from interp_utils.cli import commands
from interp_utils.experiments.primes import spikes

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "interp_utils"
DOCUMENTS = ["CONTRIBUTING.md", "README.md", "docs/architecture.md", "docs/glossary.md"]
TARGETS = re.findall(
    r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text().replace(" site:", ":"), re.M
)
NOT_OURS = {
    "run.json",  # in every run's folder
    "task.answer_pos",  # of instances
    "run.steps",
}


def quoted() -> list[tuple[str, str]]:
    """(document, what stands between two backquotes), without fenced code."""
    found = []
    for name in DOCUMENTS:
        text = re.sub(r"```.*?```", "", (ROOT / name).read_text(), flags=re.S)
        spans = (re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", text))
        found += [(name, span) for span in dict.fromkeys(spans)]
    return found


def is_there(span: str) -> bool | None:
    """None where a span is neither a path, nor a name with its module, a call, or a command."""
    if re.search(r"\b(NN|NAME|name)\b|NN_", span) or span in NOT_OURS:
        return None
    if span.startswith("make "):
        return span.split()[1] in TARGETS
    if span.startswith("interp-utils "):
        word = span.split()[1]
        return word in commands.COMMANDS or word.startswith("--")
    if re.fullmatch(r"[\w.-]+(/[\w.-]*)+|[\w-]+\.(py|md|json|yml|toml)", span):
        return any((place / span).exists() for place in (ROOT, PACKAGE))
    if re.fullmatch(r"\w+(\.\w+)+(\(\))?|\w+\(\)", span):
        return has_name(span.removesuffix("()").split("."))
    return None


def has_name(parts: list[str]) -> bool:
    """Whether a dotted name leads somewhere, from the package or from one of its public names."""
    found = importlib.import_module("interp_utils")
    for done, part in enumerate(parts):
        if not hasattr(found, part):
            try:
                importlib.import_module(".".join(["interp_utils", *parts[: done + 1]]))
            except ImportError:
                return False
        found = getattr(found, part)
    return True


@pytest.mark.parametrize(("document", "span"), quoted())
def test_what_documents_name_is_there(document, span):
    assert is_there(span) is not False, f"{document} names {span}"


def test_the_rooms_of_the_architecture_are_those_of_the_package():
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "architecture.md").read_text(), re.M)
    named = {name.rstrip("/") for row in rows for name in re.findall(r"`([^`]+)`", row)}
    there = {
        path.name
        for path in PACKAGE.iterdir()
        if path.name[0] != "_" and path.suffix in ("", ".py")
    }
    assert named == there


def test_only_presets_and_two_names_of_the_package_lead_to_an_experiment():
    folders = {path.parent.name for path in PACKAGE.glob("experiments/*/__init__.py")}
    experiment = rf"({'|'.join(folders)})\b"
    places = rf"interp_utils\.experiments(\.| import (.*\b)?){experiment}"
    leading = [
        path
        for path in PACKAGE.rglob("*.py")
        if not any(PACKAGE / "experiments" / folder in path.parents for folder in folders)
        and path != PACKAGE / "__init__.py"
        and re.search(places, path.read_text())
    ]
    assert leading == [PACKAGE / "experiments" / "presets.py"]
    aliases = [
        name
        for name, home in interp_utils._MODULES.items()
        if re.match(rf"experiments\.{experiment}", home)
    ]
    assert aliases == ["exponents", "multitask"]


def test_the_glossary_says_what_a_spike_is():
    glossary = " ".join((ROOT / "docs" / "glossary.md").read_text().split())
    assert f"over {spikes.ABOVE} times the median of the {spikes.BEFORE} steps" in glossary
    default = inspect.signature(milestones.spikes).parameters
    factor, window = (default[name].default for name in ("factor", "window"))
    assert f"over {factor:.0f} times the median of the {window} rows around" in glossary


def test_a_name_that_is_not_there_is_found():
    assert is_there("training/optimizers.py") is is_there("tasks.Operator") is False
    assert is_there("make nothing") is is_there("interp-utils nothing") is is_there("x()") is False


WRITTEN = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name != "claims.md"),
]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_lines_have_at_most_100_columns(path):
    """A table's rows are lines of their own length; docs/claims.md is made of them."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > 100] == []
