"""Composition in finite groups: Chughtai et al. 2023, Stander et al. 2024, Wu et al. 2025."""

from interp_utils.experiments.base import Experiment, one_layer
from interp_utils.experiments.groups import about, claims, findings, row, together
from interp_utils.experiments.groups.recipes import RECIPES
from interp_utils.runs.run import Run
from interp_utils.tasks import GroupComposition


def is_about(run: Run) -> bool:
    return isinstance(run.task, GroupComposition) and one_layer(run)


EXPERIMENT = Experiment(
    name="groups",
    title="Group composition",
    is_about=is_about,
    recipes=RECIPES,
    row=row.row,
    history=row.history,
    claims=claims.CLAIMS,
    own=findings.OWN,
    main="groups_S5_seed0",
    share=24,
    together=together.together,
    intro=lambda rows: about.INTRO,
    table=about.table,
    beside=about.beside,
)
