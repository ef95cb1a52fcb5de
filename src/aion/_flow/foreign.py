"""Values of types that the JSON library does not know: pydantic models, paths, subclasses of text and numbers.

pydantic is not imported: its models are known by what they can do.
"""

from __future__ import annotations

import os
from typing import Any, get_origin

import msgspec


def to_plain(value: Any) -> Any:
    """What to write for a value of a foreign type.

    Raises:
        TypeError: it cannot be written.
    """
    if is_model(type(value)):
        return _repaired(value.model_dump(mode="json", by_alias=True), value)
    if isinstance(value, str):
        return str.__str__(value)
    # The library knows bools as values; one that comes here is a key, and as 1 it would come back as another.
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"type {type(value).__name__} is not supported")


def from_plain(hint: Any, plain: Any) -> Any:
    """The value of a foreign type that was written as `plain`.

    Raises:
        TypeError: the type cannot be read back, or not from this.
        ValueError: the type itself refuses it.
    """
    kind = get_origin(hint) or hint
    if is_model(kind):
        # Through JSON text: a strict model takes a date or a UUID from text, but not from a Python string.
        return kind.model_validate_json(to_json(plain))
    if isinstance(plain, kind):
        return plain
    if isinstance(plain, str) and issubclass(kind, str | os.PathLike):
        return kind(plain)
    if isinstance(plain, int | float) and not isinstance(plain, bool) and issubclass(kind, int | float):
        return kind(plain)
    raise TypeError(f"Expected `{kind.__name__}`, which cannot be made from `{type(plain).__name__}`")


def is_model(kind: Any) -> bool:
    """Whether a type is a pydantic model."""
    return hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_validate_json")


def model_fields(kind: Any) -> dict[str, tuple[str, Any]]:
    """The fields of a pydantic model: the name in JSON → the attribute's name and pydantic's description of it."""
    fields = kind.model_fields.items()
    return {field.serialization_alias or field.alias or name: (name, field) for name, field in fields}


to_json = msgspec.json.Encoder(enc_hook=to_plain).encode
"""A value as JSON, without any check of whether it comes back."""


def _repaired(plain: Any, value: Any) -> Any:
    """A dumped model, beside the model itself, with what dumping loses put back.

    The lists that are sets in the model are sorted: a set's own order differs between processes. NaN, which is dumped
    as None in places, is NaN, so that it is refused like any other.
    """
    if plain is None and isinstance(value, float):
        return value
    if getattr(type(value), "__pydantic_root_model__", False):
        return _repaired(plain, value.root)
    if isinstance(plain, dict) and is_model(type(value)):
        live = dict(value.model_extra or {})
        live |= {alias: getattr(value, name, None) for alias, (name, _) in model_fields(type(value)).items()}
        return {key: _repaired(part, live.get(key)) for key, part in plain.items()}
    if isinstance(plain, dict) and isinstance(value, dict) and len(plain) == len(value):
        pairs = zip(plain.items(), value.values(), strict=True)
        return {key: _repaired(part, live) for (key, part), live in pairs}
    if isinstance(plain, list) and isinstance(value, list | tuple | set | frozenset) and len(plain) == len(value):
        parts = [_repaired(part, live) for part, live in zip(plain, value, strict=True)]
        return sorted(parts, key=to_json) if isinstance(value, set | frozenset) else parts
    return plain
