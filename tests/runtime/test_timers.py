"""Timers: never early, fired once, whatever the clock does and however many there are."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import aion
from aion import testing
from aion._runtime.timers import Timers
from aion.stores.base import TimerRow
from aion.testing import VirtualClock
from aion.testing.clock import START
from tests.runtime.worlds import FaultyStore, LastingStore, eventually, run, scheduler_of, seen, types

SECOND = 1_000_000
go = aion.Signal("go")


@aion.workflow
async def sleeping(seconds: float) -> float:
    """Sleep, and tell how long that took."""
    begin = aion.now()
    await asyncio.sleep(seconds)
    return (aion.now() - begin).total_seconds()


@aion.workflow
async def patient() -> str:
    """Wait for a signal, with a deadline."""
    try:
        async with asyncio.timeout(3600):
            await go.receive()
    except TimeoutError:
        return "late"
    return "in time"


ALL = [sleeping, patient]


# ── through the engine ───────────────────────────────────────────────────────────────────────────


def test_a_year_of_sleep_takes_no_time() -> None:
    """And ends exactly when it should."""

    async def main() -> None:
        async with testing.engine(register=ALL) as engine:
            handle = await engine.start(sleeping(365 * 86_400.0))
            assert await handle.result() == 365 * 86_400.0
            started, fired = (await handle.history())[1:3]

            assert (fired.time - started.time).total_seconds() == 365 * 86_400.0
            assert started.data["delay"] == 365 * 86_400 * SECOND

    run(main)


def test_timers_fire_in_order_of_their_due_times() -> None:
    """Of all runs together."""

    async def main() -> None:
        async with testing.engine(register=ALL) as engine:
            order: list[str] = []

            async def note(handle: Any) -> None:
                await handle.result()
                order.append(handle.id)

            seconds = [5.0, 1.0, 86_400.0, 3.0, 0.5, 3_600.0, 11.0]
            handles = await engine.start_many([(sleeping(each), {"id": f"{each}"}) for each in seconds])
            await asyncio.gather(*map(note, handles))

            assert order == [f"{each}" for each in sorted(seconds)]

    run(main)


@pytest.mark.parametrize("turns_inline_max", [0, 2])
def test_due_is_the_time_of_the_event_that_armed_the_timer_plus_its_delay(turns_inline_max: int) -> None:
    """Both are stamped by the commit, and the row says the same."""

    async def main() -> None:
        store = LastingStore()
        async with testing.engine(register=ALL, store=store, turns_inline_max=turns_inline_max) as engine:
            handle = await engine.start(sleeping(60.5))
            (started,) = [event for event in await handle.history() if event.type == "TimerStarted"]

            assert store.next_due(0) == round(started.time.timestamp() * SECOND) + 60_500_000

    run(main)


def test_a_clock_that_goes_back_fires_nothing_early_and_nothing_twice() -> None:
    """Somebody set it an hour back: what was armed before waits for its time by the wall clock."""

    async def main() -> None:
        clock = VirtualClock()
        async with testing.engine(register=ALL, clock=clock) as engine:
            handle = await engine.start(sleeping(600.0), id="s")
            await engine.advance("9m")
            clock.set(clock.now() - 3_600 * SECOND)
            await engine.advance("10m")
            early = types(await handle.history())
            assert await handle.result() == 600.0

            assert early == ["WorkflowStarted", "TimerStarted"]
            assert types(await handle.history()).count("TimerFired") == 1

    run(main)


def test_the_times_of_a_history_never_go_back() -> None:
    """Whatever the clock does between its events."""

    async def main() -> None:
        clock = VirtualClock()
        async with testing.engine(register=ALL, clock=clock) as engine:
            handle = await engine.start(patient(), id="p")
            clock.set(clock.now() - 3_600 * SECOND)
            await handle.signal(go)
            await handle.result()
            times = [event.time for event in await handle.history()]

            assert times == sorted(times)

    run(main)


def test_a_clock_that_jumps_ahead_fires_what_is_due_once() -> None:
    """Never before it is due by that clock."""

    async def main() -> None:
        clock = VirtualClock()
        async with testing.engine(register=ALL, clock=clock) as engine:
            handles = [await engine.start(sleeping(60.0 * minute)) for minute in range(1, 6)]
            clock.set(clock.now() + 150 * SECOND)
            await engine.advance("1s")
            await eventually(lambda: engine.list('status = "completed"'))
            for handle in handles[:2]:
                await handle.result()
            statuses = [(await handle.describe()).status for handle in handles]

            assert statuses == ["completed"] * 2 + ["running"] * 3
            for handle in handles:
                await handle.result()
                started, fired = (await handle.history())[1:3]
                assert fired.time >= started.time
                assert types(await handle.history()).count("TimerFired") == 1

    run(main)


def test_timers_that_came_due_while_nobody_served_fire_at_the_next_start() -> None:
    """In the order in which they were due; those in the future wait; a second start fires none again."""

    async def main() -> None:
        store, clock = LastingStore(), VirtualClock()
        async with testing.engine(register=ALL, store=store, clock=clock) as engine:
            for minute in (1, 2, 100):
                await engine.start(sleeping(60.0 * minute), id=f"{minute}")
        clock.set(clock.now() + 600 * SECOND)
        for _ in range(2):
            async with testing.engine(register=ALL, store=store, clock=clock) as engine:
                await engine.get("1").result()
                await engine.get("2").result()
                assert (await engine.get("100").describe()).status == "running"
        async with testing.engine(register=ALL, store=store, clock=clock) as engine:
            await engine.get("100").result()
            counts = [types(await engine.get(id).history()).count("TimerFired") for id in ("1", "2", "100")]

        assert counts == [1, 1, 1]
        assert store.next_due(0) is None

    run(main)


def test_a_cancelled_timer_never_fires_and_leaves_no_row() -> None:
    """The deadline was not needed."""

    async def main() -> None:
        store = LastingStore()
        async with testing.engine(register=ALL, store=store) as engine:
            handle = await engine.start(patient())
            await handle.signal(go)
            assert await handle.result() == "in time"
            await engine.advance("2h")

            assert "TimerFired" not in types(await handle.history())
            assert store.next_due(0) is None

    run(main)


def test_a_signal_and_a_deadline_that_come_together_are_taken_in_order() -> None:
    """The one recorded first wins, live and on replay."""

    async def main() -> None:
        for _ in range(5):
            async with testing.engine(register=ALL) as engine:
                handle = await engine.start(patient(), id="p")
                advancing = asyncio.create_task(engine.advance("1h"))
                sending = asyncio.create_task(handle.signal(go))
                await asyncio.gather(advancing, sending, return_exceptions=True)
                result = await handle.result()
                history = await handle.history()
                first = next(event.type for event in history if event.type in ("TimerFired", "SignalReceived"))

                assert result == {"TimerFired": "late", "SignalReceived": "in time"}[first]
                testing.replay(history, patient)

    run(main)


@pytest.mark.parametrize("page", [1, 3, 100])
def test_many_timers_fire_whatever_the_size_of_a_page(page: int) -> None:
    """Also when more are due at one moment than a page holds."""

    async def main() -> None:
        store = LastingStore()
        async with testing.engine(register=ALL, store=store, timer_page=page) as engine:
            same = await engine.start_many([(sleeping(60.0), {}) for _ in range(20)])
            apart = await engine.start_many([(sleeping(60.0 + number), {}) for number in range(20)])
            results = [await handle.result() for handle in (*same, *apart)]

            assert results == [60.0] * 20 + [60.0 + number for number in range(20)]

    run(main)


def test_a_store_that_fails_while_timers_are_due_delays_them_only() -> None:
    """They fire once it works again, once each."""

    async def main() -> None:
        faulty = FaultyStore(LastingStore(), None, "after")
        async with testing.engine(register=ALL, store=faulty, retry_first=0.0, retry_last=0.0) as engine:
            handles = [await engine.start(sleeping(60.0)) for _ in range(3)]
            faulty._fail_at = faulty.calls
            for handle in handles:
                assert await handle.result() >= 60.0
                assert types(await handle.history()).count("TimerFired") == 1

    run(main)


def test_evicted_runs_are_woken_by_their_timers() -> None:
    """With a small horizon, so that timers are read from the store all the time."""

    async def main() -> None:
        async with testing.engine(
            register=ALL, resident_idle=0.0, resident_runs_max=1, timer_horizon=0.5, timer_page=2
        ) as engine:
            handles = [await engine.start(sleeping(60.0 * minute)) for minute in range(1, 11)]
            results = [await handle.result() for handle in handles]

            assert results == [60.0 * minute for minute in range(1, 11)]
            assert scheduler_of(engine).residency.replays >= 8

    run(main)


def test_a_timer_on_a_file_survives_a_restart(tmp_path: Path) -> None:
    """Real time, a real file."""

    async def main() -> None:
        url = f"sqlite:///{tmp_path}/store.db"
        async with aion.Engine(url, register=ALL) as engine:
            handle = await engine.start(sleeping(0.15), id="s")
            await seen(handle, "TimerStarted")
        async with aion.Engine(url, register=ALL) as engine:
            assert await engine.get("s").result() >= 0.15
            started, fired = (await engine.get("s").history())[1:3]

            assert (fired.time - started.time).total_seconds() >= 0.15

    run(main)


# ── the heap and the horizon ─────────────────────────────────────────────────────────────────────


class Rows(LastingStore):
    """A store that holds only timers, and counts how often they are read."""

    def __init__(self, *rows: TimerRow) -> None:
        super().__init__()
        self._shards[0].timers = sorted(rows)
        self.reads = 0

    def timers_due(self, shard: int, after: int, until: int, limit: int) -> list[TimerRow]:
        """Count, and read."""
        self.reads += 1
        return super().timers_due(shard, after, until, limit)


def timers_of(store: Rows, clock: VirtualClock, page: int = 100) -> Timers:
    """Timers with a horizon of ten seconds."""
    return Timers(store, 0, clock, horizon=10 * SECOND, page=page)


def row(after: float, run: int = 1, seq: int = 1) -> TimerRow:
    """A timer that is due so many seconds after the start."""
    return TimerRow(START + round(after * SECOND), run, seq)


def test_only_the_near_future_is_in_memory() -> None:
    """The horizon moves when its end is reached, and each row is given once."""
    clock = VirtualClock()
    store = Rows(row(1), row(5, 2), row(25, 3), row(26, 4))
    timers = timers_of(store, clock)
    given: list[tuple[int, int]] = []
    for second in range(40):
        clock.set(START + second * SECOND)
        given += [(second, each.run) for each in timers.due(100)]

    assert given == [(1, 1), (5, 2), (25, 3), (26, 4)]
    assert store.reads <= 5


def test_waiting_ends_with_the_first_timer_or_the_horizon() -> None:
    """Never later than something may be due."""
    clock = VirtualClock()
    near, far = timers_of(Rows(row(2.5)), clock), timers_of(Rows(row(60)), clock)
    before = near.wait()
    near.due(9)
    far.due(9)

    assert before == 0.0
    assert near.wait() == 2.5
    assert 10.0 <= far.wait() <= 10.01


def test_new_timers_within_the_horizon_are_added_and_later_ones_are_left_to_the_store() -> None:
    """Each is found, once."""
    clock = VirtualClock()
    store = Rows()
    timers = timers_of(store, clock)
    timers.due(9)
    for each in (row(3, 7), row(30, 8)):
        store._shards[0].timers.append(each)
        timers.add(*each)
    clock.set(START + 3 * SECOND)
    soon = timers.due(9)
    clock.set(START + 30 * SECOND)
    later = timers.due(9)

    assert ([each.run for each in soon], [each.run for each in later]) == ([7], [8])


def test_no_more_than_asked_for_are_given_at_once() -> None:
    """The rest comes with the next call."""
    clock = VirtualClock()
    timers = timers_of(Rows(*(row(1, number) for number in range(10))), clock)
    clock.set(START + SECOND)

    assert [len(timers.due(4)) for _ in range(4)] == [4, 4, 2, 0]


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_pages_that_are_full_lose_nothing(page: int) -> None:
    """More at one moment than a page holds, and moments at the edge of a page."""
    clock = VirtualClock()
    rows = [row(after, run) for run, after in enumerate([1, 1, 1, 1, 1, 2, 3, 3, 4, 20, 20])]
    timers = timers_of(Rows(*rows), clock, page)
    clock.set(START + 25 * SECOND)
    given: list[int] = []
    for _ in range(20):
        given += [each.run for each in timers.due(100)]

    assert sorted(given) == list(range(11))


def test_forgetting_reads_everything_again() -> None:
    """After a failed commit memory may be wrong."""
    clock = VirtualClock()
    store = Rows(row(1))
    timers = timers_of(store, clock)
    clock.set(START + SECOND)
    first = timers.due(9)
    timers.forget()

    assert timers.due(9) == first


def test_the_next_due_time_is_told_from_memory_and_store() -> None:
    """For clocks that jump."""
    clock = VirtualClock()
    store = Rows(row(60))
    timers = timers_of(store, clock)
    empty = timers_of(Rows(), clock)
    timers.due(9)
    far = timers.next_due()
    timers.add(*row(2))

    assert (far, timers.next_due(), empty.next_due()) == (row(60).due, row(2).due, None)
