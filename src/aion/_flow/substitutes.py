"""Clocks, randomness and UUIDs that are the run's own inside workflows, and the standard ones everywhere else.

The functions of `time` and `random` are replaced in their modules. A name that was imported before this package still
means the original: `adopt` exchanges it in the module of a workflow. Not reached are `datetime.now`, objects that code
makes itself (`random.Random()`), `secrets` and `os.urandom`; `aion check` finds those.
"""

from __future__ import annotations

import functools
import inspect
import random
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aion._flow.dispatch import aion_plain, redirect
from aion._flow.running import IS_WORKFLOW, RunLoop, get_running_loop, workflow_loop
from aion._flow.running import workflow_loop as aion_loop
from aion.errors import ForbiddenInWorkflow

Plain = Callable[..., Any]


# The class takes no type arguments at run time.
if TYPE_CHECKING:
    _Unbound = staticmethod[..., Any]
else:
    _Unbound = staticmethod


class Substitute(_Unbound):
    """A function that stands for one of the standard library.

    Like the builtin that it replaces, it is not bound when it is an attribute of a class, and is copied and sent to
    other processes by name. `plain` is the original.
    """

    def __init__(self, function: Callable[..., Any], module: str, name: str, plain: Plain) -> None:
        functools.update_wrapper(function, plain)
        function.__module__, function.__name__, function.__qualname__ = module, name, name
        super().__init__(function)
        self.plain = plain

    def __reduce__(self) -> str:
        return self.__name__

    def __repr__(self) -> str:
        return f"<{self.__module__}.{self.__name__}, deterministic in workflows>"


def install() -> None:
    """Replace the functions; `guards.install` sees to it that this happens once."""
    for name, inside in _CLOCKS.items():
        _replace(time, name, _clock(vars(time)[name], inside))
    for name in ("gmtime", "localtime", "ctime"):
        _replace(time, name, _with_time(vars(time)[name]))
    _replace(time, "asctime", _with_parts(vars(time)["asctime"], 0))
    _replace(time, "strftime", _with_parts(vars(time)["strftime"], 1))
    _replace(time, "sleep", _refusing(vars(time)["sleep"], _SLEEP))
    hidden = vars(random)["_inst"]
    for name, plain in list(vars(random).items()):
        if getattr(plain, "__self__", None) is hidden:
            _replace(random, name, _draw(plain, name))
    redirect(uuid, uuid1)
    redirect(uuid, uuid4)


def adopt(namespace: dict[str, Any]) -> list[str]:
    """Exchange originals that a module imported before this package; returns the names that were exchanged."""
    known = {id(value.plain): value for module in (time, random) for value in vars(module).values() if _is_ours(value)}
    names = [name for name, value in namespace.items() if id(value) in known]
    for name in names:
        namespace[name] = known[id(namespace[name])]
    return names


def original(function: Callable[..., Any]) -> Callable[..., Any]:
    """The standard function behind a substitute, for code of the engine that may run while a workflow does."""
    return function.plain if isinstance(function, Substitute) else function


def _is_ours(value: object) -> bool:
    return isinstance(value, Substitute)


def _replace(module: Any, name: str, function: Callable[..., Any]) -> None:
    setattr(module, name, Substitute(function, module.__name__, name, vars(module)[name]))


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────


def _nanoseconds(seconds: float) -> int:
    # Floats of today's epoch seconds are exact to the microsecond, and to no more.
    return round(seconds * 1_000_000) * 1000


_CLOCKS: dict[str, Callable[[RunLoop], Any]] = {
    "time": lambda loop: loop.workflow_time(),
    "time_ns": lambda loop: _nanoseconds(loop.workflow_time()),
    "monotonic": lambda loop: loop.time(),
    "monotonic_ns": lambda loop: _nanoseconds(loop.time()),
    "perf_counter": lambda loop: loop.time(),
    "perf_counter_ns": lambda loop: _nanoseconds(loop.time()),
    "process_time": lambda loop: loop.time(),
    "process_time_ns": lambda loop: _nanoseconds(loop.time()),
    "thread_time": lambda loop: loop.time(),
    "thread_time_ns": lambda loop: _nanoseconds(loop.time()),
}

_SLEEP = "time.sleep() would hold up every run of this process: write `await asyncio.sleep(seconds)`, which is durable"


# The question whether a workflow runs is written out in each of these instead of called: these are the functions that
# a program calls a million times.


def _clock(plain: Plain, inside: Callable[[RunLoop], Any]) -> Plain:
    def clock() -> Any:
        loop = get_running_loop()
        if loop is None or not IS_WORKFLOW[type(loop)]:
            return plain()
        return inside(loop)

    return clock


def _with_time(plain: Plain) -> Plain:
    def calendar(seconds: float | None = None, /) -> Any:
        if seconds is None and (loop := workflow_loop()) is not None:
            seconds = loop.workflow_time()
        return plain(seconds)

    return calendar


def _with_parts(plain: Plain, position: int) -> Plain:
    local = vars(time)["localtime"]

    def calendar(*args: Any) -> Any:
        if len(args) == position and (loop := workflow_loop()) is not None:
            args = (*args, local(loop.workflow_time()))
        return plain(*args)

    return calendar


def _refusing(plain: Plain, message: str) -> Plain:
    def refusing(*args: Any, **kwargs: Any) -> Any:
        loop = get_running_loop()
        if loop is None or not IS_WORKFLOW[type(loop)]:
            return plain(*args, **kwargs)
        raise ForbiddenInWorkflow(message)

    return refusing


# ── randomness ───────────────────────────────────────────────────────────────────────────────────


def _draw(plain: Plain, name: str) -> Plain:
    if name in ("seed", "setstate"):
        return _refusing(
            plain,
            f"random.{name}() would make the ids of this run equal to those of others: "
            "make a generator of your own with random.Random(seed), or use random.* as it is, seeded from the run",
        )
    # Written out for each function, with its own parameters: passing `*args, **kwargs` on costs more than all the rest.
    parameters = list(inspect.signature(plain).parameters.values())
    defaults = {f"default_{p.name}": p.default for p in parameters}
    head = [
        p.replace(annotation=p.empty, default=p.empty if p.default is p.empty else _Word(p.name)) for p in parameters
    ]
    call = ", ".join(f"{p.name}={p.name}" if p.kind is p.KEYWORD_ONLY else p.name for p in parameters)
    scope: dict[str, Any] = {"running": get_running_loop, "IS_WORKFLOW": IS_WORKFLOW, "plain": plain, **defaults}
    source = (
        f"def {name}{inspect.Signature(head)}:\n"
        f"    loop = running()\n"
        f"    if loop is None or not IS_WORKFLOW[type(loop)]:\n"
        f"        return plain({call})\n"
        f"    return loop.workflow_random().{name}({call})\n"
    )
    exec(source, scope)
    function: Plain = scope[name]
    return function


class _Word:
    """A default value that is written as a name."""

    def __init__(self, parameter: str) -> None:
        self.parameter = parameter

    def __repr__(self) -> str:
        return f"default_{self.parameter}"


# ── UUIDs ────────────────────────────────────────────────────────────────────────────────────────


def uuid4() -> uuid.UUID:
    """The body of `uuid.uuid4`."""
    loop = aion_loop()
    return aion_plain.uuid4() if loop is None else aion_uuid4(loop)


def uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    """The body of `uuid.uuid1`."""
    loop = aion_loop()
    return aion_plain.uuid1(node, clock_seq) if loop is None else aion_uuid1(loop, node, clock_seq)


def aion_uuid4(loop: RunLoop) -> uuid.UUID:
    """A random UUID from the run's generator."""
    return uuid.UUID(int=loop.workflow_random().getrandbits(128), version=4)


def aion_uuid1(loop: RunLoop, node: int | None, clock_seq: int | None) -> uuid.UUID:
    """A UUID of the run's time; what names the machine, and what tells calls apart, is drawn at random."""
    source = loop.workflow_random()
    # Tenths of microseconds since the Gregorian calendar began (RFC 9562, section 5.1).
    ticks = _nanoseconds(loop.workflow_time()) // 100 + 0x01B21DD213814000
    if clock_seq is None:
        clock_seq = source.getrandbits(14)
    if node is None:
        # The multicast bit marks a node that is no real address.
        node = source.getrandbits(48) | 0x010000000000
    low, middle, high = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF
    return uuid.UUID(fields=(low, middle, high, clock_seq >> 8 & 0x3F, clock_seq & 0xFF, node), version=1)
