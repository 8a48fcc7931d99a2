"""n mod q for all primes q below p: Syrkis and Søgaard 2024."""

from interp_utils.experiments.base import Experiment, one_layer
from interp_utils.experiments.remainders import about, claims, grokfast, row, together
from interp_utils.experiments.remainders.recipes import RECIPES
from interp_utils.runs.run import Run
from interp_utils.tasks import Remainders


def is_about(run: Run) -> bool:
    return isinstance(run.task, Remainders) and one_layer(run)


EXPERIMENT = Experiment(
    name="remainders",
    title="Remainders",
    is_about=is_about,
    recipes=RECIPES,
    row=row.row,
    history=row.history,
    claims=claims.CLAIMS,
    own=claims.OWN,
    main="remainders_p53_all_seed0",
    share=34,
    compared=tuple(together.ADDITION.values()),
    together=together.together,
    studies=(grokfast.STUDY,),
    intro=about.intro,
    facts=row.facts,
    table=about.table,
    beside=about.beside,
)
