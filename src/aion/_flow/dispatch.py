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
from aion._flow.running import workflow_loop as aion_loop
from aion.errors import ForbiddenInWorkflow as aion_forbidden

# A body runs among the globals of the module it is given to. What it uses is put there beside asyncio's own names,
# hence these prefixes. The originals are kept here by `install`, once and for good.
aion_plain: Any = SimpleNamespace()

# The attribute in which a standard TaskGroup or Timeout keeps ours, once it was entered in a workflow.
_OURS = "_aion_ours"


def install() -> None:
    """Replace asyncio's primitives; `guards.install` sees to it that this happens once."""
    for body in (wait_for, wait, as_completed, gather, shield):
        redirect(asyncio.tasks, body)
    redirect(asyncio.threads, to_thread)
    patch_group(asyncio.TaskGroup)
    # `timeout` and `timeout_at` do nothing but make a Timeout.
    patch_timeout(asyncio.Timeout)
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
    if aion_loop() is not None:
        return await aion_primitives.wait_for(fut, timeout)
    return await aion_plain.wait_for(fut, timeout)


async def wait(fs: Any, *, timeout: Any = None, return_when: Any = asyncio.ALL_COMPLETED) -> Any:
    """The body of `asyncio.wait`."""
    if aion_loop() is not None:
        return await aion_primitives.wait(fs, timeout=timeout, return_when=return_when)
    return await aion_plain.wait(fs, timeout=timeout, return_when=return_when)


def as_completed(fs: Any, *, timeout: Any = None) -> Any:
    """The body of `asyncio.as_completed`."""
    if aion_loop() is not None:
        return aion_primitives.as_completed(fs, timeout=timeout)
    return aion_plain.as_completed(fs, timeout=timeout)


def gather(*coros_or_futures: Any, return_exceptions: Any = False) -> Any:
    """The body of `asyncio.gather`."""
    if aion_loop() is not None:
        return aion_primitives.gather(*coros_or_futures, return_exceptions=return_exceptions)
    return aion_plain.gather(*coros_or_futures, return_exceptions=return_exceptions)


def shield(arg: Any) -> Any:
    """The body of `asyncio.shield`."""
    if aion_loop() is not None:
        return aion_primitives.shield(arg)
    return aion_plain.shield(arg)


async def to_thread(func: Any, /, *args: Any, **kwargs: Any) -> Any:
    """The body of `asyncio.to_thread`."""
    if aion_loop() is not None:
        raise aion_forbidden(
            "asyncio.to_thread() starts a thread, whose result no replay could know: decorate the function with "
            "@aion.activity and await it; a synchronous activity runs in a thread"
        )
    return await aion_plain.to_thread(func, *args, **kwargs)


def patch_group(group: Any) -> None:
    """Let the methods of a TaskGroup class hand over to a group of ours that is entered in a workflow."""
    plain_enter, plain_exit, plain_repr = group.__aenter__, group.__aexit__, group.__repr__
    plain_create_task = group.create_task

    @functools.wraps(plain_enter)
    async def enter(self: Any) -> Any:
        if aion_loop() is None:
            return await plain_enter(self)
        await vars(self).setdefault(_OURS, aion_primitives.TaskGroup()).__aenter__()
        return self

    @functools.wraps(plain_exit)
    async def leave(self: Any, *exc_info: Any) -> Any:
        ours = vars(self).get(_OURS)
        return await (plain_exit(self, *exc_info) if ours is None else ours.__aexit__(*exc_info))

    @functools.wraps(plain_create_task)
    def create_task(self: Any, *args: Any, **kwargs: Any) -> Any:
        ours = vars(self).get(_OURS)
        return plain_create_task(self, *args, **kwargs) if ours is None else ours.create_task(*args, **kwargs)

    @functools.wraps(plain_repr)
    def describe(self: Any) -> str:
        ours = vars(self).get(_OURS)
        return plain_repr(self) if ours is None else repr(ours)

    group.__aenter__, group.__aexit__, group.create_task, group.__repr__ = enter, leave, create_task, describe


def patch_timeout(deadline: Any) -> None:
    """Let the methods of a Timeout class hand over to a deadline of ours that is entered in a workflow."""
    plain_enter, plain_exit, plain_repr = deadline.__aenter__, deadline.__aexit__, deadline.__repr__
    plain_when = deadline.when

    @functools.wraps(plain_enter)
    async def enter(self: Any) -> Any:
        if aion_loop() is None:
            return await plain_enter(self)
        await vars(self).setdefault(_OURS, aion_primitives.Timeout(plain_when(self))).__aenter__()
        return self

    @functools.wraps(plain_exit)
    async def leave(self: Any, *exc_info: Any) -> Any:
        ours = vars(self).get(_OURS)
        return await (plain_exit(self, *exc_info) if ours is None else ours.__aexit__(*exc_info))

    @functools.wraps(plain_repr)
    def describe(self: Any) -> str:
        ours = vars(self).get(_OURS)
        return plain_repr(self) if ours is None else repr(ours)

    deadline.__aenter__, deadline.__aexit__, deadline.__repr__ = enter, leave, describe
    for name in ("when", "reschedule", "expired"):
        setattr(deadline, name, _handing_over(name, getattr(deadline, name)))


def _handing_over(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        ours = vars(self).get(_OURS)
        return plain(self, *args, **kwargs) if ours is None else getattr(ours, name)(*args, **kwargs)

    return method


def _patch_method(kind: Any, name: str, durable: Callable[..., Any]) -> None:
    plain = getattr(kind, name)

    @functools.wraps(plain)
    async def method(self: Any) -> Any:
        return await (plain(self) if aion_loop() is None else durable(self))

    setattr(kind, name, method)
