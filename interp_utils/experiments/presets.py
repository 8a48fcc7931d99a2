"""What notebooks train: recipes for a laptop or for CI. The one place that reads INTERP_FAST."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from interp_utils.experiments.addition.recipes import FAST, GROKKING_DEMO, QUICK
from interp_utils.experiments.base import Recipe


def quick() -> Recipe:
    """Groks while you watch, in half a minute on two cores: p = 53, half of the pairs, three times
    the usual learning rate.

    With INTERP_FAST=1 in the environment (for CI) p = 37, which takes seconds.
    """
    return FAST if _fast() else QUICK


def grokking_demo() -> Recipe:
    """The run that ships: p = 113 with the split and hyper-parameters of TransformerLens's
    Grokking_Demo.
    """
    return GROKKING_DEMO


def run_path(default: str) -> Path:
    """The run that a notebook reads: `default`, as seen from the notebooks' folder, unless the
    variable INTERP_RUN names another. The one place that reads it.
    """
    return Path(os.environ.get("INTERP_RUN", default))


def runs_folder() -> Path:
    """Where notebooks put what they train: ../runs beside them, so that it is there next time;
    fresh with INTERP_FAST=1.
    """
    return Path(tempfile.mkdtemp()) if _fast() else Path("../runs")


def _fast() -> bool:
    return os.environ.get("INTERP_FAST") == "1"
