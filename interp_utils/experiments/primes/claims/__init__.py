"""What Patel et al., section 3.1, say about primes, what else was found, and the rules."""

from interp_utils.experiments.primes.claims.found import OWN
from interp_utils.experiments.primes.claims.published import CLAIMS

__all__ = ["CLAIMS", "OWN"]
