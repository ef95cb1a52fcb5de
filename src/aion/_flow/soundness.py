"""What JSON would change or lose without a word: found, and refused with its place; and sets, put in order.

All of this runs only when the encoded bytes show that there may be something to find. Keys of dicts need no look:
they are written as text, NaN too, and come back.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from dataclasses import fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

import msgspec

from aion._core.excerpt import excerpt
from aion._core.limits import Limits
from aion._flow.foreign import is_model, to_json, to_plain
from aion.errors import InvalidInput

ENCODE_ERRORS = (TypeError, ValueError, AttributeError, RecursionError, msgspec.MsgspecError)

_LEAVES = frozenset(
    {str, int, bool, type(None), bytes, bytearray, datetime, date, time, timedelta, UUID, Decimal, msgspec.Raw}
)
_NOT_BY_FIELD = (Enum, dict, list, tuple, set, frozenset)
_INT_END = 10**Limits.int_digits_max


def holds_sets(value: object, what: str) -> bool:
    """Whether a value that was encoded holds a set whose order matters.

    Raises:
        InvalidInput: it holds a float that is not finite, or is nested too deep.
    """
    found = False
    names_of: dict[type, Collection[str]] = {}
    level: list[Collection[Any]] = [(value,)]
    for _ in range(Limits.depth_max + 1):
        deeper: list[Collection[Any]] = []
        for members in level:
            if _LEAVES.issuperset(map(type, members)):
                continue
            for member in members:
                kind = type(member)
                if kind is float:
                    if not isfinite(member):
                        raise _not_finite(value, what)
                elif kind not in _LEAVES and _look(member, names_of, deeper, value, what):
                    found = True
        if not deeper:
            return found
        level = deeper
    raise _too_deep(value, what) or AssertionError("a value is deeper on one look than on another")


def with_sorted_sets(value: Any) -> Any:
    """A value that is encoded like this one, except that each set in it is a sorted list."""
    if isinstance(value, set | frozenset):
        members = [with_sorted_sets(member) for member in value]
        kinds = set(map(type, members))
        return sorted(members) if kinds == {str} or kinds == {int} else sorted(members, key=to_json)
    if isinstance(value, dict):
        return {key: with_sorted_sets(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [with_sorted_sets(member) for member in value]
    if isinstance(value, msgspec.Struct):
        # What a struct is written as has many options, so it stays a struct: a copy, filled past a frozen one's guard.
        clone = copy.copy(value)
        for name in value.__struct_fields__:
            msgspec.structs.force_setattr(clone, name, with_sorted_sets(getattr(value, name)))
        return clone
    names = _field_names(type(value))
    return {name: with_sorted_sets(getattr(value, name)) for name in names if hasattr(value, name)} if names else value


def refusal(value: object, error: Exception, what: str) -> InvalidInput | None:
    """Why a value cannot be encoded, and where in it the reason lies; None if the reason is not the value."""
    if isinstance(error, RecursionError):
        return _too_deep(value, what)
    place, culprit, error = _first_failing(value, error)
    if isinstance(culprit, dict):
        for key in culprit:
            if _failure({key: None}) is not None:
                inner = _failure(key)
                why = f" of type {type(key).__name__}" if inner is None else _because(key, inner)
                return InvalidInput(
                    f"{what}: {place} has the key {excerpt(key)}{why}: a key is text, a number, a date, a UUID "
                    "or a member of an enum"
                )
    return InvalidInput(f"{what}: {place} is {excerpt(culprit)}{_because(culprit, error)}")


def refuse_long_integers(value: object, what: str) -> None:
    """Refuse integers that Python was told to write, but that cannot be read back everywhere.

    Raises:
        InvalidInput: it holds an integer of more digits than the limit.
    """
    for place, member in _places(value):
        if isinstance(member, int) and not -_INT_END < member < _INT_END:
            raise InvalidInput(f"{what}: {place} is {excerpt(member)}{_TOO_LONG}")


_TOO_LONG = f", more than {Limits.int_digits_max:,} decimal digits, which cannot be read back: pass it as text"


def _look(
    member: Any, names_of: dict[type, Collection[str]], deeper: list[Collection[Any]], value: object, what: str
) -> bool:
    """Note what is inside `member` for the next level; whether it is a set."""
    kind = type(member)
    if kind is list or kind is tuple:
        deeper.append(member)
        return False
    if kind is not dict:
        names = names_of.get(kind)
        if names is None:
            names = names_of[kind] = _field_names(kind)
        if names:
            deeper.append([getattr(member, name, None) for name in names])
            return False
        member = _unwrapped(member)
    if isinstance(member, dict):
        deeper.append(member.values())
    elif isinstance(member, list | tuple | set | frozenset):
        deeper.append(member)
        return isinstance(member, set | frozenset) and len(member) > 1
    elif isinstance(member, float) and not isfinite(member):
        raise _not_finite(value, what)
    return False


def _unwrapped(value: Any) -> Any:
    """What stands in the JSON for an enum member or a model."""
    if isinstance(value, Enum):
        return value.value
    if is_model(type(value)):
        try:
            return to_plain(value)
        except (TypeError, ValueError):
            return value
    return value


def _field_names(kind: Any) -> Collection[str]:
    """The fields of a class made by `dataclass`, msgspec or attrs; none of what is written in another way."""
    if issubclass(kind, _NOT_BY_FIELD):
        return ()
    if hasattr(kind, "__dataclass_fields__"):
        # Not the names in that attribute itself: they hold class variables too, which are not written.
        return [field.name for field in fields(kind)]
    if hasattr(kind, "__struct_fields__"):
        return kind.__struct_fields__  # type: ignore[no-any-return]
    return [attribute.name for attribute in getattr(kind, "__attrs_attrs__", ())]


def _not_finite(value: object, what: str) -> InvalidInput:
    for place, part in _places(value):
        member = _unwrapped(part)
        if isinstance(member, float) and not isfinite(member):
            return InvalidInput(
                f"{what}: {place} is {member!r}, which JSON cannot hold: pass None, or the number as text"
            )
    raise AssertionError("a float that is not finite was found on one look and not on another")


def _too_deep(value: object, what: str) -> InvalidInput | None:
    advice = "flatten it, or store it elsewhere and pass a reference"
    for _, chain in _chains(value):
        if len(chain) > Limits.depth_max and _members(chain[-1]) is not None:
            if len({id(link) for link in chain}) < len(chain):
                return InvalidInput(f"{what}: it contains itself, and would never end when written: {advice}")
            return InvalidInput(f"{what}: it is nested deeper than {Limits.depth_max} levels: {advice}")
    return None


def _first_failing(value: object, error: Exception) -> tuple[str, Any, Exception]:
    """The innermost part that cannot be encoded, the first in order, with its path and its own error."""
    place, culprit = "$", value
    while True:
        for segment, member in _members(culprit) or ():
            inner = _failure(member)
            if inner is not None:
                place, culprit, error = place + segment, member, inner
                break
        else:
            return place, culprit, error


def _failure(value: object) -> Exception | None:
    try:
        to_json(value)
    except ENCODE_ERRORS as error:
        return error
    return None


def _because(culprit: object, error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        lone = str(error.object)[error.start]
        return f", which holds the lone surrogate {lone!r}, no character at all: pass it as bytes"
    if isinstance(culprit, int):
        return _TOO_LONG
    if isinstance(error, TypeError):
        return f" of type {type(culprit).__name__}, which cannot be recorded: pass data that stands for it"
    return f", which cannot be recorded: {error}"


def _places(value: object) -> Iterator[tuple[str, Any]]:
    """Each part of a value with its path, the whole first."""
    return ((place, chain[-1]) for place, chain in _chains(value))


def _chains(value: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Each part of a value with its path and everything it lies in; no deeper than one level too deep."""
    waiting: list[tuple[str, tuple[Any, ...]]] = [("$", (value,))]
    while waiting:
        place, chain = waiting.pop()
        yield place, chain
        if len(chain) <= Limits.depth_max + 1:
            inside = _members(chain[-1]) or ()
            waiting.extend((place + segment, (*chain, member)) for segment, member in reversed(list(inside)))


def _members(value: Any) -> Collection[tuple[str, Any]] | None:
    """What lies in a value, with the step that leads there; None for what holds nothing by nature."""
    value = _unwrapped(value)
    if isinstance(value, dict):
        return [(_step(key), member) for key, member in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", member) for index, member in enumerate(value)]
    if isinstance(value, set | frozenset):
        return [("[...]", member) for member in value]
    names = _field_names(type(value))
    if not names:
        return None
    return [(f".{name}", getattr(value, name)) for name in names if hasattr(value, name)]


def _step(key: Any) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{excerpt(key, 40)}]"
