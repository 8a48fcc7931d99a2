"""Primes: Patel et al., section 3.1; Syrkis's slides of February 2024."""

from interp_utils.configs import ModelConfig
from interp_utils.experiments.base import Experiment, one_layer
from interp_utils.experiments.general import history
from interp_utils.experiments.primes import about, claims, precision, row, study, together
from interp_utils.experiments.primes.recipes import RECIPES
from interp_utils.runs.run import Run
from interp_utils.tasks import FreshPrimality, Primality


def is_about(run: Run) -> bool:
    of_primes = isinstance(run.task, Primality | FreshPrimality)
    return of_primes and isinstance(run.config.model, ModelConfig) and one_layer(run)


EXPERIMENT = Experiment(
    name="primes",
    title="Primes",
    is_about=is_about,
    recipes=RECIPES,
    row=row.row,
    history=history,
    claims=claims.CLAIMS,
    own=claims.OWN,
    share=3,
    together=together.together,
    intro=about.intro,
    table=about.table,
    studies=(study.STUDY, precision.STUDY),
)
