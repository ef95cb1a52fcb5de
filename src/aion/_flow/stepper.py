"""One run's coroutines, moved by its events. It never looks at what is stored, only at what it is given."""

from __future__ import annotations

import asyncio
import random
import sys
from asyncio import events as asyncio_events
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Raw

from aion._core import commands as cmd
from aion._core import events as ev
from aion._core.entropy import seed_of
from aion._core.limits import Limits
from aion._flow import messages
from aion._flow.definitions import Activity, ActivityCall, Workflow
from aion._flow.failure import activity_failed, info_of
from aion._flow.fingerprint import same_call
from aion._flow.location import caller
from aion._flow.loop import WorkflowLoop, keep_generators
from aion.errors import InvalidInput, LimitExceeded, QueryFailed, UnknownQuery

_set_running_loop = asyncio_events._set_running_loop
_get_running_loop = asyncio_events._get_running_loop


class ActivityFuture(asyncio.Future[Any]):
    """What code awaits while an activity runs. Cancelling it is a command."""

    __slots__ = ("call", "id", "world")

    def __init__(self, world: Stepper, id: str, call: ActivityCall[Any]) -> None:
        super().__init__(loop=world.loop)
        self.world = world
        self.id = id
        self.call = call

    def cancel(self, msg: Any = None) -> bool:
        if not super().cancel(msg):
            return False
        world = self.world
        if world.waiting.pop(self.id, None) is not None:
            world.loop.issue(cmd.CancelActivity(self.id, caller(2)))
        return True


class Stepper:
    """The code of one run, and the world it sees.

    After each call, `loop.commands` holds what the code asked for and `outcome` how it ended, if it did.

    Invariant: between calls no code of the run executes, and every task waits for an event.
    """

    __slots__ = (
        "asides",
        "comparing",
        "definition",
        "failure",
        "history_bytes",
        "history_length",
        "limits",
        "loop",
        "outcome",
        "patches",
        "queries",
        "root",
        "signal_decoders",
        "signals",
        "started",
        "waiting",
    )

    def __init__(self, definition: Workflow[..., Any], started: ev.WorkflowStarted, time: int, limits: Limits) -> None:
        self.definition = definition
        self.started = started
        self.limits = limits
        self.loop = WorkflowLoop(time)  # type: ignore[abstract]
        self.loop.world = self
        self.history_length = 0
        self.history_bytes = 0
        self.asides = 0
        self.comparing: Activity[..., Any] | None = None
        self.waiting: dict[str, ActivityFuture] = {}
        self.signals: dict[str, messages.SignalBox] = {}
        self.signal_decoders: dict[str, Callable[[bytes], Any]] = {}
        self.queries: dict[str, tuple[messages.Query[Any], Callable[..., Any]]] = {}
        self.patches: dict[str, bool] = {}
        self.root: asyncio.Task[Any] | None = None
        self.outcome: ev.AnyEvent | None = None
        self.failure: BaseException | None = None

    # ── moving ───────────────────────────────────────────────────────────────────────────────────

    def react(self, event: ev.AnyEvent, time: int, seq: int, size: int) -> None:
        """Apply one recorded input, event `seq`, and run the code until it can move no further.

        `size` is the bytes of history up to it.
        """
        loop = self.loop
        loop.now = time
        self.history_length = seq
        self.history_bytes = size
        before = _get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        if hooks.firstiter is not keep_generators:
            sys.set_asyncgen_hooks(keep_generators, None)
        _set_running_loop(loop)
        try:
            _REACTIONS[type(event)](self, event)
            if loop.predicates:
                loop.check_predicates()
            loop.run_ready()
        finally:
            _set_running_loop(before)
            if hooks.firstiter is not keep_generators:
                sys.set_asyncgen_hooks(*hooks)
        root = self.root
        if (root is None or root.done() or self.failure is not None) and loop.divergence is None:
            self._look_for_the_end()

    def _look_for_the_end(self) -> None:
        if self.outcome is not None:
            return
        if self.failure is not None:
            self.outcome = ev.WorkflowFailed(info_of(self.failure))
            return
        root = self.root
        if root is None:
            return
        try:
            exc = root.exception()
        except asyncio.CancelledError as cancelled:
            reason = cancelled.args[0] if cancelled.args and isinstance(cancelled.args[0], str) else ""
            self.outcome = ev.WorkflowCancelled(reason)
            return
        if exc is not None:
            self.outcome = ev.WorkflowFailed(info_of(exc))
            return
        try:
            result = self.definition.signature.encode_result(root.result(), self.limits.payload_bytes_max)
        except InvalidInput as error:
            self.outcome = ev.WorkflowFailed(info_of(error))
        else:
            self.outcome = ev.WorkflowCompleted(Raw(result))

    def fail(self, exc: BaseException) -> None:
        """An exception outside the main task that counts as raised by the workflow."""
        if self.failure is None:
            self.failure = exc

    def begin(self) -> None:
        signature = self.definition.signature
        try:
            args, kwargs = signature.decode_call(bytes(self.started.input), self.started.named)
        except InvalidInput as exc:
            self.failure = exc
            return
        coroutine = self.definition.fn(*args, **kwargs)
        self.root = self.loop.create_task_at(coroutine, "", "main", self.loop.context)

    # ── what code asks for ───────────────────────────────────────────────────────────────────────

    def schedule_activity(self, call: ActivityCall[Any]) -> Any:
        """Ask for an activity; the answer is what `await` iterates over."""
        loop = self.loop
        definition: Activity[..., Any] = call.definition
        limits = self.limits
        if len(self.waiting) >= limits.pending_activities_max:
            raise LimitExceeded(
                f"{len(self.waiting)} activities of this run are pending, which is the limit: "
                "bound the fan-out, for example with an asyncio.Semaphore"
            )
        payload, named = definition.signature.encode_call(call.args, call.kwargs, limits.payload_bytes_max)
        id = loop.next_id()
        options = definition.settings
        self.comparing = definition
        loop.issue(
            cmd.ScheduleActivity(
                id, definition.name, Raw(payload), named, call.at, options.queue, options.timeout, options.retry
            )
        )
        future = ActivityFuture(self, id, call)
        self.waiting[id] = future
        return future.__await__()

    def new_random(self) -> random.Random:
        started = self.started
        return random.Random(seed_of(started.namespace, started.workflow_id, started.run_id))

    def new_random_aside(self) -> random.Random:
        """A generator for code that replay does not run again; another one each time."""
        started = self.started
        self.asides += 1
        return random.Random(
            seed_of(started.namespace, started.workflow_id, f"{started.run_id}:{self.history_length}:{self.asides}")
        )

    def same_input(self, recorded: ev.ActivityScheduled, attempted: cmd.ScheduleActivity) -> bool:
        """Whether two encoded inputs that differ in bytes are alike in every field that was recorded."""
        definition = self.comparing
        return definition is not None and same_call(
            definition.signature, bytes(recorded.input), recorded.named, bytes(attempted.input), attempted.named
        )

    # ── questions ────────────────────────────────────────────────────────────────────────────────

    def query(self, name: str, argument: bytes | None) -> bytes:
        """Answer a query from the state the code has reached. Nothing moves and nothing is recorded.

        Raises:
            UnknownQuery: the code answers none of this name.
            QueryFailed: the handler raised, or tried to record something.
        """
        entry = self.queries.get(name)
        if entry is None:
            known = ", ".join(sorted(self.queries)) or "none"
            raise UnknownQuery(
                f"workflow {self.started.workflow_type!r} answers no query {name!r}; it answers: {known}"
            )
        query, handler = entry
        with self.reading("a query handler"):
            try:
                if query.arg_codec is not None:
                    value = handler(query.arg_codec.decode(argument if argument is not None else b"null"))
                else:
                    value = handler()
                return query.result_codec.encode(value, self.limits.payload_bytes_max)
            except QueryFailed:
                raise
            except Exception as exc:
                raise QueryFailed(f"the handler of query {name!r} raised {type(exc).__name__}: {exc}") from exc

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Run user code that may look but not ask for anything."""
        loop = self.loop
        before = _get_running_loop()
        _set_running_loop(loop)
        loop.read_only = what
        try:
            yield
        finally:
            loop.read_only = ""
            _set_running_loop(before)

    def close(self) -> None:
        """End all code of the run without recording anything."""
        before = _get_running_loop()
        _set_running_loop(self.loop)
        try:
            self.loop.close()
        finally:
            _set_running_loop(before)
        self.waiting.clear()
        self.signals.clear()
        self.queries.clear()
        self.root = None


def _on_started(stepper: Stepper, event: ev.WorkflowStarted) -> None:
    stepper.begin()


def _on_completed(stepper: Stepper, event: ev.ActivityCompleted) -> None:
    future = stepper.waiting.pop(event.id, None)
    if future is None or future.done():
        return
    try:
        value = future.call.definition.signature.decode_result(bytes(event.result))
    except InvalidInput as exc:
        future.set_exception(exc)
    else:
        future.set_result(value)


def _on_failed(stepper: Stepper, event: ev.ActivityFailed) -> None:
    future = stepper.waiting.pop(event.id, None)
    if future is not None and not future.done():
        name = future.call.definition.name
        future.set_exception(activity_failed(name, event.error, event.kind, event.attempt))


def _on_timer(stepper: Stepper, event: ev.TimerFired) -> None:
    stepper.loop.fire(event.id)


def _on_signal(stepper: Stepper, event: ev.SignalReceived) -> None:
    messages.deliver(stepper.loop, event.name, bytes(event.value))


def _on_cancel(stepper: Stepper, event: ev.WorkflowCancelRequested) -> None:
    if stepper.root is not None:
        stepper.root.cancel(event.reason)


_REACTIONS: dict[type, Callable[[Stepper, Any], None]] = {
    ev.WorkflowStarted: _on_started,
    ev.ActivityCompleted: _on_completed,
    ev.ActivityFailed: _on_failed,
    ev.TimerFired: _on_timer,
    ev.SignalReceived: _on_signal,
    ev.WorkflowCancelRequested: _on_cancel,
}

REACTED = tuple(_REACTIONS)
"""Event types that code reacts to. A failed attempt that is retried is not one of them; ask `reacts`."""


def reacts(event: ev.AnyEvent) -> bool:
    """Whether the code of a run moves at this event."""
    if type(event) is ev.ActivityFailed:
        return event.retry_in is None
    return type(event) in _REACTIONS
