"""What users declare: activities and workflows, and the calls they make of them."""

from __future__ import annotations

import hashlib
import inspect
import sys
import warnings
from asyncio import _get_running_loop
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, Generic, Literal, ParamSpec, TypeVar, overload

import msgspec

from aion._core.duration import Duration, to_micros
from aion._core.events import RetryPolicy
from aion._core.ids import check_id, check_name
from aion._flow.activity_context import AttemptInfo, current_attempt
from aion._flow.guards import adopt
from aion._flow.location import file_of, short_name
from aion._flow.signature import CallSignature
from aion.errors import InvalidInput, InvalidState

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Executor = Literal["inline", "thread"]


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry policy: exponential back-off from `initial` by `factor` up to `max_interval`, moved by `jitter` (0 to 1).

    `max_attempts` counts the first attempt; None is without end. `non_retryable` holds exception types, or
    their names, after which there is no other attempt.

    Raises:
        InvalidInput: (a ValueError) a value makes no sense.
    """

    max_attempts: int | None = None
    initial: Duration = "1s"
    factor: float = 2.0
    max_interval: Duration = "1m"
    jitter: float = 0.1
    non_retryable: tuple[type[BaseException] | str, ...] = ()
    policy: RetryPolicy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        attempts = self.max_attempts
        if attempts is not None and (isinstance(attempts, bool) or not isinstance(attempts, int)):
            raise InvalidInput(f"Retry(max_attempts={attempts!r}): expected a whole number, or None for no end")
        if attempts is not None and attempts < 1:
            raise InvalidInput(f"Retry(max_attempts={attempts!r}): the first attempt counts, so it is at least 1")
        # Programs without a type checker pass anything here.
        factor: Any = self.factor
        jitter: Any = self.jitter
        errors: Any = self.non_retryable
        if not isinstance(factor, int | float) or not 1.0 <= factor <= 1e6:
            raise InvalidInput(f"Retry(factor={factor!r}): expected a number from 1 to 1,000,000")
        if not isinstance(jitter, int | float) or not 0.0 <= jitter <= 1.0:
            raise InvalidInput(f"Retry(jitter={jitter!r}): expected a number from 0 to 1")
        if not isinstance(errors, tuple | list):
            raise InvalidInput(f"Retry(non_retryable={errors!r}): expected a tuple")
        policy = RetryPolicy(
            attempts,
            to_micros(self.initial, "Retry(initial=...)"),
            float(factor),
            to_micros(self.max_interval, "Retry(max_interval=...)"),
            float(jitter),
            tuple(map(_error_name, errors)),
        )
        object.__setattr__(self, "policy", policy)


def _error_name(entry: object) -> str:
    if isinstance(entry, type) and issubclass(entry, BaseException):
        return entry.__name__
    if isinstance(entry, str):
        return entry
    raise InvalidInput(f"Retry(non_retryable=...): expected exception types or their names, found {entry!r}")


class ActivityOptions(msgspec.Struct, frozen=True):
    """How an activity is run; spans in microseconds."""

    queue: str = "default"
    timeout: int | None = None
    retry: RetryPolicy | None = None
    executor: str = "inline"


class Activity(Generic[P, R]):
    """A function whose results are recorded. `fn` is the plain function, `name` the registered name."""

    def __init__(self, fn: Callable[..., Any], name: str, options: ActivityOptions) -> None:
        self.fn = fn
        self.name = name
        self._options = options
        self.signature = CallSignature(fn)
        self.is_async = inspect.iscoroutinefunction(fn)
        self.__doc__ = fn.__doc__
        self.__name__ = getattr(fn, "__name__", name)
        self.__module__ = fn.__module__

    @property
    def settings(self) -> ActivityOptions:
        """The options this activity is run with."""
        return self._options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> ActivityCall[R]:
        frame = sys._getframe(1)
        return ActivityCall(self, args, kwargs, (file_of(frame), frame.f_lineno))

    def options(
        self,
        *,
        timeout: Duration | None = None,
        retry: Retry | None = None,
        queue: str | None = None,
        executor: Executor | None = None,
    ) -> Activity[P, R]:
        """A copy with other options; those that are not given stay as they are."""
        changes: dict[str, Any] = {}
        if timeout is not None:
            changes["timeout"] = to_micros(timeout, "timeout")
        if retry is not None:
            changes["retry"] = _check_retry(retry)
        if queue is not None:
            changes["queue"] = check_name(queue, "queue")
        if executor is not None:
            changes["executor"] = _check_executor(self.fn, executor)
        copy: Activity[P, R] = object.__new__(Activity)
        copy.__dict__.update(self.__dict__)
        copy._options = msgspec.structs.replace(self._options, **changes)
        return copy

    def __repr__(self) -> str:
        return f"<activity {self.name}>"


class _Call(Coroutine[Any, Any, R_co]):
    """A definition and bound arguments, typed as a coroutine; it may be awaited once."""

    __slots__ = ("_at", "_iterator", "_used", "args", "definition", "kwargs")

    definition: Any

    def __init__(self, definition: Any, args: tuple[Any, ...], kwargs: dict[str, Any], at: tuple[str, int]) -> None:
        self.definition = definition
        self.args = args
        self.kwargs = kwargs
        self._at = at
        self._iterator: Any = None
        self._used = False

    @property
    def at(self) -> str:
        """The file and line that made the call."""
        return f"{short_name(self._at[0]) or self._at[0]}:{self._at[1]}"

    def _begin(self) -> Generator[Any, Any, R_co]:
        raise NotImplementedError

    def take(self) -> None:
        """Mark the call as used: somebody else (an engine, a supervisor) carries it out."""
        if self._used:
            raise RuntimeError(f"{self!r} was used already: call the definition again for another one")
        self._used = True

    def __await__(self) -> Generator[Any, Any, R_co]:
        self.take()
        return self._begin()

    def send(self, value: Any) -> Any:
        if self._iterator is None:
            self._iterator = self.__await__()
        return self._iterator.send(value)

    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> Any:
        if self._iterator is None:
            # Cancelled before its first step, like a coroutine that never ran: nothing is recorded.
            self._used = True
            raise typ if val is None else val
        if val is None and tb is None:
            return self._iterator.throw(typ)
        return self._iterator.throw(typ if val is None else val)

    def close(self) -> None:
        self._used = True
        if self._iterator is not None:
            self._iterator.close()

    def __del__(self) -> None:
        if not self._used:
            warnings.warn(f"{self!r} was never awaited", RuntimeWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        return f"<call of {self.definition!r} at {self._at[0]}:{self._at[1]}>"


class ActivityCall(_Call[R_co]):
    """An activity and its arguments. Awaited in a workflow it is recorded; elsewhere it just runs the function."""

    __slots__ = ()

    definition: Activity[..., R_co]

    def _begin(self) -> Generator[Any, Any, R_co]:
        loop = _get_running_loop()
        if loop is not None and getattr(loop, "is_aion_workflow", False):
            return loop.world.schedule_activity(self)  # type: ignore[attr-defined,no-any-return]
        if current_attempt.get() is not None:
            raise InvalidState(
                f"activity {self.definition.name!r} was awaited inside another activity, where it would not be "
                f"recorded: call {self.definition.name}.fn(...) for the plain function, or await it in the workflow"
            )
        return self._plain().__await__()

    async def _plain(self) -> R_co:
        definition = self.definition
        token = current_attempt.set(AttemptInfo(definition.name, "local", 1))
        try:
            result = definition.fn(*self.args, **self.kwargs)
            if isinstance(result, Awaitable):
                result = await result
        finally:
            current_attempt.reset(token)
        return result  # type: ignore[no-any-return]


class Workflow(Generic[P, R]):
    """A durable workflow. `fn` is the plain function, `name` the registered type."""

    def __init__(self, fn: Callable[..., Any], name: str, version: str | None) -> None:
        self.fn = fn
        self.name = name
        self.version = version
        self.signature = CallSignature(fn)
        self.code = code_hash(fn)
        # Clocks and random functions that the module imported by name, before this package was, are exchanged too.
        adopt(fn.__globals__)
        self.__doc__ = fn.__doc__
        self.__name__ = getattr(fn, "__name__", name)
        self.__module__ = fn.__module__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> WorkflowCall[R]:
        frame = sys._getframe(1)
        return WorkflowCall(self, args, kwargs, (file_of(frame), frame.f_lineno))

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"


class WorkflowCall(_Call[R_co]):
    """A workflow and its arguments. Nothing runs until something takes it: `engine.start(call)`, `aion.run(call)`."""

    __slots__ = ()

    definition: Workflow[..., R_co]

    def _begin(self) -> Generator[Any, Any, R_co]:
        raise InvalidState(
            f"workflow {self.definition.name!r} was awaited: start it with engine.start(...), engine.execute(...) "
            "or aion.run(...); child workflows are not part of this version"
        )


# ── decorators ───────────────────────────────────────────────────────────────────────────────────


@overload
def activity(fn: Callable[P, Coroutine[Any, Any, R]], /) -> Activity[P, R]: ...
@overload
def activity(fn: Callable[P, R], /) -> Activity[P, R]: ...
@overload
def activity(
    *,
    name: str | None = None,
    queue: str = "default",
    timeout: Duration | None = None,
    retry: Retry | None = None,
    executor: Executor | None = None,
) -> _ActivityDecorator: ...


def activity(
    fn: Any = None,
    /,
    *,
    name: str | None = None,
    queue: str = "default",
    timeout: Duration | None = None,
    retry: Retry | None = None,
    executor: Executor | None = None,
) -> Any:
    """Make a function an activity: at least once executed, exactly once recorded.

    `async def` runs on the loop that opened the engine, `def` in a thread; `executor` chooses otherwise.
    `timeout` bounds one attempt. Without `retry` there is one attempt, which is handed out again if its
    process dies.

    Raises:
        InvalidInput: the function cannot be an activity (`*args`, positional-only parameters), or an option
            makes no sense.
    """

    def decorate(target: Any) -> Any:
        if not callable(target) or inspect.isclass(target):
            raise InvalidInput(f"@aion.activity needs a function, not {target!r}")
        options = ActivityOptions(
            check_name(queue, "queue"),
            None if timeout is None else to_micros(timeout, "timeout"),
            None if retry is None else _check_retry(retry),
            _check_executor(target, executor),
        )
        return Activity(target, check_name(name or target.__name__, "activity name"), options)

    return decorate if fn is None else decorate(fn)


class _ActivityDecorator:
    """The type of `@activity(...)` with options: it keeps the signature of what it decorates."""

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> Activity[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Activity[P, R]: ...
    def __call__(self, fn: Any, /) -> Any:
        """Never called: `activity` returns a plain function that has this type."""


@overload
def workflow(fn: Callable[P, Coroutine[Any, Any, R]], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *, name: str | None = None, version: str | None = None
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Workflow[P, R]]: ...


def workflow(fn: Any = None, /, *, name: str | None = None, version: str | None = None) -> Any:
    """Make an `async def` function a durable workflow.

    Raises:
        InvalidInput: it is not an `async def` function, or its parameters cannot be recorded.
    """

    def decorate(target: Any) -> Any:
        if not inspect.iscoroutinefunction(target):
            raise InvalidInput(f"@aion.workflow needs an async def function, not {target!r}")
        if version is not None:
            check_id(version, "workflow version")
        return Workflow(target, check_name(name or target.__name__, "workflow name"), version)

    return decorate if fn is None else decorate(fn)


def _check_retry(retry: Any) -> RetryPolicy:
    if not isinstance(retry, Retry):
        raise InvalidInput(f"retry={retry!r}: expected aion.Retry(...)")
    return retry.policy


def _check_executor(fn: Any, executor: str | None) -> str:
    is_async = inspect.iscoroutinefunction(fn)
    if executor is None:
        return "inline" if is_async else "thread"
    if executor not in ("inline", "thread"):
        raise InvalidInput(f"executor={executor!r}: expected 'inline' or 'thread'")
    if is_async and executor == "thread":
        raise InvalidInput("executor='thread' is for plain functions; an async def function runs inline")
    return executor


def code_hash(fn: Callable[..., Any]) -> str:
    """A hash of a function's code and of the source of its module: other code, other hash."""
    digest = hashlib.sha256(fn.__qualname__.encode())
    module = sys.modules.get(fn.__module__)
    path = getattr(module, "__file__", None)
    if path:
        try:
            with open(path, "rb") as source:
                digest.update(source.read())
        except OSError:
            # Code without a readable file (frozen, zipped, typed in) is told apart by its compiled form.
            digest.update(b"no source")
    _hash_code(fn.__code__, digest)
    return digest.hexdigest()


def _hash_code(code: CodeType, digest: Any) -> None:
    digest.update(code.co_code)
    digest.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _hash_code(constant, digest)
        elif isinstance(constant, frozenset):
            digest.update(repr(sorted(map(repr, constant))).encode())
        else:
            digest.update(repr(constant).encode())
