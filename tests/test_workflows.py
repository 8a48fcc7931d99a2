"""What runs on GitHub, read by two linters: its schema, and what is known to go wrong."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LINTERS = {
    "check-jsonschema": ["--builtin-schema", "vendor.github-workflows"],
    "zizmor": ["--offline", "--no-progress", "--quiet"],
}


def lint(linter: str, *files: Path) -> subprocess.CompletedProcess:
    program = Path(sys.executable).parent / linter
    if not program.is_file():
        pytest.skip(f"{linter} is not installed: pip install -e '.[dev]'")
    command = [program, *LINTERS[linter], *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("linter", LINTERS)
def test_workflows_pass_the_linter(linter):
    assert {path.stem for path in WORKFLOWS} == {"pages", "tests", "wheel"}
    found = lint(linter, *WORKFLOWS)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("linter", "right", "wrong"),
    [
        ("check-jsonschema", "runs-on:", "run-on:"),
        ("zizmor", "actions/upload-artifact@v4", "someone/upload-artifact@main"),
    ],
)
def test_the_linter_sees_a_fault(linter, right, wrong, tmp_path):
    text = (ROOT / ".github" / "workflows" / "wheel.yml").read_text()
    assert right in text
    faulty = tmp_path / ".github" / "workflows" / "wheel.yml"
    faulty.parent.mkdir(parents=True)
    faulty.write_text(text.replace(right, wrong))
    assert lint(linter, faulty).returncode != 0


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_targets_that_there_are(path):
    targets = set(
        re.findall(r"^([a-z-]+(?: [a-z-]+)*):(?!=)", (ROOT / "Makefile").read_text(), re.M)
    )
    there = {name for names in targets for name in names.split()}
    assert set(re.findall(r"run: make ([a-z-]+)", path.read_text())) <= there
