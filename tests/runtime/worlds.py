"""Worlds for engines under test: stores that outlive an engine or fail on purpose, and what tests ask of a run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

from aion import testing
from aion._runtime.handle import WorkflowHandle
from aion._runtime.scheduler import Scheduler
from aion._runtime.views import History, HistoryEvent
from aion.errors import StoreError
from aion.stores.base import EventRow, Flush, InboxRow, Lease, Refusal, RunFilter, RunRecord, Store, TimerRow
from aion.stores.memory import MemoryStore
from aion.testing import TestEngine

T = TypeVar("T")
When = Literal["before", "after"]

# Longer than any test takes, so that one that hangs fails instead.
PATIENCE_SECONDS = 20.0


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of an async test; one that hangs fails."""

    async def guarded() -> T:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await main()

    return asyncio.run(guarded())


class LastingStore(MemoryStore):
    """A memory store that several engines use one after the other, as they would use a file."""

    def __init__(self, shard_count: int = 1) -> None:
        super().__init__(shard_count)

    def close(self) -> None:
        """What it holds stays."""

    def history(self, run: int, from_seq: int = 1, limit: int | None = None) -> list[EventRow]:
        """Events by their stored position, also where a test has taken some out."""
        return [row for row in super().history(run) if row.seq >= from_seq][:limit]


class FaultyStore(Store):
    """A store in front of another: its calls are counted, and some of them fail.

    `fail_at` is the number, from 0, of the counted call that fails: before it has done anything, or after it has done
    everything. `counted` are the methods that count. With `dead`, all calls from that one on fail: the process is gone
    as far as the store knows.
    """

    def __init__(
        self,
        inner: Store,
        fail_at: int | None = None,
        when: When = "before",
        counted: Sequence[str] = ("commit",),
        *,
        dead: bool = False,
        error: Callable[[], BaseException] = lambda: StoreError("the disk is on fire"),
    ) -> None:
        self.inner = inner
        self.shard_count = inner.shard_count
        self.fired = False
        self.calls = 0
        self.on_fire: Callable[[], None] = lambda: None
        self._fail_at = fail_at
        self._when = when
        self._counted = frozenset(counted)
        self._dead = dead
        self._error = error
        self._lock = threading.Lock()

    def _call(self, name: str, *args: Any) -> Any:
        method = getattr(self.inner, name)
        if name not in self._counted:
            if self._dead and self.fired:
                raise self._error()
            return method(*args)
        with self._lock:
            number = self.calls
            self.calls += 1
        fails = number == self._fail_at or (self._dead and self.fired)
        if fails and (self._when == "before" or self.fired):
            self._fire()
        result = method(*args)
        if fails:
            self._fire()
        return result

    def _fire(self) -> None:
        self.fired = True
        self.on_fire()
        raise self._error()

    def claim(self, owner: str, now: int, ttl: int, limit: int | None = None) -> list[Lease]:
        """See `Store`."""
        return self._call("claim", owner, now, ttl, limit)  # type: ignore[no-any-return]

    def renew(self, owner: str, leases: Sequence[Lease], until: int) -> list[Lease]:
        """See `Store`."""
        return self._call("renew", owner, leases, until)  # type: ignore[no-any-return]

    def release(self, owner: str, leases: Sequence[Lease]) -> None:
        """See `Store`."""
        self._call("release", owner, leases)

    def commit(self, flush: Flush) -> dict[int, Refusal]:
        """See `Store`."""
        return self._call("commit", flush)  # type: ignore[no-any-return]

    def post(self, run: int, kind: str, data: bytes, now: int) -> int | None:
        """See `Store`."""
        return self._call("post", run, kind, data, now)  # type: ignore[no-any-return]

    def find(self, namespace: str, workflow_id: str, run_id: str | None = None) -> RunRecord | None:
        """See `Store`."""
        return self._call("find", namespace, workflow_id, run_id)  # type: ignore[no-any-return]

    def records(self, runs: Sequence[int]) -> list[RunRecord]:
        """See `Store`."""
        return self._call("records", runs)  # type: ignore[no-any-return]

    def find_request(self, namespace: str, workflow_id: str, request_id: str) -> bytes | None:
        """See `Store`."""
        return self._call("find_request", namespace, workflow_id, request_id)  # type: ignore[no-any-return]

    def history(self, run: int, from_seq: int = 1, limit: int | None = None) -> list[EventRow]:
        """See `Store`."""
        return self._call("history", run, from_seq, limit)  # type: ignore[no-any-return]

    def timers_due(self, shard: int, after: int, until: int, limit: int) -> list[TimerRow]:
        """See `Store`."""
        return self._call("timers_due", shard, after, until, limit)  # type: ignore[no-any-return]

    def next_due(self, shard: int) -> int | None:
        """See `Store`."""
        return self._call("next_due", shard)  # type: ignore[no-any-return]

    def busy_runs(self, shard: int, after: int, limit: int) -> list[int]:
        """See `Store`."""
        return self._call("busy_runs", shard, after, limit)  # type: ignore[no-any-return]

    def inbox_runs(self, shard: int, after: int, limit: int) -> list[int]:
        """See `Store`."""
        return self._call("inbox_runs", shard, after, limit)  # type: ignore[no-any-return]

    def inbox(self, run: int) -> list[InboxRow]:
        """See `Store`."""
        return self._call("inbox", run)  # type: ignore[no-any-return]

    def blocked_runs(self, shard: int, after: int, limit: int) -> list[RunRecord]:
        """See `Store`."""
        return self._call("blocked_runs", shard, after, limit)  # type: ignore[no-any-return]

    def list_runs(self, filter: RunFilter, limit: int, after: tuple[int, int] | None = None) -> list[RunRecord]:
        """See `Store`."""
        return self._call("list_runs", filter, limit, after)  # type: ignore[no-any-return]

    def close(self) -> None:
        """See `Store`."""
        self.inner.close()


READS = ("find", "records", "find_request", "history", "timers_due", "next_due")
READS_AT_START = ("busy_runs", "inbox_runs", "inbox", "blocked_runs")


class GatedStore(LastingStore):
    """A lasting store whose commits wait while its gate is shut, so that a test can act in the middle of one."""

    def __init__(self, shard_count: int = 1) -> None:
        super().__init__(shard_count)
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Event()

    async def hold(self, call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Shut the gate and begin a call; it is under way, and its commit waits at the gate."""
        self.waiting.clear()
        self.gate.clear()
        task = asyncio.create_task(call)
        await asyncio.to_thread(self.waiting.wait)
        return task

    def commit(self, flush: Flush) -> dict[int, Refusal]:
        """Commit when the gate is open."""
        if not self.gate.is_set():
            self.waiting.set()
            assert self.gate.wait(PATIENCE_SECONDS), "nobody opened the gate"
        return super().commit(flush)


def forget_owner(store: MemoryStore) -> None:
    """Let the leases of a killed engine end."""
    for shard in store._shards:
        shard.owner = None


@asynccontextmanager
async def crashing(store: MemoryStore, **options: Any) -> AsyncIterator[tuple[TestEngine, FaultyStore]]:
    """An engine that is killed when the block is left: from then on nothing of it reaches the store."""
    faulty = FaultyStore(store, None, "before", (), dead=True)
    engine = testing.engine(store=faulty, **options)
    await engine.start_serving()
    try:
        yield engine, faulty
    finally:
        faulty.fired = True
        try:
            await engine.close(grace=0)
        except StoreError:
            pass
        forget_owner(store)


async def seen(handle: WorkflowHandle[Any], type: str, count: int = 1) -> HistoryEvent:
    """Wait until the history holds so many events of a type; the last of them."""
    async for event in handle.events():
        if event.type == type:
            count -= 1
            if not count:
                return event
    raise AssertionError(f"the run ended without another {type}: {types(await handle.history())}")


async def eventually(condition: Callable[[], Any | Awaitable[Any]]) -> Any:
    """Wait until a condition holds; what it gave."""
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        await asyncio.sleep(0.001)


def types(history: History) -> list[str]:
    """The types of a history's events."""
    return [event.type for event in history]


def shape(history: History) -> list[str]:
    """A history without times, generated ids and second hand-outs of an attempt: the same in every run."""
    return [_told(event) for event in history if event.type != "ActivityStarted" or event.data.get("dispatch", 1) == 1]


def _told(event: HistoryEvent) -> str:
    kept = ("id", "name", "attempt", "result", "value", "reason", "input", "kind", "delay", "change")
    return " ".join([event.type, *(f"{key}={event.data[key]}" for key in kept if key in event.data)])


def scheduler_of(engine: TestEngine) -> Scheduler:
    """The scheduler of an engine's first shard, to look at."""
    return engine._shards[0].scheduler
