"""asyncio's own names lead to our primitives where a workflow runs, and to asyncio's everywhere else.

Functions get another body, and classes other methods; the objects stay the same. So a name that was imported before
this package works too, and so do `isinstance`, subclasses and signatures.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from aion._flow import primitives as aion_primitives
from aion._flow.running import IS_WORKFLOW as aion_is_workflow
from aion._flow.running import get_running_loop as aion_running
from aion.errors import ForbiddenInWorkflow as aion_forbidden

# A body runs among the globals of the module it is given to. What it uses is put there beside asyncio's own names,
# hence these prefixes. The originals are kept here by `install`, once and for good.
aion_plain: Any = SimpleNamespace()


def install() -> None:
    """Replace asyncio's primitives; `guards.install` sees to it that this happens once."""
    for body in (wait_for, wait, as_completed, gather, shield):
        redirect(asyncio.tasks, body)
    redirect(asyncio.threads, to_thread)
    patch(asyncio.TaskGroup, lambda _: aion_primitives.TaskGroup(), "create_task", "__repr__")
    # `timeout` and `timeout_at` do nothing but make a Timeout.
    deadline = asyncio.Timeout
    patch(deadline, lambda d: aion_primitives.Timeout(d.when()), "when", "reschedule", "expired", "__repr__")
    _patch_method(asyncio.Condition, "wait", aion_primitives.condition_wait)
    _patch_method(asyncio.Semaphore, "acquire", aion_primitives.semaphore_acquire)


def redirect(module: ModuleType, body: Any) -> None:
    """Give the function of the same name in `module` this body; the old one is kept in `aion_plain`."""
    name = body.__name__
    target = vars(module)[name]
    if not isinstance(target, FunctionType):
        # Somebody put another callable there. Its body cannot be exchanged, only the name.
        setattr(aion_plain, name, target)
        setattr(module, name, body)
        return
    plain = FunctionType(target.__code__, target.__globals__, name, target.__defaults__, target.__closure__)
    plain.__kwdefaults__ = target.__kwdefaults__
    setattr(aion_plain, name, plain)
    ours = {word: value for word, value in body.__globals__.items() if word.startswith("aion_")}
    target.__globals__.update(ours)
    target.__code__ = body.__code__


async def wait_for(fut: Any, timeout: Any) -> Any:
    """The body of `asyncio.wait_for`."""
    loop = aion_running()
    if loop is None or not aion_is_workflow[type(loop)]:
        return await aion_plain.wait_for(fut, timeout)
    return await aion_primitives.wait_for(fut, timeout)


async def wait(fs: Any, *, timeout: Any = None, return_when: Any = asyncio.ALL_COMPLETED) -> Any:
    """The body of `asyncio.wait`."""
    loop = aion_running()
    if loop is None or not aion_is_workflow[type(loop)]:
        return await aion_plain.wait(fs, timeout=timeout, return_when=return_when)
    return await aion_primitives.wait(fs, timeout=timeout, return_when=return_when)


def as_completed(fs: Any, *, timeout: Any = None) -> Any:
    """The body of `asyncio.as_completed`."""
    loop = aion_running()
    if loop is None or not aion_is_workflow[type(loop)]:
        return aion_plain.as_completed(fs, timeout=timeout)
    return aion_primitives.as_completed(fs, timeout=timeout)


def gather(*coros_or_futures: Any, return_exceptions: Any = False) -> Any:
    """The body of `asyncio.gather`."""
    loop = aion_running()
    if loop is None or not aion_is_workflow[type(loop)]:
        return aion_plain.gather(*coros_or_futures, return_exceptions=return_exceptions)
    return aion_primitives.gather(*coros_or_futures, return_exceptions=return_exceptions)


def shield(arg: Any) -> Any:
    """The body of `asyncio.shield`."""
    loop = aion_running()
    if loop is None or not aion_is_workflow[type(loop)]:
        return aion_plain.shield(arg)
    return aion_primitives.shield(arg)


async def to_thread(func: Any, /, *args: Any, **kwargs: Any) -> Any:
    """The body of `asyncio.to_thread`."""
    loop = aion_running()
    if loop is None or not aion_is_workflow[type(loop)]:
        return await aion_plain.to_thread(func, *args, **kwargs)
    raise aion_forbidden(
        "asyncio.to_thread() starts a thread, whose result no replay could know: decorate the function with "
        "@aion.activity and await it; a synchronous activity runs in a thread"
    )


def patch(kind: Any, make_ours: Callable[[Any], Any], *methods: str) -> None:
    """Let an async context manager of asyncio hand over to one of ours, from when it is entered in a workflow.

    Only methods are exchanged, so that an object may be made anywhere, and subclasses find ours behind `super()`.
    """
    plain_enter, plain_exit = kind.__aenter__, kind.__aexit__

    @functools.wraps(plain_enter)
    def enter(self: Any) -> Any:
        loop = aion_running()
        if loop is None or not aion_is_workflow[type(loop)]:
            return plain_enter(self)
        return _enter(self, make_ours)

    @functools.wraps(plain_exit)
    def leave(self: Any, error_type: Any, error: Any, trace: Any) -> Any:
        ours = self._aion_ours
        return plain_exit(self, error_type, error, trace) if ours is None else ours.__aexit__(error_type, error, trace)

    kind.__aenter__, kind.__aexit__ = enter, leave
    kind._aion_ours = None
    for name in methods:
        setattr(kind, name, _handing_over(name, getattr(kind, name)))


async def _enter(self: Any, make_ours: Callable[[Any], Any]) -> Any:
    if self._aion_ours is None:
        self._aion_ours = make_ours(self)
    await self._aion_ours.__aenter__()
    return self


def _handing_over(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        ours = self._aion_ours
        return plain(self, *args, **kwargs) if ours is None else getattr(ours, name)(*args, **kwargs)

    return method


def _patch_method(kind: Any, name: str, durable: Callable[..., Any]) -> None:
    plain = getattr(kind, name)

    @functools.wraps(plain)
    def method(self: Any) -> Any:
        loop = aion_running()
        return plain(self) if loop is None or not aion_is_workflow[type(loop)] else durable(self)

    setattr(kind, name, method)
