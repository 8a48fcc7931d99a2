"""Names of an earlier version, which are in `algorithm` and `sparsity` now."""

from interp_utils.analysis.algorithm import (
    CosineFit,
    cosine_fit,
    distance_irrelevance,
    variance_explained,
)
from interp_utils.analysis.answers import SequenceAccuracy, sequence_accuracy
from interp_utils.analysis.sparsity import (
    FourierDensity,
    fourier_density,
    gini,
    inverse_participation_ratio,
)

__all__ = [
    "CosineFit",
    "FourierDensity",
    "SequenceAccuracy",
    "cosine_fit",
    "distance_irrelevance",
    "fourier_density",
    "gini",
    "inverse_participation_ratio",
    "sequence_accuracy",
    "variance_explained",
]
