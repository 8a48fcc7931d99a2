"""Runs: what a training leaves on disk. It is read, written, verified and resumed here."""

from interp_utils.runs.export import export
from interp_utils.runs.run import Run
from interp_utils.runs.storage import DamagedFile, RunInUse
from interp_utils.runs.writer import RunWriter

__all__ = ["DamagedFile", "Run", "RunInUse", "RunWriter", "export"]
