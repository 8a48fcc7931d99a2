"""From a task to a run: losses, optimisers, the loop, one run, many at once, and forks of runs."""

from interp_utils.training.ensemble import train_many
from interp_utils.training.single import fork, resume, train

__all__ = ["fork", "resume", "train", "train_many"]
