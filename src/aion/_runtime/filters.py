"""Filters of lists: `status = "running" and type = "fulfil"`, read into what a store understands."""

from __future__ import annotations

import re

from aion._core.transitions import CLOSED_STATUSES, OPEN_STATUSES
from aion.errors import InvalidFilter
from aion.stores.base import RunFilter

_TOKEN = re.compile(r'\s*(?:(?P<word>[A-Za-z_][\w.]*)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<sign>[=(),]))')
_STATUSES = (*OPEN_STATUSES, *CLOSED_STATUSES)


def parse_filter(text: str, namespace: str) -> RunFilter:
    """The runs of a namespace that a filter describes: `status` and `type`, with `=` or `in`, joined by `and`.

    Raises:
        InvalidFilter: it cannot be read; `position` is the character where it goes wrong.
    """
    tokens = _tokens(text)
    chosen: dict[str, tuple[str, ...]] = {}
    index = 0
    while tokens[index][0] != "end":
        field, values, index = _condition(tokens, index)
        if field in chosen:
            values = tuple(value for value in chosen[field] if value in values) or ("",)
        chosen[field] = values
        kind, value, position = tokens[index]
        if kind == "word" and value.lower() == "and":
            index += 1
            if tokens[index][0] == "end":
                raise InvalidFilter("a condition is missing after 'and'", tokens[index][2])
        elif kind != "end":
            raise InvalidFilter(f"expected 'and' or the end, found {value!r}", position)
    return RunFilter(namespace, chosen.get("status", ()), chosen.get("type", ()))


Token = tuple[str, str, int]


def _condition(tokens: list[Token], index: int) -> tuple[str, tuple[str, ...], int]:
    kind, field, position = tokens[index]
    if kind != "word" or field not in ("status", "type"):
        raise InvalidFilter(f"expected 'status' or 'type', found {field!r}", position)
    kind, operator, position = tokens[index + 1]
    if operator == "=":
        value, index = _value(tokens, index + 2, field)
        return field, (value,), index
    if kind == "word" and operator.lower() == "in":
        return _values(tokens, index + 2, field)
    raise InvalidFilter(f"expected '=' or 'in' after {field!r}, found {operator!r}", position)


def _values(tokens: list[Token], index: int, field: str) -> tuple[str, tuple[str, ...], int]:
    if tokens[index][1] != "(":
        raise InvalidFilter("expected '(' after 'in'", tokens[index][2])
    values: list[str] = []
    while True:
        value, index = _value(tokens, index + 1, field)
        values.append(value)
        if tokens[index][1] == ")":
            return field, tuple(values), index + 1
        if tokens[index][1] != ",":
            raise InvalidFilter("expected ',' or ')' in the list", tokens[index][2])


def _value(tokens: list[Token], index: int, field: str) -> tuple[str, int]:
    kind, text, position = tokens[index]
    if kind != "text":
        raise InvalidFilter(f'expected a value in double quotes, like {field} = "...", found {text!r}', position)
    value = re.sub(r"\\(.)", r"\1", text[1:-1])
    if field == "status" and value not in _STATUSES:
        raise InvalidFilter(f"there is no status {value!r}; there are: {', '.join(_STATUSES)}", position)
    return value, index + 1


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise InvalidFilter(f"cannot read {text[start : start + 10]!r}", start)
        kind = match.lastgroup or ""
        tokens.append((kind, match.group(kind), match.start(kind)))
        position = match.end()
    # Two ends, so that looking one token ahead is always possible.
    return [*tokens, ("end", "the end", len(text)), ("end", "the end", len(text))]
