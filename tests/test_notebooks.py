"""Notebooks on another run: one line changed, and every cell goes through.

`make test` executes every notebook on its own run by nbmake; here 02 to 05 read one that kept its
last snapshot alone, of another and even p.
"""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
OTHER = "../checkpoints/p64_seed0"


@pytest.mark.notebooks
@pytest.mark.parametrize("number", ["02", "03", "04", "05"])
def test_a_notebook_goes_through_on_another_run(number, monkeypatch):
    monkeypatch.setenv("INTERP_RUN", OTHER)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, timeout=300, resources=folder).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = [
        output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})
    ]
    assert any("does not hold" in page or "holds" in page for page in pages)
    text = "".join(
        output["data"].get("text/markdown", "") for output in outputs if "data" in output
    )
    has_control = number in ("02", "03")
    assert ("untrained (fresh weights)" in text) == has_control, "what stands in for step 0 is said"
    assert "p64_seed0" in text
