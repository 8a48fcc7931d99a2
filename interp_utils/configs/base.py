"""What every configuration has in common: JSON in and out, and errors that name the wrong field."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar, TypeVar, get_args

C = TypeVar("C", bound="Config")


class UnknownSetting(ValueError):
    """A field, or an option of one, that this version does not have."""


class Config:
    """A frozen record of settings: JSON in and out, and a check that names the field that is wrong.

    Scalars and arrays of NumPy and torch become the Python numbers that they hold.
    """

    added: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if hasattr(value, "tolist"):
                value = value.tolist()
            if isinstance(value, list | tuple):
                value = tuple(each.tolist() if hasattr(each, "tolist") else each for each in value)
            object.__setattr__(self, field.name, value)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls: type[C], values: dict[str, Any]) -> C:
        """The record with these values. Raises UnknownSetting for unknown or missing fields: a file
        from another version is never read in part.

        Only fields that were `added` since the first version may be missing: their defaults do what
        the first version did.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        missing, unknown = sorted(names - set(values) - cls.added), sorted(set(values) - names)
        if missing or unknown:
            raise UnknownSetting(
                f"{cls.__name__} has the fields {sorted(names)}; missing: {missing}, unknown: "
                f"{unknown}"
            )
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})

    def _require(
        self, holds: bool, field: str, expected: str, error: type[ValueError] = ValueError
    ) -> None:
        if not holds:
            raise error(
                f"{type(self).__name__}.{field} must be {expected}, got {getattr(self, field)!r}"
            )

    def _require_int(self, field: str, low: int) -> None:
        value = getattr(self, field)
        self._require(type(value) is int and value >= low, field, f"an integer of at least {low}")

    def _require_real(
        self, field: str, *, above: float = -math.inf, low: float = -math.inf
    ) -> None:
        value = getattr(self, field)
        holds = (
            type(value) in (int, float) and math.isfinite(value) and value > above and value >= low
        )
        self._require(
            holds,
            field,
            f"a finite number {f'above {above}' if above > -math.inf else f'of at least {low}'}",
        )

    def _require_one_of(self, field: str, options: Any) -> None:
        known = get_args(options)
        self._require(getattr(self, field) in known, field, f"one of {known}", UnknownSetting)
