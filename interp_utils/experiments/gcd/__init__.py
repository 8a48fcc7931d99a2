"""Greatest common divisors of numbers in a base: Charton 2023; Patel et al., section 3.2."""

from interp_utils.experiments.base import Experiment, one_layer
from interp_utils.experiments.gcd import about, claims, findings, row, together
from interp_utils.experiments.gcd.recipes import RECIPES
from interp_utils.runs.run import Run
from interp_utils.tasks import GCD


def is_about(run: Run) -> bool:
    return isinstance(run.task, GCD) and one_layer(run)


EXPERIMENT = Experiment(
    name="gcd",
    title="Greatest common divisors",
    is_about=is_about,
    recipes=RECIPES,
    row=row.row,
    history=row.history,
    claims=claims.CLAIMS,
    own=findings.OWN,
    main="gcd_base30_seed0",
    share=5,
    rounding=0.02,  # of shares of 20 pairs and more, one of which may come out otherwise
    together=together.together,
    intro=about.intro,
    facts=row.facts,
    table=about.table,
    about=claims.fresh,
)
