"""From a task to a run: losses, the two forwards, the loop."""

from interp_utils.training.loop import train

__all__ = ["train"]
