"""What Patel et al., section 3.4, say about sorting, what else was found, and the rules."""

from interp_utils.experiments.sorting.claims import learning, mechanism, variants
from interp_utils.experiments.sorting.claims.found import OWN
from interp_utils.experiments.sorting.claims.rows import of_kind

__all__ = ["CLAIMS", "OWN", "of_kind"]

CLAIMS = [*learning.CLAIMS, *mechanism.CLAIMS, *variants.CLAIMS]
