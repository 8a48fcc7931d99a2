"""What notebooks train: recipes for a laptop or for CI. Only this module reads INTERP_FAST."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from interp_utils import experiments
from interp_utils.experiments.addition.recipes import FAST, GROKKING_DEMO, QUICK
from interp_utils.experiments.base import Recipe
from interp_utils.experiments.checks import recorded
from interp_utils.experiments.claims import Rows
from interp_utils.experiments.faster import recipes as faster
from interp_utils.measures import milestones
from interp_utils.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

# The stored output of TransformerLens's Grokking_Demo, and the range that such runs span.
PUBLISHED_LOG = {
    "train loss at initialisation": (4.735, 4.70, 4.78),
    "step at which train loss is below 1e-6": (1400, 1000, 1400),
    "train loss on its plateau, steps 1,600 to 2,000": (3.47e-7, 3.2e-7, 3.8e-7),
    "peak of the test loss": (34.10, 25, 35),
    "step of the peak of the test loss": (1399, 1000, 2000),
    "step from which test loss is below 1e-3": (16600, 7000, 17000),
    "train loss at the end": (9.454e-8, 5e-8, 2e-7),
    "test loss at the end": (2.027e-7, 1e-7, 5e-7),
}


def quick() -> Recipe:
    """A training that groks while you watch, in half a minute on two cores: p = 53, half of the
    pairs, three times the usual learning rate.

    With INTERP_FAST=1 in the environment (for CI) p = 37, which takes seconds.
    """
    return FAST if _fast() else QUICK


def fast() -> Recipe:
    """Groks at the paper's p, on the paper's share of the pairs, in a quarter of a minute, with
    hardly a delay between memorising and generalising.

    With INTERP_FAST=1 in the environment (for CI) p = 53, and half of the pairs.
    """
    return faster.smaller() if _fast() else faster.fast()


def grokking_demo() -> Recipe:
    """The run that ships: p = 113 with the split and hyper-parameters of TransformerLens's
    Grokking_Demo.
    """
    return GROKKING_DEMO


def published_log(metrics: pd.DataFrame) -> pd.DataFrame:
    """A run's log beside that of the public Grokking demo: one row for each quantity, with the
    range that runs of its settings are known to span. Losses in nats.
    """
    import pandas as pd

    log = metrics.set_index("step")
    cleaned = milestones.phases(metrics).get("cleanup", (0, math.nan))[1]
    memorised = log.index[log["train_loss"] < 1e-6]
    found = {
        "train loss at initialisation": log["train_loss"].iloc[0],
        "step at which train loss is below 1e-6": memorised.min(),
        "train loss on its plateau, steps 1,600 to 2,000": log["train_loss"].loc[1600:2000].mean(),
        "peak of the test loss": log["test_loss"].max(),
        "step of the peak of the test loss": log["test_loss"].idxmax(),
        "step from which test loss is below 1e-3": cleaned,
        "train loss at the end": log["train_loss"].iloc[-1],
        "test loss at the end": log["test_loss"].iloc[-1],
    }
    columns = ("published run", "from", "to")
    table = pd.DataFrame.from_dict(PUBLISHED_LOG, orient="index", columns=columns)
    table["this run"] = pd.Series(found, dtype=float)
    table["within"] = table["this run"].between(table["from"], table["to"])
    return table.rename_axis("quantity")


def rows(experiment: str, runs: Mapping[str, Run], progress: bool = True) -> Rows:
    """Each run as a row of the experiment's numbers, measured here, by the names given.

    With INTERP_FAST=1 the numbers of runs that ship are those in docs/claims.json, which
    `make check-claims` measures again.
    """
    measure, found = experiments.every()[experiment].row, {}
    for name, run in tqdm(runs.items(), desc="measuring", unit="run", disable=not progress):
        known = recorded([run], experiment).get(run.path.name) if _fast() else None
        found[name] = measure(run) if known is None else known
    return found


def snapshots(run: Run) -> list[int]:
    """The steps at which a notebook looks into a run that is followed: all that it kept; with
    INTERP_FAST=1 every other one, and the last.
    """
    return sorted({*run.steps[::2], run.steps[-1]}) if _fast() else run.steps


def run_path(default: str) -> Path:
    """The run that a notebook reads: `default`, as seen from the notebooks' folder, unless the
    variable INTERP_RUN names another. The one place that reads it.
    """
    return Path(os.environ.get("INTERP_RUN", default))


def runs_folder() -> Path:
    """The folder for what notebooks train: ../runs beside them, where a run is found next time; a
    fresh folder with INTERP_FAST=1.
    """
    return Path(tempfile.mkdtemp()) if _fast() else Path("../runs")


def _fast() -> bool:
    return os.environ.get("INTERP_FAST") == "1"
