"""Checks that a task's tensors fit each other and the task's declarations."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

if TYPE_CHECKING:
    from interp_utils.tasks.task import Task

P = ParamSpec("P")
R = TypeVar("R")


def plain_numbers(made: Callable[P, R]) -> Callable[P, R]:
    """The function with numbers of NumPy and torch converted to Python numbers."""

    @functools.wraps(made)
    def with_plain_numbers(*args: P.args, **kwargs: P.kwargs) -> R:
        plain = {name: _plain(value) for name, value in kwargs.items()}
        return made(*map(_plain, args), **plain)

    return with_plain_numbers


def _plain(value: Any) -> Any:
    if type(value) in (tuple, list):
        return type(value)(_plain(each) for each in value)
    is_number = getattr(value, "ndim", None) == 0 and hasattr(value, "tolist")
    return value.tolist() if is_number else value


def check_tensors(task: Task) -> None:
    for name, dtype, dims in (
        ("tokens", torch.int64, (2,)),
        ("labels", torch.int64, (1, 2)),
        ("train_mask", torch.bool, (1,)),
    ):
        tensor = getattr(task, name)
        if tensor.dtype != dtype:
            raise TypeError(f"Task.{name} must be {dtype}, got {tensor.dtype}")
        if tensor.ndim not in dims:
            raise ValueError(
                f"Task.{name} must have {' or '.join(map(str, dims))} axes, got shape "
                f"{tuple(tensor.shape)}"
            )
    n = task.tokens.shape[0]
    if not n == len(task.labels) == len(task.train_mask) or n == 0:
        raise ValueError(
            f"tokens, labels and train_mask must have one row per input, got {n}, "
            f"{len(task.labels)} and {len(task.train_mask)} rows"
        )
    if task.tokens.min() < 0 or task.tokens.max() >= task.d_vocab:
        raise ValueError(
            f"tokens must be in 0 .. {task.d_vocab - 1}, got {task.tokens.min().item()} .. "
            f"{task.tokens.max().item()}"
        )
    if task.split_known and not task.train_mask.any():
        raise ValueError("train_mask marks no input for training; raise frac_train")
    if not task.split_known and task.train_mask.any():
        raise ValueError("split_known is False, and train_mask marks inputs for training")


def check_answers(task: Task) -> None:
    columns = task.labels.reshape(len(task), -1)
    n_answers = columns.shape[1]
    if len(task.n_classes) != n_answers:
        raise ValueError(
            f"n_classes must have one entry per answer: {n_answers} columns of labels, "
            f"{len(task.n_classes)} entries"
        )
    weights = task.weights
    if weights is None:
        weights = [1.0 for _ in range(n_answers)]
    finite = all(0 <= weight < math.inf for weight in weights)
    if len(weights) != n_answers or not finite or not any(weights):
        raise ValueError(
            f"weights must be {n_answers} finite numbers of at least 0, one per answer, not all 0; "
            f"got {weights}"
        )
    for column, (labels, classes) in enumerate(zip(columns.unbind(1), task.n_classes, strict=True)):
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(
                f"labels of column {column} must be in 0 .. {classes - 1}, got "
                f"{labels.min().item()} .. {labels.max().item()}"
            )


def check_outputs(task: Task) -> None:
    if type(task.answer_pos) is not int or not -task.n_ctx <= task.answer_pos < task.n_ctx:
        raise ValueError(
            f"answer_pos must be a position of the {task.n_ctx} tokens, got {task.answer_pos!r}"
        )
    classes = sum(task.n_classes)
    there = classes if task.d_vocab_out is None else task.d_vocab_out
    if there < classes:
        raise ValueError(f"{classes} classes need as many outputs, got d_vocab_out = {there}")
    if task.outputs is None:
        return
    in_range = all(type(output) is int and 0 <= output < there for output in task.outputs)
    if len(task.outputs) != classes or len(set(task.outputs)) < classes or not in_range:
        raise ValueError(
            f"outputs must name {classes} different outputs of 0 .. {there - 1}, one per class; "
            f"got {list(task.outputs)[:8]}"
        )


def cells(task: Task) -> Int[Tensor, "n"]:
    """The cell of the grid, a-major, of every input.

    Raises ValueError unless each cell has one input.
    """
    names = "ab" if len(task.operands) == 2 else [str(i) for i in range(len(task.operands))]
    positions = [operand.position for operand in task.operands]
    if len(set(positions)) < len(positions):
        raise ValueError(f"two operands stand at one position: {positions}")
    found = torch.zeros(len(task), dtype=torch.int64)
    inputs = task.tokens.cpu()
    for name, operand in zip(names, task.operands, strict=True):
        values = operand.values(inputs, name, task.d_vocab)
        found = found * len(operand.tokens) + values
    needed = math.prod(task.grid)
    if len(task) != needed:
        shape = " x ".join(map(str, task.grid))
        raise ValueError(f"a grid of {shape} needs {needed} inputs, got {len(task)}")
    counts = found.bincount(minlength=needed)
    if (counts != 1).any():
        twice = int((counts[found] > 1).nonzero()[0])
        raise ValueError(
            f"every combination of operands must occur once; that of input {twice}, "
            f"{inputs[twice].tolist()}, occurs {int(counts[found[twice]])} times"
        )
    return found


def check_operation(task: Task) -> None:
    operation = task.operation
    if len(task.operands) != 2 or task.labels.ndim != 1:
        raise ValueError(
            "an operation needs two operands and one answer, got "
            f"{len(task.operands)} operands and labels of the shape {tuple(task.labels.shape)}: "
            "leave operation None for such a task"
        )
    for name, size in (("u", task.grid[0]), ("v", task.grid[1])):
        values = getattr(operation, name)
        if values.dtype != torch.int64 or values.shape != (size,):
            raise ValueError(
                f"operation.{name} must be {size} integers, one for each value of its operand, "
                f"got {values.dtype} of shape {tuple(values.shape)}"
            )
        if values.min() < 0 or values.max() >= operation.modulus:
            raise ValueError(f"operation.{name} must be in 0 .. {operation.modulus - 1}")
    classes = operation.classes
    if classes.dtype != torch.int64 or classes.min() < 0 or classes.max() >= task.n_classes[0]:
        raise ValueError(f"operation.classes must be classes, 0 .. {task.n_classes[0] - 1}")
    wrong = (operation.labels.flatten()[task._cells] != task.labels.cpu()).nonzero()[:, 0]
    if operation.holds and len(wrong):
        row = int(wrong[0])
        a, b = divmod(int(task._cells[row]), task.grid[1])
        raise ValueError(
            f"the labels are not those of the operation, first at input {row}: for (a, b) = "
            f"({a}, {b}) it gives class {int(operation.labels[a, b])}, and the label is "
            f"{int(task.labels[row])}"
        )
    if not operation.holds and not len(wrong):
        raise ValueError("operation.holds is False, but all labels are those of the operation")
