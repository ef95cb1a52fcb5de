"""Signals and queries: typed message objects, declared once and used on both sides."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, TypeVar, overload

from aion._core.duration import Duration
from aion._core.ids import check_name
from aion._flow.converter import codec_for
from aion._flow.current import current_loop
from aion._flow.loop import WorkflowLoop
from aion._flow.timeouts import timeout as workflow_timeout
from aion.errors import InvalidInput

T = TypeVar("T")
R = TypeVar("R")


class SignalBox:
    """What arrived under one name and was not received yet, and who waits for more."""

    __slots__ = ("buffer", "handler", "handled", "waiters")

    def __init__(self) -> None:
        self.buffer: deque[bytes] = deque()
        self.waiters: deque[asyncio.Future[None]] = deque()
        self.handler: Callable[[Any], Awaitable[None] | None] | None = None
        self.handled = 0

    def wake_one(self) -> None:
        """Wake the first waiter that still waits. It takes the value itself, so a cancelled one loses nothing."""
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


class Signal(Generic[T]):
    """A typed signal. Nothing that was sent is lost: values wait, in order, until they are received.

    `name` is what senders use; `type` is what a value must be.
    """

    # A union and the like is no `type`; who declares one says Signal[int | None] on the left.
    @overload
    def __init__(self, name: str, type: type[T]) -> None: ...
    @overload
    def __init__(self: Signal[Any], name: str, type: Any = ...) -> None: ...

    def __init__(self, name: str, type: Any = Any) -> None:
        self.name = check_name(name, "signal name")
        self.type = type
        self.codec = codec_for(type)

    async def receive(self, timeout: Duration | None = None) -> T:
        """The next value, in the order recorded.

        Raises:
            TimeoutError: none came within `timeout`.
        """
        if timeout is None:
            return await self._receive()
        async with workflow_timeout(seconds(timeout)):
            return await self._receive()

    async def _receive(self) -> T:
        loop = current_loop("Signal.receive()")
        box = box_of(loop, self.name)
        # Even with values waiting, those who came first are served first.
        while not box.buffer or box.waiters:
            waiter = loop.create_future()
            box.waiters.append(waiter)
            try:
                await waiter
            except BaseException:
                if waiter.done() and not waiter.cancelled() and box.buffer:
                    box.wake_one()
                elif waiter in box.waiters:
                    box.waiters.remove(waiter)
                raise
            if box.buffer:
                break
        value: T = self.codec.decode(box.buffer.popleft())
        if box.buffer:
            box.wake_one()
        return value

    def poll(self) -> T | None:
        """The next value if one waits, else None."""
        box = box_of(current_loop("Signal.poll()"), self.name)
        if not box.buffer:
            return None
        value: T = self.codec.decode(box.buffer.popleft())
        return value

    def __aiter__(self) -> AsyncIterator[T]:
        return _Values(self)

    def on(self, handler: Callable[[T], Awaitable[None] | None]) -> Callable[[T], Awaitable[None] | None]:
        """Call `handler` with every value, each in a task of its own, beginning with those that wait already.

        An exception in it counts as raised by the workflow.
        """
        loop = current_loop("Signal.on()")
        box = box_of(loop, self.name)
        box.handler = handler
        while box.buffer:
            start_handler(loop, self.name, box, box.buffer.popleft(), self.codec.decode)
        box_decoders(loop)[self.name] = self.codec.decode
        return handler

    def __repr__(self) -> str:
        return f"Signal({self.name!r})"


class _Values(AsyncIterator[T]):
    """What `async for` takes the values from. No generator, because one that is left early would be held to the end."""

    def __init__(self, signal: Signal[T]) -> None:
        self._signal = signal

    async def __anext__(self) -> T:
        return await self._signal.receive()


class Query(Generic[R]):
    """A typed, read-only question to a workflow. `arg` is the type of its one argument, None for none."""

    @overload
    def __init__(self, name: str, returns: type[R], arg: Any = None) -> None: ...
    @overload
    def __init__(self: Query[Any], name: str, returns: Any = ..., arg: Any = None) -> None: ...

    def __init__(self, name: str, returns: Any = Any, arg: Any = None) -> None:
        self.name = check_name(name, "query name")
        self.returns = returns
        self.arg = arg
        self.result_codec = codec_for(returns)
        self.arg_codec = codec_for(arg) if arg is not None else None

    def answer(self, fn: Callable[..., R]) -> Callable[..., R]:
        """Answer the query with `fn` from now on, whatever the workflow waits for. Usable as a decorator.

        Raises:
            InvalidInput: it is an `async def` function; an answer is given at once, without waiting for anything.
        """
        if inspect.iscoroutinefunction(fn):
            raise InvalidInput(f"{self!r} is answered by a plain function, not by the async def {fn.__qualname__}")
        current_loop("Query.answer()").world.queries[self.name] = (self, fn)
        return fn

    def __repr__(self) -> str:
        return f"Query({self.name!r})"


def box_of(loop: WorkflowLoop, name: str) -> SignalBox:
    boxes: dict[str, SignalBox] = loop.world.signals
    box = boxes.get(name)
    if box is None:
        box = boxes[name] = SignalBox()
    return box


def box_decoders(loop: WorkflowLoop) -> dict[str, Callable[[bytes], Any]]:
    decoders: dict[str, Callable[[bytes], Any]] = loop.world.signal_decoders
    return decoders


def deliver(loop: WorkflowLoop, name: str, data: bytes) -> None:
    """A signal was recorded: give it to its handler, or to whoever waits first."""
    box = box_of(loop, name)
    if box.handler is not None:
        start_handler(loop, name, box, data, box_decoders(loop)[name])
        return
    box.buffer.append(data)
    box.wake_one()


def start_handler(loop: WorkflowLoop, name: str, box: SignalBox, data: bytes, decode: Callable[[bytes], Any]) -> None:
    """Run a signal handler in a task whose id comes from the signal's name and ordinal."""
    handler = box.handler
    assert handler is not None
    box.handled += 1

    async def run() -> None:
        try:
            result = handler(decode(data))
            if isinstance(result, Awaitable):
                await result
        except Exception as exc:  # noqa: BLE001 - code of users ends here
            loop.world.fail(exc)

    loop.create_task_at(run(), f"signal:{name}:{box.handled}", f"signal {name} {box.handled}")


def seconds(duration: Duration) -> float:
    """A duration for asyncio."""
    from aion._core.duration import to_micros

    return to_micros(duration) / 1_000_000
