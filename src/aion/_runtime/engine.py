"""The engine that users hold: asks the engine thread, runs activities on its own loop, and closes cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from os import getpid
from types import TracebackType
from typing import Any, Self, TypeVar

from aion._core.duration import Duration, to_micros
from aion._core.excerpt import excerpt
from aion._core.ids import check_id, check_text, new_uuid7
from aion._flow.converter import codec_for
from aion._flow.definitions import Workflow, WorkflowCall
from aion._runtime import answers
from aion._runtime import requests as rq
from aion._runtime.clock import Clock
from aion._runtime.dispatch import Dispatcher
from aion._runtime.entropy import Entropy
from aion._runtime.failpoints import Failpoints
from aion._runtime.filters import parse_filter
from aion._runtime.handle import WorkflowHandle
from aion._runtime.reader import RunReader
from aion._runtime.registry import Registry
from aion._runtime.runner import Runner
from aion._runtime.scheduler import Scheduler
from aion._runtime.settings import Settings
from aion._runtime.shard import Shard
from aion._runtime.succession import give_up
from aion._runtime.views import Page
from aion._runtime.watch import EventFeed, RunEvent
from aion.errors import InvalidInput, InvalidState, LimitExceeded, ShuttingDown, StoreError, StoreLocked, Unavailable
from aion.stores.base import Lease, Store, shard_of

R = TypeVar("R")
_log = logging.getLogger("aion.engine")

_CONFLICT_POLICIES = ("fail", "attach", "terminate", "restart")
_STARTS_MAX = 10_000


class CoreEngine:
    """The engine without its choice of store, clock and randomness; `aion.Engine` makes that choice.

    All methods are to be called on the event loop that opened the engine.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        registry: Registry,
        clock: Clock,
        entropy: Entropy,
        settings: Settings,
        runner: Runner,
        failpoints: Failpoints | None = None,
    ) -> None:
        self._open_store = open_store
        self._store: Store
        self._reader: RunReader
        self._registry = registry
        self._clock = clock
        self._entropy = entropy
        self._settings = settings
        self._namespace = settings.namespace
        self._runner = runner
        self._owner = f"{getpid()}:{entropy.bytes(8).hex()}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._shards: dict[int, Shard] = {}
        self._ended: set[int] = set()
        self._all_ended: asyncio.Future[None] | None = None
        self._failpoints = failpoints
        self._dispatcher = Dispatcher(self._report, settings, clock, runner, failpoints)
        self._stopped: BaseException | None = None
        self._closing = False
        self._feeds: set[EventFeed] = set()

    # ── opening and closing ──────────────────────────────────────────────────────────────────────

    async def start_serving(self) -> None:
        """Take the store's shard and begin to work. Suspended runs stay where they are until something wakes them.

        Raises:
            StoreLocked: another engine owns the store.
            StoreError: the store cannot be used; the message says why.
        """
        if self._loop is not None:
            raise InvalidState("this engine was opened before; make another one")
        self._loop = asyncio.get_running_loop()
        self._thread = self._runner.here()
        self._dispatcher.open(self._loop)
        ttl = int(self._settings.lease_ttl * 1_000_000)
        self._store = await self._runner.call(self._open_store)
        self._reader = RunReader(self._store, self._namespace)
        try:
            leases = await self._runner.call(self._store.claim, self._owner, self._clock.now(), ttl, None)
            if not leases:
                raise StoreLocked("another engine owns all of this store: close it, or wait until its lease has ended")
        except BaseException:
            self._store.close()
            raise
        self._shards = {
            lease.shard: Shard(lease, self._new_scheduler, self._shard_ended, self._clock, self._runner)
            for lease in leases
        }
        for shard in self._shards.values():
            shard.start()

    def _new_scheduler(self, lease: Lease) -> Scheduler:
        return Scheduler(
            self._store,
            self._owner,
            lease,
            self._registry,
            self._clock,
            self._entropy,
            self._settings,
            self._post,
            self._runner,
            self._failpoints,
        )

    async def close(self, grace: Duration = "10s") -> None:
        """Stop taking work, let activities finish for `grace`, and leave everything else to the next start.

        What still runs after `grace` is cancelled; nothing is recorded of it, so it is handed out again.
        """
        if not self._shards or self._closing:
            return
        self._closing = True
        self._submit_to_all(rq.Drain())
        await self._dispatcher.close(to_micros(grace, "grace") / 1_000_000)
        if self._failpoints is not None:
            self._failpoints.reach("close.drained")
        self._submit_to_all(rq.Stop())
        await self._wait_for_shards()
        if self._failpoints is not None:
            self._failpoints.reach("close.handed_over")
        for feed in list(self._feeds):
            feed.end()
        leases = [shard.lease for shard in self._shards.values() if shard.lease.shard in self._ended]
        if self._stopped is None and leases:
            await self._runner.call(self._store.release, self._owner, leases)
        await self._runner.call(self._store.close)

    async def _wait_for_shards(self) -> None:
        """Wait until the engine threads have ended, but not for code of a workflow that never gives control back."""
        self._all_ended = asyncio.get_running_loop().create_future()
        while len(self._ended) < len(self._shards):
            before = {number: shard.scheduler.passes for number, shard in self._shards.items()}
            await asyncio.wait([self._all_ended], timeout=self._settings.shutdown_seconds_max)
            going = [shard for number, shard in self._shards.items() if number not in self._ended]
            if going and all(shard.scheduler.passes == before[shard.lease.shard] for shard in going):
                for shard in going:
                    # Its thread is a daemon, and what it might still want to write is refused by the closed store.
                    _log.error(
                        "an engine thread does not end: %s. The engine closes without it; nothing recorded is lost, "
                        "and what was not finished is done again at the next start",
                        shard.scheduler.what_runs(),
                    )
                    give_up(shard.scheduler, ShuttingDown("the engine was closed while it was held up"))
                return

    async def __aenter__(self) -> Self:
        await self.start_serving()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ── starting ─────────────────────────────────────────────────────────────────────────────────

    async def start(
        self,
        call: WorkflowCall[R],
        *,
        id: str | None = None,
        on_conflict: str = "fail",
        request_id: str | None = None,
        attributes: dict[str, Any] | None = None,
        summary: str | None = None,
    ) -> WorkflowHandle[R]:
        """Start a workflow; its handle, once the start is durable.

        Args:
            id: the workflow id; a new one is made without it.
            on_conflict: what to do when the id is running or ran before: `"fail"`, `"attach"` to that run,
                `"terminate"` a running one and start, `"restart"` if the last one is closed.
            request_id: asking again with the same one gives the first answer again.

        Raises:
            AlreadyExists: the id is taken and the policy refuses another run.
            InvalidInput: an argument cannot be recorded.
            NotRegistered: the engine does not know the workflow.
        """
        request = self._start_request(call, id, on_conflict, request_id, attributes, summary)
        started: rq.Started = await self._ask(request)
        return self._handle(started, request.definition)

    async def start_many(self, calls: Sequence[tuple[WorkflowCall[Any], dict[str, Any]]]) -> list[WorkflowHandle[Any]]:
        """Start several workflows in one durable batch: all of them, or none.

        On a store with several shards that holds for the workflows of each shard.

        Raises:
            AlreadyExists: one of the ids is taken, or given twice.
        """
        if len(calls) > _STARTS_MAX:
            raise InvalidInput(
                f"start_many got {len(calls):,} calls, the limit is {_STARTS_MAX:,}: make several batches"
            )
        try:
            requests = [self._start_request(call, **_start_options(options)) for call, options in calls]
        except BaseException:
            for call, _ in calls:
                if isinstance(call, WorkflowCall):
                    call.close()
            raise
        size = sum(len(request.input) for request in requests)
        if size > self._settings.limits.request_bytes_max:
            raise LimitExceeded(
                f"the inputs of these starts take {size:,} bytes, the limit of one batch is "
                f"{self._settings.limits.request_bytes_max:,}: make several batches"
            )
        by_shard: dict[int, list[rq.Start]] = {}
        for request in requests:
            by_shard.setdefault(self._shard_number(request.workflow_id), []).append(request)
        started: dict[str, rq.Started] = {}
        for number, starts in by_shard.items():
            reply = self._reply()
            for one in await self._await(number, rq.StartMany(starts, reply), reply):
                started[one.workflow_id] = one
        return [self._handle(started[request.workflow_id], request.definition) for request in requests]

    async def execute(self, call: WorkflowCall[R], **options: Any) -> R:
        """Start a workflow and wait for its result; the options are those of `start`."""
        handle = await self.start(call, **options)
        return await handle.result()

    def get(self, id: str, run_id: str | None = None) -> WorkflowHandle[Any]:
        """A handle on a workflow, or on one of its runs. Nothing is looked up."""
        return WorkflowHandle(self, check_id(id, "workflow id"), run_id, None)

    def _start_request(
        self,
        call: WorkflowCall[Any],
        id: str | None = None,
        on_conflict: str = "fail",
        request_id: str | None = None,
        attributes: dict[str, Any] | None = None,
        summary: str | None = None,
    ) -> rq.Start:
        if not isinstance(call, WorkflowCall):
            raise InvalidInput(f"start needs a call of a workflow, like fulfil(order), not {call!r}")
        # Refused or not, this call is used: nobody forgot to await it.
        call.take()
        if on_conflict not in _CONFLICT_POLICIES:
            raise InvalidInput(
                f"on_conflict={on_conflict!r}: expected one of {', '.join(map(repr, _CONFLICT_POLICIES))}"
            )
        definition = call.definition
        self._registry.check_workflow(definition)
        limit = self._settings.limits.payload_bytes_max
        payload, named = definition.signature.encode_call(call.args, call.kwargs, limit)
        # An argument of the wrong type is refused to its sender, not found by the run.
        definition.signature.decode_call(payload, named)
        encoded = None if attributes is None else _encode_attributes(attributes, limit)
        if summary is not None:
            check_text(summary, "summary")
        if id is None:
            workflow_id = new_uuid7(self._clock.now(), self._entropy.bytes(10))
        else:
            workflow_id = check_id(id, "workflow id")
        if request_id is not None:
            check_id(request_id, "request id")
        return rq.Start(
            definition,
            self._namespace,
            workflow_id,
            id is None,
            payload,
            named,
            on_conflict,
            request_id,
            encoded,
            summary,
            self._reply(),
        )

    def _handle(self, started: rq.Started, definition: Workflow[..., Any]) -> WorkflowHandle[Any]:
        return WorkflowHandle(self, started.workflow_id, started.run_id, definition)

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    async def list(self, filter: str = "", *, limit: int = 100, cursor: str | None = None) -> Page:
        """A page of runs, by start time, then id.

        Raises:
            InvalidFilter: the filter cannot be read; `position` says where.
        """
        return await self._runner.call(functools.partial(self._reader.list, filter, limit=limit, cursor=cursor))

    async def events(self, filter: str = "", from_seq: int | None = None) -> AsyncIterator[RunEvent]:
        """Events of all runs that match, as they commit; with `from_seq`, first those already recorded from there on.

        Within one run there is no gap and no duplicate. It goes on until it is closed or the engine is.
        """
        wanted = parse_filter(filter, self._namespace)
        feed = EventFeed(wanted)
        async with self._watching(feed):
            seen: dict[str, int] = {}
            if from_seq is not None:
                async for past in self._recorded(filter, from_seq):
                    seen[past.run_id] = past.event.seq
                    yield past
            async for live in feed:
                if live.event.seq > seen.get(live.run_id, 0):
                    yield live

    async def _recorded(self, filter: str, from_seq: int) -> AsyncIterator[RunEvent]:
        cursor: str | None = None
        while True:
            page = await self.list(filter, limit=1_000, cursor=cursor)
            for run in page:
                for event in await self.get(run.id, run.run_id).history(from_seq=from_seq):
                    yield RunEvent(run.id, run.run_id, run.type, event)
            cursor = page.cursor
            if cursor is None:
                return

    @contextlib.asynccontextmanager
    async def _watching(self, feed: EventFeed) -> AsyncIterator[None]:
        await self._await_all(lambda reply: rq.Watch(feed, True, reply))
        self._feeds.add(feed)
        try:
            yield
        finally:
            self._feeds.discard(feed)
            if not self._closing:
                await self._await_all(lambda reply: rq.Watch(feed, False, reply))

    async def register(self, *things: object) -> None:
        """Add or replace definitions. Blocked runs of workflows whose code changed are tried again."""
        changed = self._registry.register(things)
        await self._await_all(lambda reply: rq.Register(changed, reply))

    # ── the engine thread ────────────────────────────────────────────────────────────────────────

    def _reply(self) -> asyncio.Future[Any]:
        loop = self._loop
        if loop is None:
            raise InvalidState("this engine is not open: use `async with engine`, or await engine.start_serving()")
        if self._runner.here() != self._thread:
            raise InvalidState("this engine was opened on another event loop: call it there")
        return loop.create_future()

    async def _ask(self, request: Any) -> Any:
        """Ask the shard that the request's workflow lives on."""
        return await self._await(self._shard_number(request.workflow_id), request, request.reply)

    async def _await(self, number: int, request: Any, reply: asyncio.Future[Any]) -> Any:
        self._check_open()
        shard = self._shards.get(number)
        if shard is None:
            raise Unavailable("this workflow lives on a part of the store that another engine owns: ask that one")
        shard.submit(request)
        return await reply

    async def _await_all(self, request: Callable[[asyncio.Future[Any]], Any]) -> None:
        """Ask every shard, and wait for all answers."""
        self._check_open()
        replies = [self._reply() for _ in self._shards]
        for shard, reply in zip(self._shards.values(), replies, strict=True):
            shard.submit(request(reply))
        for reply in replies:
            await reply

    def _check_open(self) -> None:
        if self._stopped is not None:
            raise StoreError(f"the engine has stopped: {self._stopped}") from self._stopped
        if self._closing or not self._shards:
            raise ShuttingDown("the engine is closed")

    def _shard_number(self, workflow_id: str) -> int:
        return shard_of(self._namespace, workflow_id, self._store.shard_count)

    def _submit_to_all(self, request: Any) -> None:
        for shard in self._shards.values():
            shard.submit(request)

    def _report(self, report: rq.Report) -> None:
        self._shards[report.shard].submit(report)

    def _post(self, messages: Sequence[Any]) -> None:
        """From the engine thread: hand a pass's messages to the event loop."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._deliver, messages)
        except RuntimeError:
            # The loop was closed under the engine. Everything recorded stays; nobody is left to tell.
            _log.warning("the event loop of the engine is closed; %d messages had no reader", len(messages))

    def _deliver(self, messages: Sequence[tuple[int, Any, Any]]) -> None:
        dispatcher = self._dispatcher
        for kind, first, second in messages:
            if kind == answers.GIVE:
                if not first.done():
                    first.set_result(second)
            elif kind == answers.LAUNCH:
                dispatcher.launch(first)
            elif kind == answers.FAIL:
                if not first.done():
                    first.set_exception(second)
            elif kind == answers.CANCEL:
                dispatcher.cancel(first)
            elif kind == answers.REACH:
                assert self._loop is not None
                assert self._failpoints is not None
                # Behind the callbacks of the futures above, so that their readers have had their answers.
                self._loop.call_soon(self._failpoints.reach, first, second)
            else:
                first.put(second)

    def _shard_ended(self, shard: Shard, exc: BaseException | None) -> None:
        """On an engine thread: its work is over, for good if `exc` says why."""

        def finish() -> None:
            if exc is not None:
                self._stopped = exc
                error = StoreError(f"the engine has stopped: {exc}")
                # What was asked after the thread had looked for the last time.
                give_up(shard.scheduler, error)
                for feed in self._feeds:
                    feed.end(error)
            self._ended.add(shard.lease.shard)
            if self._all_ended is not None and len(self._ended) == len(self._shards) and not self._all_ended.done():
                self._all_ended.set_result(None)

        assert self._loop is not None
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(finish)


def _encode_attributes(attributes: Any, limit: int) -> bytes | None:
    if not isinstance(attributes, dict) or not all(isinstance(name, str) for name in attributes):
        raise InvalidInput(f"attributes={excerpt(attributes)}: expected a dict with names as keys")
    return codec_for(dict[str, Any], "attributes").encode(attributes, limit) if attributes else None


def _start_options(options: dict[str, Any]) -> dict[str, Any]:
    allowed = {"id", "attributes", "summary"}
    unknown = set(options) - allowed
    if unknown:
        raise InvalidInput(f"start_many does not take {sorted(unknown)}: it takes {sorted(allowed)}")
    return options
