"""The study: `interp-utils study phasors`."""

import math

from interp_utils.experiments.phasors import recipes
from interp_utils.experiments.phasors.row import look
from interp_utils.experiments.studies import Study

STUDY = Study(
    name="phasors",
    trainings=recipes.trainings(),
    recipe=recipes.recipe,
    look=look,
    settle=math.inf,
)
