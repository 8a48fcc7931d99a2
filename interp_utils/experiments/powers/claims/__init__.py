"""What Patel et al., section 3.3, say about x^a + y^b, what else was found, and the rules."""

from interp_utils.experiments.powers.claims import labels, mechanism, table
from interp_utils.experiments.powers.claims.found import OWN

__all__ = ["CLAIMS", "OWN"]

CLAIMS = [*table.CLAIMS, *labels.CLAIMS, *mechanism.CLAIMS]
