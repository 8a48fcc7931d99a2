"""The study: `interp-utils study blocks`."""

from interp_utils.experiments.blocks import recipes
from interp_utils.experiments.blocks.row import look
from interp_utils.experiments.studies import Study

STUDY = Study(
    name="blocks",
    trainings=recipes.trainings(),
    recipe=recipes.recipe,
    look=look,
    settle=recipes.SETTLE,
)
