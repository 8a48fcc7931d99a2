"""What takes a model with its task, or a run: ablations, histories, milestones."""
