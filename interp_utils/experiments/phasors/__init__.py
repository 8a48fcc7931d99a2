"""Phasor networks: Olin-Ammentorp and Bazhenov 2021, on modular addition."""

from interp_utils.experiments.base import Experiment
from interp_utils.experiments.phasors import about, claims, row, together
from interp_utils.experiments.phasors.recipes import RECIPES
from interp_utils.experiments.phasors.study import STUDY
from interp_utils.models.phasor import PhasorConfig
from interp_utils.runs.run import Run


def is_about(run: Run) -> bool:
    return isinstance(run.config.model, PhasorConfig)


EXPERIMENT = Experiment(
    name="phasors",
    title="Phasor networks",
    is_about=is_about,
    recipes=RECIPES,
    row=row.row,
    history=row.history,
    claims=claims.CLAIMS,
    own=claims.OWN,
    main="phasors_numbers_p31_seed0",
    share=2,
    rounding=5e-2,  # of shares of 250 answers, some of which are near-ties in spikes
    together=together.together,
    intro=about.intro,
    table=about.table,
    facts=row.facts,
    about=lambda row: "trained" in row,
    studies=[STUDY],
)
