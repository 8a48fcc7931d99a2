"""When a model memorises, groks, generalises at once or does neither, and what it forgets."""

from interp_utils.experiments import general
from interp_utils.experiments.base import Experiment
from interp_utils.experiments.phase_diagrams import about, claims, together
from interp_utils.experiments.phase_diagrams.recipes import EXAMPLES
from interp_utils.experiments.phase_diagrams.studies import STUDIES

EXPERIMENT = Experiment(
    name="phase_diagrams",
    title="Phase diagrams",
    is_about=lambda run: False,  # its trainings ship as tables
    recipes={f"phase_{name}": recipe for name, recipe in EXAMPLES.items()},
    row=general.row,
    history=general.history,
    claims=claims.CLAIMS,
    own=claims.OWN,
    share=0,
    together=together.together,
    intro=about.intro,
    table=about.table,
    studies=STUDIES,
)
