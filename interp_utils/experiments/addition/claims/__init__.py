"""What Nanda et al. 2023 say about modular addition, what else was found, and the rules."""

from interp_utils.experiments.addition.claims import ablations, over_training, representation
from interp_utils.experiments.addition.claims.found import OWN

__all__ = ["CLAIMS", "OWN"]

CLAIMS = [*representation.CLAIMS, *over_training.CLAIMS, *ablations.CLAIMS]
