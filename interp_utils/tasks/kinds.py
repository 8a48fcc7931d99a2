"""How a stored task is read again: by the kind that its class declares, and never by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

KINDS: dict[str, type[Restorable]] = {}


class UnknownKind(ValueError):
    """No imported class of tasks has this kind, or the class does not know a stored entry."""


class Restorable:
    """A task that can be stored and restored. A subclass is found by its `kind`.

    about():   the description of the task, JSON-able, with its kind.
    tensors(): the tensors that belong to the description.
    """

    kind: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" in vars(cls):
            there = KINDS.get(cls.kind, cls)
            if (there.__module__, there.__qualname__) != (cls.__module__, cls.__qualname__):
                raise ValueError(
                    f"the kind {cls.kind!r} belongs to {there.__module__}.{there.__qualname__}; "
                    f"choose another one"
                )
            KINDS[cls.kind] = cls

    def about(self) -> dict[str, Any]:
        raise NotImplementedError(
            f"{type(self).__name__} must define about(), which returns the description to store"
        )

    def tensors(self) -> dict[str, Tensor]:
        raise NotImplementedError(
            f"{type(self).__name__} must define tensors(), which returns the tensors to store"
        )

    @classmethod
    def restore(cls, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Restorable:
        raise NotImplementedError(
            f"{cls.__name__} must define the class method restore(about, tensors), which returns "
            "the stored task"
        )


def kind_of(about: Mapping[str, Any]) -> type[Restorable]:
    """The class that restores a described task. Raises UnknownKind where there is none."""
    if about["kind"] not in KINDS:
        raise UnknownKind(
            f"the task is of the kind {about['kind']!r}, and {sorted(KINDS)} are known: import the "
            f"module that defines this kind, then load the task again"
        )
    return KINDS[about["kind"]]
