"""What is to be learned: every input, its label, and which inputs are for training.

Every name in the `__all__` of a module in this folder is also found here.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from interp_utils.tasks.kinds import UnknownKind, kind_of
from interp_utils.tasks.stream import StreamTask
from interp_utils.tasks.task import Task

AnyTask = Task | StreamTask

__all__ = ["AnyTask", "UnknownKind", "restore"]

for _found in pkgutil.iter_modules(__path__):
    _module = importlib.import_module(f"{__name__}.{_found.name}")
    for _name in getattr(_module, "__all__", []):
        globals()[_name] = getattr(_module, _name)
        __all__ += [_name]


def restore(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> AnyTask:
    """The task that a run has stored.

    Raises UnknownKind where this version does not know the task's kind, or a part of its
    description; ValueError where the stored tensors do not fit the description.
    """
    if "kind" not in about:
        about, tensors = importlib.import_module(f"{__name__}.legacy").upgrade(about, tensors)
    task = kind_of(about).restore(about, tensors)
    unknown = {*about, *tensors} - {*task.about(), *task.tensors()}
    if unknown:
        raise UnknownKind(f"a task of the kind {task.kind!r} does not have {sorted(unknown)}")
    return task
