"""Measures of a model with its task, or of a run: ablations, histories, milestones."""
