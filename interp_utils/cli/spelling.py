"""Values as they are typed in a shell: from text to a value of some type, and back."""

from __future__ import annotations

import collections.abc
import contextlib
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

UNIONS, TUPLES = (Union, UnionType), (tuple, collections.abc.Sequence)


def read(hint: Any, text: str) -> Any:
    """The value of this type that a text spells. Raises ValueError or TypeError if there is
    none.
    """
    parts = get_args(hint)
    if get_origin(hint) in UNIONS:
        for part in parts:
            with contextlib.suppress(ValueError, TypeError):
                return read(part, text)
        raise ValueError
    if get_origin(hint) is Literal:
        return parts[[str(part) for part in parts].index(text)]
    if get_origin(hint) in TUPLES:
        items = text.split(",")
        return tuple(
            read(part, item) for part, item in zip(_items(hint, len(items)), items, strict=True)
        )
    if hint is bool:
        return bool(["no", "yes"].index(text))
    return None if hint is NoneType and text == "none" else hint(text)


def _items(hint: Any, n: int) -> tuple[Any, ...]:
    """The types of n items: those of a tuple, or n times the one of a sequence of any length."""
    parts = get_args(hint)
    return parts[:1] * n if _any_length(hint) else parts


def _any_length(hint: Any) -> bool:
    return get_origin(hint) is not tuple or ... in get_args(hint)


def readable(hint: Any) -> bool:
    """Whether a value of this type can be typed."""
    if get_origin(hint) in UNIONS:
        return all(map(readable, get_args(hint)))
    if get_origin(hint) in TUPLES:
        return all(map(readable, _items(hint, 1)))
    return get_origin(hint) is Literal or hint in (int, float, str, bool, NoneType)


def typed(hint: Any) -> Any:
    """The types of a union that can be typed: a group's name, say, and not its table."""
    parts = [part for part in get_args(hint) if readable(part)]
    if get_origin(hint) not in UNIONS or not parts:
        return hint
    return Union[tuple(parts)]  # noqa: UP007, a union of any number of types


def spell(value: Any) -> str:
    """A value as it would be typed."""
    if isinstance(value, (tuple, list)):
        return ",".join(map(spell, value))
    return {"None": "none", "True": "yes", "False": "no"}.get(str(value), str(value))


def spell_hint(hint: Any) -> str:
    """What a type takes, spelt for --help, e.g. int|none or float,float."""
    if get_origin(hint) in UNIONS:
        return "|".join(map(spell_hint, get_args(hint)))
    if get_origin(hint) is Literal:
        return "|".join(map(str, get_args(hint)))
    if get_origin(hint) in TUPLES:
        items = list(map(spell_hint, _items(hint, 1)))
        if _any_length(hint):
            items.append("...")
        return ",".join(items)
    return "none" if hint is NoneType else hint.__name__
