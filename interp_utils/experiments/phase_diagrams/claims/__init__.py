"""What was published of when models grok, what was found beside it, and the rules."""

from interp_utils.experiments.phase_diagrams.claims import branches, diagrams, findings

CLAIMS = [*diagrams.CLAIMS, *branches.CLAIMS]
OWN = findings.OWN
