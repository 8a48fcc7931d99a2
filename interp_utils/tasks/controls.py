"""Negative controls: tasks that look like another and have nothing to find."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from interp_utils.tasks.checks import plain_numbers
from interp_utils.tasks.task import Task

__all__ = ["random_labels"]


@plain_numbers
def random_labels(task: Task, seed: int = 0) -> Task:
    """The task with its labels in random order, and the same inputs and training pairs: a model can
    only memorise them.

    Each class keeps its number of inputs. Where an input has several answers, they stay together.
    The coordinates of the task's operation stay, so that a measure can look for what is not there.
    """
    order = torch.from_numpy(np.random.RandomState(seed).permutation(len(task)))
    operation = task.operation and dataclasses.replace(task.operation, holds=False)
    return dataclasses.replace(
        task,
        name=f"{task.name}_random_labels",
        labels=task.labels[order],
        operation=operation,
        params={**task.params, "labels_seed": seed},
    )
