"""Whether a call that the code makes on replay is the one that was recorded, when their bytes differ.

They are alike if the difference is only the order of keys, or something the code has got since: a parameter, or a
field of a declared class, that the recording does not have and that need not be given. Everything else differs: another
value, a lost key, a key of a plain dict, another order of a list, 1 for 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import inspect

from aion._core.excerpt import excerpt
from aion._core.limits import Limits
from aion._flow.converter import ValueCodec
from aion._flow.foreign import is_model, model_fields
from aion._flow.signature import CallSignature
from aion.errors import InvalidInput


def same_call(
    signature: CallSignature | None, recorded: bytes, recorded_named: bool, attempted: bytes, attempted_named: bool
) -> bool:
    """Whether two payloads stand for the same call of a function; without its signature, every key counts."""
    if recorded == attempted and recorded_named == attempted_named:
        return True
    return not first_difference(signature, recorded, recorded_named, attempted, attempted_named)


def first_difference(
    signature: CallSignature | None, recorded: bytes, recorded_named: bool, attempted: bytes, attempted_named: bool
) -> str:
    """The first place where two calls differ, for people: where, what was recorded, what the code has. "" for none."""
    try:
        old, new = _PLAIN.decode(recorded), _PLAIN.decode(attempted)
    except InvalidInput as error:
        return f"one of the two payloads cannot be read: {error}"
    if not recorded_named and not attempted_named:
        return _difference("$", old, new, _first_shape(signature))
    if signature is None and recorded_named != attempted_named:
        return "$: one was recorded as a single value and the other as named arguments"
    if signature is None:
        return _difference("$", old, new, None)
    return _difference(
        "$", _by_name(signature, old, recorded_named), _by_name(signature, new, attempted_named), _Call(signature)
    )


def same_value(codec: ValueCodec | None, recorded: bytes, attempted: bytes) -> bool:
    """Whether two payloads stand for the same value of the codec's type; without it, every key counts."""
    if recorded == attempted:
        return True
    return not first_value_difference(codec, recorded, attempted)


def first_value_difference(codec: ValueCodec | None, recorded: bytes, attempted: bytes) -> str:
    """The first place where two values differ, for people; "" for none."""
    try:
        old, new = _PLAIN.decode(recorded), _PLAIN.decode(attempted)
    except InvalidInput as error:
        return f"one of the two payloads cannot be read: {error}"
    return _difference("$", old, new, None if codec is None else _shape_of(codec.hint))


@dataclass(frozen=True, slots=True)
class _Field:
    """What is known of one key of an object, or one place of a fixed array."""

    shape: _Shape
    required: bool


@dataclass(frozen=True, slots=True)
class _Call:
    """The shape of named arguments."""

    signature: CallSignature


# What is known of the values at a place; None: nothing, so that every key counts.
_Shape = inspect.Type | _Call | None

_PLAIN = ValueCodec(Any, "payload")


def _by_name(signature: CallSignature, value: Any, named: bool) -> Any:
    """One value as the named argument it is."""
    if named or not signature.parameters:
        return value
    return {signature.parameters[0].name: value}


def _first_shape(signature: CallSignature | None) -> _Shape:
    if signature is None or not signature.parameters:
        return None
    return _shape_of(signature.parameters[0].hint)


def _shape_of(hint: Any) -> _Shape:
    try:
        return inspect.type_info(hint)
    except (TypeError, NameError, AttributeError):
        # Nothing is known of it, so nothing in it may differ.
        return None


def _difference(place: str, old: Any, new: Any, shape: _Shape, depth: int = 0) -> str:
    if depth > Limits.depth_max:
        return f"{place}: nested too deep to be compared"
    shape = _member_of_union(shape, old) if isinstance(shape, inspect.UnionType) else shape
    if type(old) is not type(new):
        return _unlike(place, old, new)
    if isinstance(old, dict):
        return _object_difference(place, old, new, shape, depth)
    if isinstance(old, list):
        return _array_difference(place, old, new, shape, depth)
    # By their text: -0.0 is not 0.0, though they are equal.
    same = repr(old) == repr(new) if isinstance(old, float) else old == new
    return "" if same else _unlike(place, old, new)


def _object_difference(place: str, old: dict[str, Any], new: dict[str, Any], shape: _Shape, depth: int) -> str:
    fields = _fields(shape, old)
    members = shape.value_type if isinstance(shape, inspect.DictType) else None
    for key, value in old.items():
        here = _step(place, key)
        if key not in new:
            return f"{here}: {excerpt(value)} was recorded, the code no longer has this"
        inner = fields[key].shape if key in fields else members
        found = _difference(here, value, new[key], inner, depth + 1)
        if found:
            return found
    for key, value in new.items():
        if key not in old and (key not in fields or fields[key].required):
            why = "and must be given" if key in fields else "and is no declared field"
            return f"{_step(place, key)}: the code has {excerpt(value)}, which was not recorded {why}"
    return ""


def _array_difference(place: str, old: list[Any], new: list[Any], shape: _Shape, depth: int) -> str:
    places = _places(shape)
    members = shape.item_type if isinstance(shape, _ARRAYS) else None
    for index, (value, other) in enumerate(zip(old, new, strict=False)):
        inner = places[index].shape if index < len(places) else members
        found = _difference(f"{place}[{index}]", value, other, inner, depth + 1)
        if found:
            return found
    may_be_longer = len(new) <= len(places) and not any(field.required for field in places[len(old) : len(new)])
    if len(old) == len(new) or (len(old) < len(new) and may_be_longer):
        return ""
    return f"{place}: {len(old)} items were recorded, the code has {len(new)}"


_ARRAYS = (inspect.ListType, inspect.SetType, inspect.FrozenSetType, inspect.VarTupleType, inspect.CollectionType)


def _fields(shape: _Shape, value: dict[str, Any]) -> Mapping[str, _Field]:
    """The declared keys of an object; none for a dict, whose keys are data."""
    if isinstance(shape, _Call):
        return {p.name: _Field(_shape_of(p.hint), p.required) for p in shape.signature.parameters}
    if isinstance(shape, inspect.DataclassType | inspect.StructType | inspect.TypedDictType):
        return {field.encode_name: _Field(field.type, field.required) for field in shape.fields}
    if isinstance(shape, inspect.CustomType) and is_model(shape.cls):
        fields = model_fields(shape.cls).items()
        return {name: _Field(_shape_of(field.annotation), field.is_required()) for name, (_, field) in fields}
    return {}


def _places(shape: _Shape) -> list[_Field]:
    """The declared places of an array; none for a list, whose length is data."""
    if isinstance(shape, inspect.NamedTupleType) or (isinstance(shape, inspect.StructType) and shape.array_like):
        tag = [_Field(None, True)] if isinstance(shape, inspect.StructType) and shape.tag is not None else []
        return tag + [_Field(field.type, field.required) for field in shape.fields]
    if isinstance(shape, inspect.TupleType):
        return [_Field(item, True) for item in shape.item_types]
    return []


def _member_of_union(union: inspect.UnionType, value: Any) -> _Shape:
    """The member that a value belongs to; a reader could not use the union if there were two."""
    for member in union.types:
        if isinstance(value, list) and isinstance(member, (*_ARRAYS, inspect.TupleType, inspect.NamedTupleType)):
            return member
        if isinstance(member, inspect.StructType):
            if isinstance(value, list) and member.array_like and (member.tag is None or value[:1] == [member.tag]):
                return member
            if isinstance(value, dict) and not member.array_like:
                if member.tag is None or value.get(str(member.tag_field)) == member.tag:
                    return member
        elif isinstance(value, dict) and isinstance(member, _OBJECTS):
            return member
    return None


_OBJECTS = (inspect.DataclassType, inspect.TypedDictType, inspect.DictType, inspect.CustomType)


def _unlike(place: str, old: Any, new: Any) -> str:
    return f"{place}: {excerpt(old)} was recorded, the code has {excerpt(new)}"


def _step(place: str, key: str) -> str:
    return f"{place}.{key}" if key.isidentifier() else f"{place}[{excerpt(key, 40)}]"
