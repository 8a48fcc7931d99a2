"""The study: `interp-utils study primes`."""

from interp_utils.experiments.primes import recipes
from interp_utils.experiments.primes.row import row
from interp_utils.experiments.studies import Study

STUDY = Study(
    name="primes",
    trainings=recipes.trainings(),
    recipe=recipes.recipe,
    look=row,
    settle=float("inf"),
)
