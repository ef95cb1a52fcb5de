"""A handle on one workflow: ask for its result, talk to it, look at it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Raw

from aion._core import events as ev
from aion._core.duration import Duration, to_micros
from aion._core.ids import check_id, check_text
from aion._core.inputs import AnyInput, CancelRequested, SignalArrived, TerminateRequested
from aion._flow.converter import codec_for
from aion._flow.definitions import Workflow
from aion._flow.failure import detail_of
from aion._flow.messages import Query, Signal
from aion._runtime import requests as rq
from aion._runtime.views import Description, History, HistoryEvent
from aion._runtime.watch import EventFeed
from aion.errors import (
    InvalidInput,
    QueryTimeout,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowTerminated,
)
from aion.stores.base import RunFilter

if TYPE_CHECKING:
    from aion._runtime.engine import CoreEngine

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

_ANYTHING = codec_for(None, "result")
_TERMINAL = frozenset(cls.__name__ for cls in ev.TERMINAL)


class WorkflowHandle(Generic[R_co]):
    """A workflow by id, and one of its runs if `run_id` is set. Holding one costs nothing."""

    def __init__(self, engine: CoreEngine, id: str, run_id: str | None, definition: Workflow[..., Any] | None) -> None:
        self._engine = engine
        self.id = id
        self.run_id = run_id
        self._definition = definition

    async def result(self, timeout: Duration | None = None) -> R_co:
        """Wait until the workflow has ended, however long that is; what it returned.

        Raises:
            WorkflowFailed: it raised; `.error` says what.
            WorkflowCancelled: it was cancelled, and has ended.
            WorkflowTerminated: it was terminated.
            TimeoutError: it had not ended within `timeout`; it goes on.
        """
        request = rq.AskOutcome(self._engine._namespace, self.id, self.run_id, self._engine._reply())
        if timeout is None:
            outcome: rq.Outcome = await self._engine._ask(request)
        else:
            async with asyncio.timeout(to_micros(timeout, "timeout") / 1_000_000):
                outcome = await self._engine._ask(request)
        return self._read(outcome)

    def _read(self, outcome: rq.Outcome) -> R_co:
        event = outcome.event
        match event:
            case ev.WorkflowCompleted(result):
                definition = self._definition or self._engine._registry.workflows.get(outcome.type)
                if definition is not None:
                    return definition.signature.decode_result(bytes(result))  # type: ignore[no-any-return]
                return _ANYTHING.decode(bytes(result))  # type: ignore[no-any-return]
            case ev.WorkflowFailed(error):
                raise WorkflowFailed(self.id, detail_of(error))
            case ev.WorkflowCancelled(reason):
                raise WorkflowCancelled(self.id, reason)
            case ev.WorkflowTerminated(reason):
                raise WorkflowTerminated(self.id, reason)
        raise AssertionError(f"{event!r} is not the end of a run")

    async def signal(self, signal: Signal[T], value: T | None = None, *, request_id: str | None = None) -> None:
        """Send a signal. When this returns it is durable, and the workflow gets it exactly once.

        Raises:
            InvalidInput: the value is not of the signal's type.
            InvalidState: the workflow has ended.
            NotFound: there is no such workflow.
        """
        if not isinstance(signal, Signal):
            raise InvalidInput(f"signal needs an aion.Signal, not {signal!r}")
        data = signal.codec.encode_checked(value, self._engine._settings.limits.payload_bytes_max)
        await self._send(SignalArrived(signal.name, Raw(data)), request_id)

    async def query(
        self, query: Query[T], arg: Any = None, *, timeout: Duration | None = None, stale_ok: bool = False
    ) -> T:
        """Ask the workflow; it answers from its committed state, whatever it waits for. Closed runs answer too.

        Raises:
            UnknownQuery: it answers no query of this name.
            QueryFailed: its handler raised, or tried to record something.
            QueryTimeout: it did not answer in time (2 seconds by default).
        """
        if not isinstance(query, Query):
            raise InvalidInput(f"query needs an aion.Query, not {query!r}")
        limit = self._engine._settings.limits.payload_bytes_max
        argument = None if query.arg_codec is None else query.arg_codec.encode(arg, limit)
        if query.arg_codec is None and arg is not None:
            raise InvalidInput(f"{query!r} takes no argument; declare one with Query(name, returns, arg=type)")
        request = rq.AskQuery(
            self._engine._namespace, self.id, self.run_id, query.name, argument, self._engine._reply()
        )
        seconds = self._engine._settings.query_timeout if timeout is None else to_micros(timeout, "timeout") / 1_000_000
        try:
            async with asyncio.timeout(seconds):
                answer: bytes = await self._engine._ask(request)
        except TimeoutError:
            raise QueryTimeout(f"workflow {self.id!r} did not answer {query!r} within {seconds:g} s") from None
        return query.result_codec.decode(answer)  # type: ignore[no-any-return]

    async def cancel(self, reason: str = "", *, request_id: str | None = None) -> None:
        """Ask the workflow to end: its code gets `CancelledError` and may clean up.

        Raises:
            InvalidState: it has ended already.
        """
        await self._send(CancelRequested(_reason(reason)), request_id)

    async def terminate(self, reason: str = "", *, request_id: str | None = None) -> None:
        """End the workflow now, without its code.

        Raises:
            InvalidState: it has ended already.
        """
        await self._send(TerminateRequested(_reason(reason)), request_id)

    async def _send(self, arrived: AnyInput, request_id: str | None) -> None:
        if request_id is not None:
            check_id(request_id, "request id")
        engine = self._engine
        await engine._ask(rq.Send(engine._namespace, self.id, self.run_id, arrived, request_id, engine._reply()))

    async def describe(self) -> Description:
        """What lists show of the run, and more.

        Raises:
            NotFound: there is no such workflow.
        """
        engine = self._engine
        return await engine._runner.call(engine._reader.describe, self.id, self.run_id)

    async def history(self, *, from_seq: int = 1) -> History:
        """The events of the run recorded so far."""
        engine = self._engine
        return await engine._runner.call(
            functools.partial(engine._reader.history, self.id, self.run_id, from_seq=from_seq)
        )

    async def events(self, from_seq: int = 1) -> AsyncIterator[HistoryEvent]:
        """The events from `from_seq` on: those recorded, then each as it commits, without gap or duplicate.

        Ends after the event that closes the run.
        """
        engine = self._engine
        # The newest run now: a later one of the same id is another story.
        run_id = (await self.describe()).run_id
        feed = EventFeed(RunFilter(engine._namespace), self.id, run_id)
        async with engine._watching(feed):
            last = from_seq - 1
            for event in await WorkflowHandle(engine, self.id, run_id, None).history(from_seq=from_seq):
                last = event.seq
                yield event
                if event.type in _TERMINAL:
                    return
            async for live in feed:
                if live.event.seq > last:
                    yield live.event
                    if live.event.type in _TERMINAL:
                        return

    def __repr__(self) -> str:
        return f"<workflow {self.id!r}{f' run {self.run_id}' if self.run_id else ''}>"


def _reason(reason: object) -> str:
    return check_text(reason, "reason")
