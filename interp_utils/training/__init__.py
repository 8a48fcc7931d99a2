"""From a task to a run: losses, the two forwards, the loop, and many runs at once."""

from interp_utils.training.ensemble import train_many
from interp_utils.training.loop import train

__all__ = ["train", "train_many"]
