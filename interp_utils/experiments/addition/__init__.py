"""Modular addition: Nanda et al. 2023."""

from interp_utils.experiments.addition import about, claims, findings, row
from interp_utils.experiments.addition.recipes import RECIPES
from interp_utils.experiments.base import Experiment, one_layer
from interp_utils.measures import trajectories
from interp_utils.runs.run import Run
from interp_utils.tasks import Task


def is_about(run: Run) -> bool:
    """Whether the task is a plain table of pairs whose label is a sum, not a type of its own."""
    return type(run.task) is Task and run.task.operation is not None and one_layer(run)


def remark(run: Run) -> str | None:
    if run.task.operation.holds:
        return None
    return (
        "Key frequencies, restricted and excluded loss look for a + b, and this task's labels are "
        "something else. The phases of grokking are left out."
    )


EXPERIMENT = Experiment(
    name="addition",
    title="Modular addition",
    is_about=is_about,
    recipes=RECIPES,
    row=row.row,
    history=trajectories.measure,
    claims=claims.CLAIMS,
    own=claims.OWN,
    share=26,
    intro=about.intro,
    table=about.table,
    about=row.generalised,
    beside=about.other_p,
    remark=remark,
    findings=findings.FINDINGS,
    main=findings.MAIN,
)
