"""What Syrkis and Søgaard 2024 say about many remainders, what else was found, and the rules."""

from interp_utils.experiments.remainders.claims import numbers, over_time, representation, training
from interp_utils.experiments.remainders.claims.found import OWN

__all__ = ["CLAIMS", "OWN"]

CLAIMS = [
    *training.CLAIMS,
    *representation.CLAIMS,
    *over_time.CLAIMS,
    *numbers.CLAIMS,
]
