"""Grokking sooner: learning rates, optimisers, losses and initial norms beside each other."""

from interp_utils.experiments.addition import recipes as addition
from interp_utils.experiments.base import Experiment
from interp_utils.experiments.faster import about, claims, row, together
from interp_utils.experiments.faster.recipes import P, fast, smaller
from interp_utils.experiments.faster.study import STUDY
from interp_utils.experiments.general import history

EXPERIMENT = Experiment(
    name="faster",
    title="Grokking sooner",
    is_about=lambda run: False,  # its trainings are rows of a study, its runs modular addition's
    recipes={"fast_p113_seed0": fast(), "fast_p53_seed0": smaller()},
    row=row.row,
    history=history,
    claims=claims.CLAIMS,
    own=claims.OWN,
    share=0,
    compared=("modular_addition", *(f"p{P}_seed{seed}" for seed in sorted(addition.STEPS))),
    together=together.together,
    intro=about.intro,
    table=about.table,
    about=lambda row: "arm" in row,
    studies=[STUDY],
)
