"""Sorting: Patel et al., section 3.4."""

from interp_utils.experiments.base import Experiment
from interp_utils.experiments.sorting import about, claims, row, together
from interp_utils.experiments.sorting.recipes import RECIPES
from interp_utils.runs.run import Run
from interp_utils.tasks import Sorting


def is_about(run: Run) -> bool:
    return isinstance(run.task, Sorting)


EXPERIMENT = Experiment(
    name="sorting",
    title="Sorting",
    is_about=is_about,
    recipes=RECIPES,
    row=row.row,
    history=row.history,
    claims=claims.CLAIMS,
    own=claims.OWN,
    main="sorting_one_head_seed0",
    share=4,
    rounding=5e-3,  # of shares of 1,000 lists, a few of which may come out otherwise
    together=together.together,
    intro=about.intro,
    facts=row.facts,
    table=about.table,
    about=claims.of_kind("one head"),
)
