"""For `pytest --nbmake` alone; JupyterLab does not read it."""

from nbclient import NotebookClient

# Nothing is left to do when the last cell has run, but a kernel with torch takes a second to exit.
NotebookClient.shutdown_kernel.default_value = "immediate"
