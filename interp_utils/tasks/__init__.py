"""What is to be learned: every input, its label, and which of them are for training."""

from interp_utils.tasks.controls import random_labels
from interp_utils.tasks.grid import modular_addition
from interp_utils.tasks.task import Task

__all__ = ["Task", "modular_addition", "random_labels"]
