"""Optuna studies whose trials are runs, worked on by any number of processes."""

from interp_utils.sweeps.objectives import held_out_loss, step_generalised
from interp_utils.sweeps.search import sweep
from interp_utils.sweeps.studies import load
from interp_utils.sweeps.tables import table
from interp_utils.sweeps.work import run_name

__all__ = ["held_out_loss", "load", "run_name", "step_generalised", "sweep", "table"]
