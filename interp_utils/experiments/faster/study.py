"""The study: `interp-utils study faster`."""

from interp_utils.experiments.faster import recipes
from interp_utils.experiments.faster.row import look
from interp_utils.experiments.studies import Study

STUDY = Study(
    name="faster",
    trainings=recipes.trainings(),
    recipe=recipes.recipe,
    look=look,
    settle=recipes.SETTLE,
)
