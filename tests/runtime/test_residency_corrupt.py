"""Damaged rows: seen when they are read, a matter of that run alone, and never a wrong result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import aion
from aion import testing
from aion._core.codec import encode_event
from aion._core.events import TimerFired
from aion._core.history import next_digest
from aion._runtime.residency import verify
from aion.errors import InvalidState, StoreCorrupt, StoreError, WorkflowTerminated
from aion.stores.base import EventRow, InboxRow
from tests.runtime.engine_programs import echo, go
from tests.runtime.worlds import LastingStore, run, scheduler_of, seen, types

asked = aion.Query("asked", str)


@aion.workflow
async def order(number: int) -> int:
    """Wait in several places."""
    asked.answer(lambda: "fine")
    paid: int = await echo(number)
    await asyncio.sleep(60)
    await go.receive()
    return paid


ALL = [order, echo]
Damage = Callable[[LastingStore, int], None]


async def left_waiting(store: LastingStore) -> dict[str, int]:
    """Two runs that wait for their signal; their numbers."""
    async with testing.engine(register=ALL, store=store) as engine:
        for id in ("bad", "good"):
            handle = await engine.start(order(7), id=id)
            await seen(handle, "TimerStarted")
        await engine.advance("2m")
        return {run.row.workflow_id: number for number, run in store._runs.items()}


def rows(store: LastingStore, number: int) -> list[EventRow]:
    """The stored events of a run, to be damaged."""
    return store._runs[number].events


def _flip(store: LastingStore, number: int) -> None:
    row = rows(store, number)[3]
    data = bytes([row.data[0] ^ 1]) + row.data[1:]
    rows(store, number)[3] = row._replace(data=data)


def _flip_last(store: LastingStore, number: int) -> None:
    row = rows(store, number)[-1]
    rows(store, number)[-1] = row._replace(data=row.data.replace(b"7", b"8"))


def _exchange_last(store: LastingStore, number: int) -> None:
    row = rows(store, number)[-1]
    rows(store, number)[-1] = rows(store, number)[2]._replace(seq=row.seq, digest=row.digest)


def _other_time(store: LastingStore, number: int) -> None:
    row = rows(store, number)[4]
    rows(store, number)[4] = row._replace(time=row.time + 1)


def _other_type(store: LastingStore, number: int) -> None:
    rows(store, number)[5] = rows(store, number)[5]._replace(type="TimerCancelled")


def _drop(store: LastingStore, number: int) -> None:
    del rows(store, number)[3]


def _drop_last(store: LastingStore, number: int) -> None:
    del rows(store, number)[-1]


def _drop_all(store: LastingStore, number: int) -> None:
    rows(store, number).clear()


def _swap(store: LastingStore, number: int) -> None:
    events = rows(store, number)
    events[2], events[3] = events[3]._replace(seq=3), events[2]._replace(seq=4)


def _double(store: LastingStore, number: int) -> None:
    rows(store, number).insert(3, rows(store, number)[3])


def _foreign(store: LastingStore, number: int) -> None:
    other = next(each for each in store._runs if each != number)
    rows(store, number)[3] = rows(store, other)[3]._replace(run=number)


def _head_digest(store: LastingStore, number: int) -> None:
    known = store._runs[number]
    known.head = known.head._replace(digest=bytes(32))


def _consistent(number: int, store: LastingStore, type: str, data: bytes) -> None:
    """Append an event with a digest that fits, as a faulty program could."""
    known = store._runs[number]
    digest = next_digest(known.head.digest, known.head.seq + 1, type, known.head.time, data)
    row = EventRow(number, known.head.seq + 1, type, known.head.time, digest, data)
    known.events.append(row)
    known.head = known.head._replace(seq=row.seq, digest=digest, size=known.head.size + len(data))


def _unknown_type(store: LastingStore, number: int) -> None:
    _consistent(number, store, "FromTheFuture", b"{}")


def _no_json(store: LastingStore, number: int) -> None:
    _consistent(number, store, "SignalReceived", b'{"name":"\xff"}')


def _consistent_end(store: LastingStore, number: int) -> None:
    _consistent(number, store, "SignalReceived", b'{"name":"late"}')


def _does_not_follow(store: LastingStore, number: int) -> None:
    _consistent(number, store, "TimerFired", encode_event(TimerFired("99")))


def _bad_inbox(store: LastingStore, number: int) -> None:
    store._put_inbox(InboxRow(number, 1, "input", b'{"type":"SignalArrived","name":"\xff"}'))


HISTORY_DAMAGES: tuple[Damage, ...] = (
    _flip,
    _other_time,
    _other_type,
    _drop,
    _drop_last,
    _drop_all,
    _swap,
    _double,
    _foreign,
    _head_digest,
    _unknown_type,
    _no_json,
    _does_not_follow,
)
DAMAGES = (*HISTORY_DAMAGES, _bad_inbox)


def named(damage: Damage) -> str:
    """The name of a damage, for people."""
    return damage.__name__.strip("_")


@pytest.mark.parametrize("damage", DAMAGES, ids=named)
def test_a_damaged_run_is_blocked_and_others_go_on(damage: Damage) -> None:
    """It is seen on the first read, says which event, gives no result, and can be ended."""

    async def main() -> None:
        store = LastingStore()
        numbers = await left_waiting(store)
        damage(store, numbers["bad"])
        async with testing.engine(register=ALL, store=store) as engine:
            bad, good = engine.get("bad"), engine.get("good")
            await bad.signal(go)
            await good.signal(go)
            described = await bad.describe()

            assert await good.result() == 7
            assert described.status == "blocked"
            assert described.blocked_reason is not None
            assert described.blocked_reason.startswith("corrupt history")
            with pytest.raises(InvalidState, match="blocked"):
                await bad.query(asked)
            with pytest.raises(TimeoutError):
                await bad.result(timeout="10ms")
            await bad.terminate("give up")
            with pytest.raises(WorkflowTerminated, match="give up"):
                await bad.result()
            assert (await bad.describe()).status == "terminated"
            assert scheduler_of(engine).idle()
            assert engine._shards[0].restarts == 0

    run(main)


@pytest.mark.parametrize("damage", DAMAGES, ids=named)
def test_a_damaged_run_can_be_terminated_at_once(damage: Damage) -> None:
    """Without code, without replay, and with nothing else asked of it before."""

    async def main() -> None:
        store = LastingStore()
        numbers = await left_waiting(store)
        damage(store, numbers["bad"])
        async with testing.engine(register=[], store=store) as engine:
            bad = engine.get("bad")
            await bad.terminate("give up")
            with pytest.raises(WorkflowTerminated):
                await bad.result()

            assert (store.inbox(numbers["bad"]), store.blocked_runs(0, -1, 9)) == ([], [])
            assert engine._shards[0].restarts == 0

    run(main)


@pytest.mark.parametrize("damage", DAMAGES, ids=named)
def test_a_damaged_run_with_work_under_way_does_not_stop_the_start_of_an_engine(damage: Damage) -> None:
    """Recovery comes upon it by itself: it is blocked, and the engine serves everybody else."""

    async def main() -> None:
        store = LastingStore()
        numbers = await left_waiting(store)
        damage(store, numbers["bad"])
        store._shards[0].busy.add(numbers["bad"])
        async with testing.engine(register=ALL, store=store) as engine:
            good = engine.get("good")
            await good.signal(go)
            assert await good.result() == 7
            while (await engine.get("bad").describe()).status != "blocked":
                await asyncio.sleep(0.001)

            assert engine._shards[0].restarts == 0

    run(main)


def test_a_run_that_was_repaired_goes_on_at_the_next_start() -> None:
    """Somebody put the right bytes back: what was accepted meanwhile is delivered."""

    async def main() -> None:
        store = LastingStore()
        numbers = await left_waiting(store)
        whole = rows(store, numbers["bad"])[3]
        _flip(store, numbers["bad"])
        async with testing.engine(register=ALL, store=store) as engine:
            await engine.get("bad").signal(go)
            assert (await engine.get("bad").describe()).status == "blocked"
        rows(store, numbers["bad"])[3] = whole
        async with testing.engine(register=ALL, store=store) as engine:
            assert await engine.get("bad").result() == 7

    run(main)


def test_damage_that_is_not_repaired_is_recorded_once() -> None:
    """Starting again and again adds no more blocks to the history."""

    async def main() -> None:
        store = LastingStore()
        numbers = await left_waiting(store)
        _flip(store, numbers["bad"])
        for _ in range(3):
            async with testing.engine(register=ALL, store=store) as engine:
                await engine.get("bad").signal(go)
        stored = [row.type for row in rows(store, numbers["bad"])]

        assert stored.count("WorkflowBlocked") == 1
        assert len(store.inbox(numbers["bad"])) == 3

    run(main)


CLOSED_DAMAGES = (
    _flip,
    _flip_last,
    _exchange_last,
    _drop_last,
    _head_digest,
    _unknown_type,
    _consistent_end,
    _drop_all,
)


@pytest.mark.parametrize("damage", CLOSED_DAMAGES, ids=named)
def test_a_damaged_closed_run_gives_no_wrong_answer(damage: Damage) -> None:
    """Its result and its queries are an error of the store, or what was recorded; never something else."""

    async def main() -> None:
        store = LastingStore()
        async with testing.engine(register=ALL, store=store) as engine:
            handle = await engine.start(order(7), id="w")
            await seen(handle, "TimerStarted")
            await engine.advance("2m")
            await handle.signal(go)
            await handle.result()
            (number,) = store._runs
            damage(store, number)
            try:
                result = await handle.result()
            except StoreError:
                result = 7

            assert result == 7
            with pytest.raises((StoreCorrupt, InvalidState)):
                await handle.query(asked)
            assert engine._shards[0].restarts == 0

    run(main)


def test_reading_a_damaged_history_says_so() -> None:
    """`history()` gives what can be read or a typed error, never a stack trace of ours."""

    async def main() -> None:
        store = LastingStore()
        numbers = await left_waiting(store)
        _no_json(store, numbers["bad"])
        async with testing.engine(register=ALL, store=store) as engine:
            with pytest.raises(StoreCorrupt, match="SignalReceived"):
                await engine.get("bad").history()

            assert types(await engine.get("good").history())[0] == "WorkflowStarted"

    run(main)


@pytest.mark.parametrize("damage", HISTORY_DAMAGES, ids=named)
def test_verifying_names_the_run_and_the_event(damage: Damage) -> None:
    """What operators get to see tells them where to look."""

    async def main() -> None:
        store = LastingStore()
        numbers = await left_waiting(store)
        damage(store, numbers["bad"])
        (record,) = store.records([numbers["bad"]])
        with pytest.raises(StoreCorrupt, match=r"event|begin"):
            verify(record, store.history(numbers["bad"]))

    run(main)


def test_a_sound_history_is_verified_whole() -> None:
    """State, digest, size and time are those of its end."""

    async def main() -> None:
        store = LastingStore()
        numbers = await left_waiting(store)
        (record,) = store.records([numbers["bad"]])
        state, history = verify(record, store.history(numbers["bad"]))

        assert (state.seq, state.digest, state.size, state.time) == (
            record.seq,
            record.digest,
            record.size,
            record.time,
        )
        assert [recorded.seq for recorded in history] == list(range(1, record.seq + 1))
        assert history[-1].size == record.size

    run(main)
