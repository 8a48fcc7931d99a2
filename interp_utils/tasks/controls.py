"""Negative controls: tasks that look like another task but have nothing, or less, to find."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from interp_utils.tasks.checks import plain_numbers
from interp_utils.tasks.task import Task

__all__ = ["noisy_labels", "random_labels"]


@plain_numbers
def random_labels(task: Task, seed: int = 0) -> Task:
    """The task with its labels in random order, and the same inputs and training pairs: a model can
    only memorise the labels.

    Each class keeps its number of inputs. The several answers of an input stay together. The
    coordinates of the task's operation stay, so a measure can look for what is not there.
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


@plain_numbers
def noisy_labels(task: Task, share: float, seed: int = 0) -> Task:
    """The same task with a share of its training inputs labelled wrongly, each by a random other
    class; test labels stay right.

    The share of training inputs is rounded to a whole number. Raises ValueError for a share outside
    [0, 1], a task with several answers, or a task whose training inputs are unknown.
    """
    if isinstance(share, bool) or not 0 <= share <= 1:
        raise ValueError(f"share, of wrong labels, must be a number in [0, 1], got {share}")
    if task.labels.ndim > 1:
        raise ValueError(f"{task.name} has several answers per input; wrong labels are for one")
    if not task.split_known:
        raise ValueError(f"which inputs of {task.name} are for training is unknown (train=...)")
    draw = np.random.RandomState(seed)
    training = task.train_mask.nonzero()[:, 0].cpu().numpy()
    wrong = torch.from_numpy(draw.permutation(training)[: round(share * len(training))])
    (classes,) = task.n_classes
    labels = task.labels.clone()
    away = torch.from_numpy(draw.randint(1, classes, len(wrong))).to(labels)
    labels[wrong] = (labels[wrong] + away) % classes
    operation = task.operation and dataclasses.replace(task.operation, holds=False)
    return dataclasses.replace(
        task,
        name=f"{task.name}_noisy_labels",
        labels=labels,
        operation=operation if len(wrong) else task.operation,
        params={**task.params, "wrong_labels": share, "labels_seed": seed},
    )
