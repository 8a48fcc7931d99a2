"""Integer sequences: four questions for one encoder (Belcak et al. 2022)."""

from interp_utils.experiments.base import Experiment
from interp_utils.experiments.general import history
from interp_utils.experiments.sequences import about, claims, row
from interp_utils.experiments.sequences.recipes import RECIPES, named
from interp_utils.runs.run import Run
from interp_utils.tasks import IntegerSequences


def is_about(run: Run) -> bool:
    return isinstance(run.task, IntegerSequences)


EXPERIMENT = Experiment(
    name="sequences",
    title="Integer sequences",
    is_about=is_about,
    recipes=RECIPES,
    row=row.row,
    history=history,
    claims=claims.CLAIMS,
    own=claims.OWN,
    main=named(0),
    share=2,
    rounding=1e-2,  # of shares of a few hundred sequences, a few of which may come out otherwise
    intro=lambda rows: about.INTRO,
    facts=row.facts,
    table=about.table,
)
