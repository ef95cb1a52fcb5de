"""The arguments and the result of a function as payloads.

A function of exactly one parameter takes the payload itself; any other takes a JSON object keyed by parameter name.
Whether a payload is one value or named arguments is recorded beside it (`named`), so that a function may go from one
parameter to several and still read what was recorded before. Parameters left at their default are left out.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Optional, get_type_hints

import msgspec

from aion._core.limits import Limits
from aion._flow.converter import ValueCodec, encode, readable, unresolved
from aion.errors import InvalidInput

NULL = b"null"

_REFUSED_KINDS: dict[inspect._ParameterKind, str] = {
    inspect.Parameter.VAR_POSITIONAL: "*{name}: name each argument",
    inspect.Parameter.VAR_KEYWORD: "**{name}: name each argument, or take one dict",
    inspect.Parameter.POSITIONAL_ONLY: "the positional-only parameter {name!r}: arguments are recorded by name",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter with its resolved type; `required` if it has no default."""

    name: str
    hint: Any
    required: bool
    positional: bool


class CallSignature:
    """Encodes and decodes the calls of one function, which it looks at once.

    `skip_first` leaves out the first parameter, which is `self`. Types that are named in the hints but not defined
    yet are looked up when they are first needed, or by `resolve`.

    Raises:
        InvalidInput: the function has `*args`, `**kwargs` or positional-only parameters, or a type that cannot be
            read from JSON.
    """

    __slots__ = ("_fn", "_names", "_positional", "_readers", "_required", "_single", "_what", "name", "signature")

    def __init__(self, fn: Callable[..., Any], *, name: str | None = None, skip_first: bool = False) -> None:
        self.name: str = name or getattr(fn, "__name__", None) or type(fn).__name__
        self.signature = _checked_signature(fn, self.name, skip_first)
        parameters = self.signature.parameters
        self._fn = fn
        self._names = tuple(parameters)
        self._required = {name for name, p in parameters.items() if p.default is p.empty}
        self._positional = sum(p.kind is not p.KEYWORD_ONLY for p in parameters.values())
        self._single = len(self._names) == 1
        self._what = f"argument {self._names[0]!r} of {self.name}()" if self._single else f"arguments of {self.name}()"
        self._readers: _Readers | None = None
        with suppress(NameError):
            self._readers = self._read_hints()

    # ── calls ────────────────────────────────────────────────────────────────────────────────────

    @property
    def takes_value(self) -> bool:
        """Whether a payload from outside is the one argument itself, and not an object of named arguments."""
        return self._single

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters in order."""
        return self.resolve().parameters

    def encode_call(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], limit: int = Limits.payload_bytes_max
    ) -> tuple[bytes, bool]:
        """The payload of a call, and whether it holds named arguments.

        Raises:
            TypeError: the arguments do not fit the function.
            InvalidInput: an argument would not come back; the message says which, where and why.
            PayloadTooLarge: the payload takes more bytes than `limit`.
        """
        names = self._names
        if not kwargs and len(args) == self._positional:
            if self._single and args:
                return encode(args[0], limit, self._what), False
            if len(args) == len(names):
                return encode(dict(zip(names, args, strict=True)), limit, self._what), True
        given = self._given(args, kwargs)
        if self._single and given:
            return encode(given[names[0]], limit, self._what), False
        return encode(given, limit, self._what), True

    def _given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name, in the order of the parameters however the call was written."""
        given = dict(zip(self._names[: self._positional], args, strict=False))
        given.update(kwargs)
        # A lost argument was one too many, or given twice.
        fits = (
            len(given) == len(args) + len(kwargs) and self._required <= given.keys() <= self.signature.parameters.keys()
        )
        if not fits:
            try:
                self.signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{self.name}() {error}") from None
        return {name: given[name] for name in self._names if name in given}

    def decode_call(self, payload: bytes, named: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments to call the function with; those that were left at their default are left out again.

        Raises:
            InvalidInput: the payload does not fit the function as it is now; the message says where.
        """
        readers = self.resolve()
        if named:
            if not self._names and payload == NULL:
                # Callers from outside who have nothing to say may send null as well as {}.
                return (), {}
            return _spread(readers.parameters, msgspec.structs.astuple(readers.named.decode(payload)))
        if readers.first is None:
            if payload == NULL:
                return (), {}
            raise InvalidInput(f"{self._what}: one value was given, but {self.name}() takes no argument")
        missing = [repr(p.name) for p in readers.parameters[1:] if p.required]
        if missing:
            raise InvalidInput(
                f"{self._what}: one value was given, for {self._names[0]!r}, but {self.name}() needs "
                f"{', '.join(missing)} as well: give a parameter that is new a default"
            )
        value = readers.first.decode(payload)
        return ((value,), {}) if readers.parameters[0].positional else ((), {self._names[0]: value})

    # ── results ──────────────────────────────────────────────────────────────────────────────────

    @property
    def result(self) -> ValueCodec:
        """The codec of what the function returns."""
        return self.resolve().result

    def encode_result(self, value: Any, limit: int = Limits.payload_bytes_max) -> bytes:
        """What the function returned, as a payload.

        Raises:
            InvalidInput: it would not come back; the message says where and why.
            PayloadTooLarge: it takes more bytes than `limit`.
        """
        if value is None:
            return NULL
        return encode(value, limit, f"result of {self.name}()")

    def decode_result(self, payload: bytes) -> Any:
        """What the function returned, of the type it is declared to return.

        Raises:
            InvalidInput: the payload is not of that type; the message says where.
        """
        return self.resolve().result.decode(payload)

    # ── types ────────────────────────────────────────────────────────────────────────────────────

    def resolve(self) -> _Readers:
        """Look up the types of parameters and result, if that was not done yet.

        Raises:
            InvalidInput: a hint names something that is not there.
        """
        if self._readers is None:
            try:
                self._readers = self._read_hints()
            except NameError as error:
                raise InvalidInput(f"{self.name}(): {unresolved(error.name, error)}") from error
        return self._readers

    def _read_hints(self) -> _Readers:
        hints = _hints(self._fn, self.name)
        parameters = tuple(_parameter(p, hints.get(p.name, Any)) for p in self.signature.parameters.values())
        first = None
        if parameters:
            first = ValueCodec(parameters[0].hint, f"argument {parameters[0].name!r} of {self.name}()")
        # The fields are called p0, p1, ...: a parameter may have a name that a struct's field may not.
        fields = [
            (f"p{i}", readable(p.hint)) if p.required else (f"p{i}", readable(p.hint), msgspec.UNSET)
            for i, p in enumerate(parameters)
        ]
        rename = {f"p{i}": p.name for i, p in enumerate(parameters)}
        struct = msgspec.defstruct("arguments", fields, rename=rename, forbid_unknown_fields=True, kw_only=True)
        named = ValueCodec(struct, f"arguments of {self.name}()")
        result = ValueCodec(hints.get("return", Any), f"result of {self.name}()")
        return _Readers(parameters, first, named, result)


@dataclass(frozen=True, slots=True)
class _Readers:
    """What depends on the types: the parameters, and the codecs to read with."""

    parameters: tuple[Parameter, ...]
    first: ValueCodec | None
    named: ValueCodec
    result: ValueCodec


def _checked_signature(fn: Callable[..., Any], name: str, skip_first: bool) -> inspect.Signature:
    signature = inspect.signature(fn)
    parameters = list(signature.parameters.values())[1 if skip_first else 0 :]
    for parameter in parameters:
        refused = _REFUSED_KINDS.get(parameter.kind)
        if refused is not None:
            raise InvalidInput(f"{name}() cannot be recorded with {refused.format(name=parameter.name)}")
    return signature.replace(parameters=parameters)


def _hints(fn: Any, name: str) -> dict[str, Any]:
    while isinstance(fn, functools.partial):
        fn = fn.func
    if not inspect.isroutine(fn):
        fn = type(fn).__call__
    try:
        try:
            return get_type_hints(fn, include_extras=True)
        except NameError:
            namespace = _locals_around(fn)
            if namespace is None:
                raise
            return get_type_hints(fn, localns=namespace, include_extras=True)
    except NameError:
        raise
    except Exception as error:
        # Hints are expressions of the user's, and fail in as many ways as any code.
        raise InvalidInput(f"{name}(): its type hints cannot be read: {type(error).__name__}: {error}") from error


def _locals_around(fn: Any) -> Mapping[str, Any] | None:
    """The variables of the function that `fn` is defined in, while it runs: tests define their types there."""
    outer, inside, _ = fn.__qualname__.rpartition(".<locals>.")
    frame = sys._getframe() if inside else None
    while frame is not None:
        if frame.f_code.co_qualname == outer and frame.f_globals is fn.__globals__:
            return dict(frame.f_locals)
        frame = frame.f_back
    return None


def _parameter(parameter: inspect.Parameter, hint: Any) -> Parameter:
    if parameter.default is None:
        # `note: str = None` is read as its author meant it.
        hint = Optional[hint]  # noqa: UP045 - the operator does not work on every hint
    required = parameter.default is parameter.empty
    return Parameter(parameter.name, hint, required, parameter.kind is not parameter.KEYWORD_ONLY)


def _spread(parameters: tuple[Parameter, ...], values: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional arguments as far as they go without a gap, the others by name."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for index, (parameter, value) in enumerate(zip(parameters, values, strict=True)):
        if value is msgspec.UNSET:
            continue
        if parameter.positional and len(args) == index:
            args.append(value)
        else:
            kwargs[parameter.name] = value
    return tuple(args), kwargs
