"""Notebooks on another run: one line changed, and every cell goes through.

`make test` executes every notebook on its own run by nbmake; here 02 to 05 read one that kept its
last snapshot alone, of another and even p. With --other-runs, as by `make other-runs`, 06, 08 to 11
and 16 read others, too.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat
import pytest

from interp_utils import Run, tasks

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
OTHER = {
    "INTERP_RUN": "../checkpoints/p64_seed0",
    "INTERP_FAST": "1",
    "OMP_NUM_THREADS": "1",
    "PLOTLY_RENDERER": "plotly_mimetype",
}
NUMBERS = ("02", "03", "04", "05")
MORE = {
    "06": ("sorting_variable_length_seed0", "sorting_positions_seed1"),
    "08": ("remainders_p53_all_seed1", "remainders_p37_as_published_seed0"),
    "09": ("remainders_p53_all_seed2", "remainders_p113_more_data_masked_seed0"),
    "10": ("remainders_p53_masked_seed0", "remainders_p37_as_published_seed0"),
    "11": ("groups_S5_seed3", "groups_S4_seed1"),
    "16": ("gcd_base10_seed0", "gcd_base2_seed0"),
}
# In a process of its own: a kernel's client leaves sockets and loops behind that the tests' rule
# against warnings does not forgive. In one kernel, which loads torch and transformer_lens once:
# `%reset` takes every name of a notebook away before the next one.
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
folder, out, *paths = sys.argv[1:]
whole = nbformat.v4.new_notebook()
for path in paths:
    whole.cells += nbformat.read(path, as_version=4).cells
    whole.cells.append(nbformat.v4.new_code_cell("%reset -f"))
NotebookClient(
    whole, timeout=300, shutdown_kernel="immediate", resources={"metadata": {"path": folder}}
).execute()
nbformat.write(whole, out)
"""


def shown(cells: list[nbformat.NotebookNode]) -> str:
    data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return "".join(each.get("text/markdown", "") + each.get("text/html", "") for each in data)


def executed(out: Path, numbers: Iterable[str], **environment: str) -> list:
    """The cells of these notebooks, executed one after the other."""
    paths = [next(NOTEBOOKS.glob(f"{number}_*.ipynb")) for number in numbers]
    command = [sys.executable, "-c", EXECUTE, NOTEBOOKS, out, *paths]
    env = os.environ | OTHER | environment
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return nbformat.read(out, as_version=4).cells


def test_notebooks_go_through_where_nobody_knows_the_training_pairs(request, tmp_path):
    """On a model as people have it: one checkpoint, and no training pairs."""
    if not request.config.getoption("--other-runs"):
        pytest.skip("half a minute: make other-runs")
    shipped = Run.load(NOTEBOOKS.parent / "checkpoints" / "p59_seed0")
    task = tasks.modular_addition(59, train="unknown")
    weights = {shipped.step: shipped.weights()}
    Run.from_checkpoints(weights, task, out=tmp_path / "elsewhere", progress=False)
    text = shown(executed(tmp_path / "out.ipynb", NUMBERS, INTERP_RUN=str(tmp_path / "elsewhere")))
    assert "elsewhere" in text and "holds" in text and "not about this run" in text


@pytest.mark.parametrize(
    ("number", "name"), [(number, name) for number, names in MORE.items() for name in names]
)
def test_more_notebooks_go_through_on_other_runs(number, name, request, tmp_path):
    if not request.config.getoption("--other-runs"):
        pytest.skip("half a minute each: make other-runs")
    run = f"../checkpoints/{name}"
    text = shown(executed(tmp_path / "executed.ipynb", [number], INTERP_RUN=run))
    assert name in text, "the run that is looked into is named"


@pytest.mark.notebooks
def test_notebooks_go_through_on_another_run(tmp_path):
    cells = executed(tmp_path / "executed.ipynb", NUMBERS)
    ends = [place for place, cell in enumerate(cells) if cell.source == "%reset -f"]
    assert len(ends) == len(NUMBERS)
    for number, start, end in zip(NUMBERS, [0, *ends], ends, strict=False):
        text = shown(cells[start:end])
        assert "p64_seed0" in text and "holds" in text, number
        has_control = number in ("02", "03")
        stands_in = "untrained (fresh weights)" in text
        assert stands_in == has_control, f"{number}: what stands in for step 0 is said"
        if number == "03":
            assert "does not hold" in text, "its heads are no sine waves: shown, not raised"
