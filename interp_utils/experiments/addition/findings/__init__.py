"""Rules for what notebooks 01 to 05 look at in one run, beyond the claims of docs/claims.md, and
the verdicts that the notebooks' text states about the main run.
"""

from interp_utils.experiments.addition.findings import embedding, live, neurons, progress

__all__ = ["FINDINGS", "MAIN"]

MAIN = "modular_addition"
FINDINGS = [*live.FINDINGS, *embedding.FINDINGS, *neurons.FINDINGS, *progress.FINDINGS]
