"""Negative controls: tasks that look like another and have nothing to find."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from interp_utils.tasks.task import Task


def random_labels(task: Task, seed: int = 0) -> Task:
    """The same inputs and training pairs with the labels in random order: a model can only memorise
    it.

    Each class keeps its number of inputs. With several label columns, rows stay together.
    """
    order = torch.from_numpy(np.random.RandomState(seed).permutation(len(task)))
    params = {**task.params, "labels_seed": seed}
    return dataclasses.replace(
        task, name=f"{task.name}_random_labels", labels=task.labels[order], params=params
    )
