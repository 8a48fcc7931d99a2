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
# In a process of its own: a kernel's client leaves sockets and loops behind that the tests' rule
# against warnings does not forgive.
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook, folder = nbformat.read(sys.argv[1], as_version=4), {"metadata": {"path": sys.argv[2]}}
NotebookClient(notebook, timeout=300, resources=folder).execute()
nbformat.write(notebook, sys.argv[3])
"""


@pytest.mark.notebooks
@pytest.mark.parametrize("number", ["02", "03", "04", "05"])
def test_a_notebook_goes_through_on_another_run(number, tmp_path):
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    executed = tmp_path / path.name
    command = [sys.executable, "-c", EXECUTE, path, NOTEBOOKS, executed]
    done = subprocess.run(command, env=os.environ | OTHER, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = nbformat.read(executed, as_version=4).cells
    shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    text = "".join(data.get("text/markdown", "") + data.get("text/html", "") for data in shown)
    assert "p64_seed0" in text and "holds" in text
    assert "does not hold" in text or number != "03", (
        "its heads are no sine waves: shown, not raised"
    )
    has_control = number in ("02", "03")
    assert ("untrained (fresh weights)" in text) == has_control, "what stands in for step 0 is said"
