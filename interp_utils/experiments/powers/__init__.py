"""x^a + y^b mod p: Patel et al., section 3.3."""

from interp_utils.experiments.addition import recipes as addition
from interp_utils.experiments.base import Experiment, one_layer
from interp_utils.experiments.powers import about, bijections, claims, row, together
from interp_utils.experiments.powers.recipes import RECIPES, P
from interp_utils.measures import trajectories
from interp_utils.runs.run import Run
from interp_utils.tasks import PowerSum


def is_about(run: Run) -> bool:
    return isinstance(run.task, PowerSum) and one_layer(run)


EXPERIMENT = Experiment(
    name="powers",
    title="Exponentiated addition",
    is_about=is_about,
    recipes=RECIPES,
    row=row.row,
    history=trajectories.measure,
    claims=claims.CLAIMS,
    own=claims.OWN,
    share=18,
    compared=(
        "modular_addition",
        *(f"p{P}_seed{seed}" for seed in sorted(addition.STEPS)),
        "memoriser",
    ),
    together=together.together,
    studies=(bijections.STUDY,),
    intro=about.intro,
    facts=row.facts,
    table=about.table,
    about=row.generalised,
)
