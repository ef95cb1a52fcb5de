"""The deterministic event loop: one per run, a FIFO of callbacks, time from history, no I/O.

The loop runs standard C tasks. It differs from asyncio's own in what must not depend on the outside:
`time()` is the time of the event being reacted to, `call_later` asks the engine for a durable timer, and
whatever reaches for threads, sockets or processes raises `ForbiddenInWorkflow`.

Commands are matched here: live, `issue` collects them; on replay it compares each with the event that
recorded it, and stops the loop at the first difference.

Nothing is left to the garbage collector: every task and async generator is held until it ends or `close`
ends it, with commands off.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
from asyncio import events as asyncio_events
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from aion._core import commands as cmd
from aion._core.commands import describe
from aion._core.events import AnyEvent
from aion._core.replay import fits
from aion._flow import anyio_order
from aion._flow.forbidden import FORBIDDEN_METHODS, forbidden_method
from aion._flow.location import caller
from aion.errors import InvalidInput, QueryFailed

if TYPE_CHECKING:
    import random

T = TypeVar("T")
_log = logging.getLogger("aion.workflow")
_unregister_task: Callable[[Any], None] = asyncio.tasks._unregister_task
_current_task = asyncio.tasks.current_task
_enter_task: Callable[[Any, Any], None] = asyncio.tasks._enter_task
_leave_task: Callable[[Any, Any], None] = asyncio.tasks._leave_task
_YEARS_1000 = 1000 * 366 * 24 * 3600.0

# A coroutine may await again while it is being closed. Code that does so more often than this never
# means to end; it is kept and reported instead.
_CLOSE_ATTEMPTS = 100
_ENDLESS = "%s does not end when it is closed: it was given up after %d tries"

# How many callbacks may have run before they are cut off the front of the ready queue.
_TRIM_AFTER = 512


PREDICATE = "a wait_until predicate"
"""What `read_only` says while predicates run: unlike other readers, they run again on replay."""


class Diverged(BaseException):
    """Unwinds workflow code whose command does not fit its history. Not an `Exception`: it is not for users."""


class Dropped(BaseException):
    """Ends workflow code that is taken out of memory; raised again by each await until the code has ended.

    It is not `GeneratorExit`: a coroutine that is given that one closes what it awaits instead of passing it on, and
    the first await in a `finally` further down turns it into "coroutine ignored GeneratorExit".
    """


class Handle:
    """A callback in the ready queue."""

    __slots__ = ("args", "callback", "context", "dropped")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None):
        self.callback = callback
        self.args = args
        self.context = contextvars.copy_context() if context is None else context
        self.dropped = False

    def cancel(self) -> None:
        self.dropped = True

    def cancelled(self) -> bool:
        return self.dropped


class TimerHandle(Handle):
    """A callback behind a durable timer; `id` is None when it needed none, because its time had come."""

    __slots__ = ("_when", "id", "loop")

    def __init__(
        self,
        loop: WorkflowLoop,
        id: str | None,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:
        super().__init__(callback, args, context)
        self.loop = loop
        self.id = id
        self._when = when

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        if not self.dropped:
            self.dropped = True
            # Once it has fired it is no longer among the timers, and there is nothing to disarm.
            if self.id is not None and self.loop.timers.pop(self.id, None) is not None:
                self.loop.issue(cmd.DisarmTimer(self.id))


class WorkflowFuture(asyncio.Future[Any]):
    """A future that hashes by order of creation, so that sets of futures iterate alike on every replay."""

    __slots__ = ("index",)

    def __init__(self, *, loop: WorkflowLoop) -> None:
        super().__init__(loop=loop)
        loop.created += 1
        self.index = loop.created

    def __hash__(self) -> int:
        return self.index


class WorkflowTask(asyncio.Task[Any]):
    """A C task that hashes by order of creation and counts what its code asks for."""

    __slots__ = ("context", "count", "index", "prefix")

    def __init__(self, coro: Any, *, loop: WorkflowLoop, path: str, name: str, context: Any = None) -> None:
        # The base class enters the task into a global weak set while it is made, which hashes it.
        loop.created += 1
        self.index = loop.created
        self.count = 0
        self.prefix = path + "." if path else ""
        self.context = contextvars.copy_context() if context is None else context
        super().__init__(coro, loop=loop, name=name, context=self.context)
        # asyncio keeps every task in one global weak set; with many runs it degenerates.
        _unregister_task(self)

    def __hash__(self) -> int:
        return self.index


class WorkflowLoop(asyncio.AbstractEventLoop):
    """The event loop of one run. All times in microseconds, except where asyncio wants seconds."""

    is_aion_workflow = True

    def __init__(self, started: int) -> None:
        self.started = started
        self.now = started
        self.guarded = True
        self.commands: list[cmd.AnyCommand] = []
        self.expected: list[tuple[int, AnyEvent]] | None = None
        self.position = 0
        self.divergence: tuple[int, str, str] | None = None
        self.read_only = ""
        self.closing = False
        self.created = 0
        self.timers: dict[str, TimerHandle] = {}
        self.predicates: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.world: Any = None
        self.context = contextvars.copy_context()
        # A list read from the front: an empty deque takes half a kilobyte, and most runs only wait.
        self._ready: list[Handle] = []
        self._tasks: list[WorkflowTask] = []
        self._tasks_limit = 64
        self._generators: list[Any] = []
        self._generators_limit = 64
        self._callbacks = 0
        self._random: random.Random | None = None

    # ── commands ─────────────────────────────────────────────────────────────────────────────────

    def issue(self, command: cmd.AnyCommand) -> AnyEvent | None:
        """Ask the engine for something. On replay, the event that recorded it; live, None.

        Raises:
            QueryFailed: a query handler, predicate or side effect tried to record something.
            Diverged: the history records something else here.
        """
        if self.closing:
            return None
        if self.read_only:
            raise QueryFailed(f"{self.read_only} may not record anything, but it issued {describe(command)}")
        if self.expected is None:
            self.commands.append(command)
            return None
        if self.position >= len(self.expected):
            self.diverge(self._next_seq(), "nothing more here", describe(command))
        seq, event = self.expected[self.position]
        if not fits(command, event, self.world.same_input):
            self.diverge(seq, describe(event), describe(command))
        self.position += 1
        return event

    def next_recorded(self) -> AnyEvent | None:
        """On replay, the recorded event that the next command must fit; None if there is none."""
        if self.expected is None or self.position >= len(self.expected):
            return None
        return self.expected[self.position][1]

    def diverge(self, seq: int, recorded: str, attempted: str) -> NoReturn:
        """Note the first difference and stop the code where it stands."""
        if self.divergence is None:
            self.divergence = (seq, recorded, attempted)
        raise Diverged

    def _next_seq(self) -> int:
        return (self.expected[-1][0] if self.expected else self.world.history_length) + 1

    def next_id(self) -> str:
        """The place of the next request in the program: path of the task, ordinal within it.

        Raises:
            QueryFailed: code that may only look asks for something; it does not use up a place.
        """
        if self.read_only:
            raise QueryFailed(f"{self.read_only} may not record anything: no activities, timers, tasks or side effects")
        task = _current_task(self)
        if type(task) is WorkflowTask:
            task.count += 1
            return task.prefix + str(task.count)
        self._callbacks += 1
        return f"~{self._callbacks}"

    # ── running ──────────────────────────────────────────────────────────────────────────────────

    def run_ready(self) -> None:
        """Run callbacks in order until none is left, or until the code diverges."""
        ready = self._ready
        position = 0
        while position < len(ready):
            handle = ready[position]
            position += 1
            if position >= _TRIM_AFTER:
                del ready[:position]
                position = 0
            if handle.dropped:
                continue
            try:
                handle.context.run(handle.callback, *handle.args)
            except Diverged:
                return
            except BaseException as exc:  # noqa: BLE001 - code of users ends here
                # A task keeps its exception itself; SystemExit and KeyboardInterrupt also come up here,
                # and must not take the workflow thread with them.
                self.call_exception_handler({"message": "exception in a callback", "exception": exc})
            if self.divergence is not None:
                return
            if self.predicates:
                self.check_predicates()
        ready.clear()

    def check_predicates(self) -> None:
        """Look at all waiting predicates, in order of creation: after every applied input and task step."""
        for entry in list(self.predicates):
            predicate, waiter = entry
            if waiter.done():
                self.predicates.remove(entry)
                continue
            self.read_only = PREDICATE
            try:
                true = bool(predicate())
            except Exception as exc:  # noqa: BLE001 - code of users ends here
                waiter.set_exception(exc)
                self.predicates.remove(entry)
            else:
                if true:
                    waiter.set_result(None)
                    self.predicates.remove(entry)
            finally:
                self.read_only = ""

    def fire(self, id: str) -> None:
        """A durable timer's time came."""
        handle = self.timers.pop(id, None)
        if handle is not None:
            self._ready.append(handle)

    def idle(self) -> bool:
        return not self._ready

    # ── what asyncio asks of a loop ──────────────────────────────────────────────────────────────

    def time(self) -> float:
        return (self.now - self.started) / 1_000_000

    def workflow_time(self) -> float:
        """Seconds since the epoch, of the event being reacted to."""
        return self.now / 1_000_000

    def workflow_random(self) -> random.Random:
        """The run's own generator, made on first use."""
        if self.read_only and self.read_only != PREDICATE:
            # What a query or a side effect draws is not drawn again on replay.
            generator: random.Random = self.world.new_random_aside()
            return generator
        if self._random is None:
            self._random = self.world.new_random()
        return self._random

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Handle:
        handle = Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> TimerHandle:
        if not delay <= _YEARS_1000:
            raise InvalidInput(f"a timer of {delay!r} seconds: expected a number, at most a thousand years")
        micros = round(delay * 1_000_000) if delay > 0 else 0
        if not micros or self.closing:
            handle = TimerHandle(self, None, self.time(), callback, args, context)
            self._ready.append(handle)
            return handle
        id = self.next_id()
        handle = TimerHandle(self, id, self.time() + delay, callback, args, context)
        self.issue(cmd.ArmTimer(id, micros, caller(2)))
        self.timers[id] = handle
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> TimerHandle:
        return self.call_later(when - self.time(), callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return WorkflowFuture(loop=self)

    def create_task(
        self, coro: Generator[Any, None, T] | Coroutine[Any, Any, T], *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[T]:
        if self.read_only:
            coro.close()
            raise QueryFailed(f"{self.read_only} may not start tasks")
        task: asyncio.Task[T] = self.create_task_at(coro, self.next_id(), name, context)
        return task

    def create_task_at(self, coro: Any, path: str, name: str | None = None, context: Any = None) -> Any:
        """Make a task whose commands get ids under `path`."""
        if len(path) > 64:
            # Chains of tasks that make tasks would otherwise have ids that grow without bound.
            path = "#" + hashlib.sha256(path.encode()).hexdigest()[:24]
        task = WorkflowTask(coro, loop=self, path=path, name=name or f"task-{path or 'main'}", context=context)
        self._tasks.append(task)
        if len(self._tasks) > self._tasks_limit:
            self._tasks = [kept for kept in self._tasks if not kept.done()]
            self._tasks_limit = max(64, 2 * len(self._tasks))
        return task

    def tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks that have not ended, in order of creation."""
        return [task for task in self._tasks if not task.done()]

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """Debug mode reads clocks; it does nothing here."""

    def is_running(self) -> bool:
        return asyncio_events._get_running_loop() is self

    def is_closed(self) -> bool:
        return False

    def get_task_factory(self) -> None:
        return None

    def get_exception_handler(self) -> None:
        return None

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report what no task or caller will: once, and never while replaying."""
        if self.expected is None and not self.closing:
            _log.error("%s", context.get("message"), exc_info=context.get("exception"))

    def keep_generator(self, generator: Any) -> None:
        """Hold an async generator until it ends, so that collection never finalises it at a random moment."""
        self._generators.append(generator)
        if len(self._generators) > self._generators_limit:
            self._generators = [kept for kept in self._generators if kept.ag_frame is not None]
            self._generators_limit = max(64, 2 * len(self._generators))

    async def shutdown_asyncgens(self) -> None:
        """Nothing to do: `close` ends generators."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Nothing to do: there is none."""

    # ── the end ──────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """End every coroutine, in the run's own context, recording nothing.

        `finally` blocks run; each await in them raises `Dropped` again. The newest task is closed
        first, so that a task's children are gone before it is.
        """
        self.closing = True
        self.expected = None
        self.predicates.clear()
        # What still runs below must find nothing to do, nor leave anything to be done.
        self._ready = []
        while self._tasks:
            # Clean-up code may make new ones, which end before their first step.
            task = self._tasks.pop()
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                # As in a step of its own: libraries look at the current task when a scope is left.
                _enter_task(self, task)
                try:
                    task.context.run(_end, task.get_coro(), task.get_name())
                finally:
                    _leave_task(self, task)
                    anyio_order.forget(task)
        for generator in reversed(self._generators):
            if generator.ag_frame is not None:
                self.context.run(_end_generator, generator)
        self._ready = []
        self._generators.clear()
        self.timers.clear()
        self.commands.clear()
        self.world = None


def keep_generators(generator: Any) -> None:
    """The hook for async generators in a thread that steps workflows: each is held by the loop it began on.

    A thread that does nothing else sets it once; elsewhere it is set around each step.
    """
    loop = asyncio_events._get_running_loop()
    if type(loop) is WorkflowLoop:
        loop.keep_generator(generator)


def _end(coro: Any, name: str) -> None:
    """Throw `Dropped` into a coroutine until it has ended."""
    for _ in range(_CLOSE_ATTEMPTS):
        try:
            coro.throw(Dropped)
        except BaseException:  # noqa: BLE001 - code of users ends here
            # What clean-up code raises while it is thrown away has no reader.
            return
    _log.error(_ENDLESS, name, _CLOSE_ATTEMPTS)


def _end_generator(generator: Any) -> None:
    """End an async generator that nobody iterates over now."""

    async def end() -> None:
        for _ in range(_CLOSE_ATTEMPTS):
            # It returns when the generator yields once more instead of ending.
            await generator.athrow(Dropped)

    coro = end()
    try:
        coro.send(None)
    except StopIteration:
        _log.error(_ENDLESS, generator, _CLOSE_ATTEMPTS)
        return
    except BaseException:  # noqa: BLE001 - code of users ends here
        return
    _end(coro, repr(generator))


for _name, _instead in FORBIDDEN_METHODS.items():
    setattr(WorkflowLoop, _name, forbidden_method(_name, _instead))
