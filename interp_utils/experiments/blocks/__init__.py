"""Simplified blocks (He and Hofmann 2023): the same tasks with less of a transformer."""

from interp_utils.experiments import general
from interp_utils.experiments.base import Experiment, adds
from interp_utils.experiments.blocks import about, claims, recipes, row, together
from interp_utils.experiments.blocks.study import STUDY
from interp_utils.models.blocks import BlocksConfig
from interp_utils.runs.run import Run
from interp_utils.tasks import Primality


def is_about(run: Run) -> bool:
    of_blocks = isinstance(run.config.model, BlocksConfig)
    return of_blocks and (isinstance(run.task, Primality) or adds(run))


EXPERIMENT = Experiment(
    name="blocks",
    title="Simplified blocks",
    is_about=is_about,
    recipes=recipes.RECIPES,
    row=row.row,
    history=general.history,
    claims=claims.CLAIMS,
    own=claims.OWN,
    main=recipes.MAIN,
    share=2,
    together=together.together,
    intro=about.intro,
    table=about.table,
    studies=[STUDY],
)
