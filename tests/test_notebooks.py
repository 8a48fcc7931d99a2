"""Notebooks on another run: one line changed, and every cell goes through.

`make test` executes every notebook on its own run by nbmake; here 02 to 05 read one that kept its
last snapshot alone, of another and even p.
"""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
OTHER = {
    "INTERP_RUN": "../checkpoints/p64_seed0",
    "OMP_NUM_THREADS": "1",
    "PLOTLY_RENDERER": "plotly_mimetype",
}
NUMBERS = ("02", "03", "04", "05")
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
NotebookClient(whole, timeout=300, resources={"metadata": {"path": folder}}).execute()
nbformat.write(whole, out)
"""


def shown(cells: list[nbformat.NotebookNode]) -> str:
    data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return "".join(each.get("text/markdown", "") + each.get("text/html", "") for each in data)


@pytest.mark.notebooks
def test_notebooks_go_through_on_another_run(tmp_path):
    paths = [next(NOTEBOOKS.glob(f"{number}_*.ipynb")) for number in NUMBERS]
    command = [sys.executable, "-c", EXECUTE, NOTEBOOKS, tmp_path / "executed.ipynb", *paths]
    done = subprocess.run(command, env=os.environ | OTHER, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells
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
