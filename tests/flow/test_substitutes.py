"""Clocks, randomness and UUIDs: the run's own in a workflow, the standard ones elsewhere, and much like those."""

from __future__ import annotations

import asyncio
import copy
import inspect
import multiprocessing.reduction
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from aion._flow import guards
from aion._flow.substitutes import Substitute, adopt, original
from aion.errors import ForbiddenInWorkflow
from tests.flow.toy_loop import ToyLoop

guards.install()

CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
DRAWS: dict[str, Callable[[], Any]] = {
    "random": lambda: random.random(),
    "randint": lambda: random.randint(1, 10**9),
    "randrange": lambda: random.randrange(0, 10**9, 7),
    "choice": lambda: random.choice(range(10**9)),
    "choices": lambda: random.choices(range(10**9), k=3),
    "shuffle": lambda: shuffled(),
    "sample": lambda: random.sample(range(10**9), 3),
    "uniform": lambda: random.uniform(1, 2),
    "gauss": lambda: random.gauss(0, 1),
    "getrandbits": lambda: random.getrandbits(64),
    "randbytes": lambda: random.randbytes(8),
    "getstate": lambda: random.getstate()[1][:3],
    "uuid4": lambda: uuid.uuid4(),
    "uuid1": lambda: uuid.uuid1(),
}


def shuffled() -> list[int]:
    """A list in random order."""
    cards = list(range(52))
    random.shuffle(cards)
    return cards


def inside(function: Callable[[], Any], *, seed: int = 0, after: float = 0) -> Any:
    """What a function gives in a workflow, some time after its start."""

    async def main() -> Any:
        await asyncio.sleep(after)
        return function()

    return ToyLoop(seed=seed).run(main())


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────


def test_the_time_in_a_workflow_is_that_of_its_history() -> None:
    """In seconds and nanoseconds, which agree."""
    assert inside(lambda: (time.time(), time.time_ns()), after=2.5) == (1_700_000_002.5, 1_700_000_002_500_000_000)


@pytest.mark.parametrize("name", CLOCKS[1:])
def test_the_other_clocks_in_a_workflow_count_from_its_start(name: str) -> None:
    """Whatever they measure elsewhere."""
    read, read_ns = getattr(time, name), getattr(time, f"{name}_ns")

    assert inside(lambda: (read(), read_ns()), after=2.5) == (2.5, 2_500_000_000)


@pytest.mark.parametrize("name", CLOCKS)
def test_clocks_outside_workflows_are_the_standard_ones(name: str) -> None:
    """The originals are called; their times lie between two of theirs."""
    clock, clock_ns = getattr(time, name), getattr(time, f"{name}_ns")
    before = clock.plain()

    assert before <= clock() <= clock.plain()
    assert clock_ns.plain() <= clock_ns() <= clock_ns.plain()


def test_calendar_functions_without_a_time_use_that_of_the_workflow() -> None:
    """With a time they do what they always do."""
    now = 1_700_000_000.0

    def read() -> list[Any]:
        return [time.gmtime(), time.localtime(None), time.ctime(), time.asctime(), time.strftime("%c")]

    local = time.localtime(now)
    expected = [time.gmtime(now), local, time.ctime(now), time.asctime(local), time.strftime("%c", local)]

    assert inside(read) == expected
    assert inside(lambda: time.strftime("%Y", time.gmtime(0))) == "1970"
    assert time.gmtime().tm_year > 2023


def test_sleeping_in_a_workflow_is_refused() -> None:
    """The error names what to write."""
    time.sleep(0)
    with pytest.raises(ForbiddenInWorkflow, match=r"await asyncio\.sleep\(seconds\)"):
        inside(lambda: time.sleep(1))


# ── randomness ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", DRAWS)
def test_randomness_in_a_workflow_is_seeded_from_the_run(name: str) -> None:
    """The same on every replay, another in another run."""
    draw = DRAWS[name]

    assert inside(draw, seed=1) == inside(draw, seed=1)
    assert inside(draw, seed=1) != inside(draw, seed=2)


@pytest.mark.parametrize("name", [name for name in DRAWS if not name.startswith("uuid")])
def test_randomness_outside_workflows_follows_the_global_seed(name: str) -> None:
    """As always; and a workflow that draws in between changes nothing."""
    state = random.getstate()
    try:
        random.seed(7)
        expected = DRAWS[name]()
        random.seed(7)
        inside(DRAWS[name])

        assert DRAWS[name]() == expected
    finally:
        random.setstate(state)


def test_randomness_is_the_same_on_every_python() -> None:
    """Numbers drawn by one version are in the histories that another replays."""
    drawn = inside(
        lambda: [random.randint(1, 1000), *random.sample(range(1000), 3), random.choices("abc", k=3)], seed=5
    )

    assert drawn == [638, 261, 759, 367, ["c", "c", "c"]]


def test_every_function_of_the_global_generator_is_replaced() -> None:
    """Also those that a newer Python added."""
    hidden = vars(random)["_inst"]
    left = [name for name, value in vars(random).items() if getattr(value, "__self__", None) is hidden]

    assert left == []
    assert len([name for name in random.__all__ if isinstance(getattr(random, name), Substitute)]) >= 20


@pytest.mark.parametrize("call", [lambda: random.seed(1), lambda: random.setstate(random.getstate())])
def test_seeding_the_generator_of_a_run_is_refused(call: Callable[[], None]) -> None:
    """The UUIDs of two runs would be equal."""
    with pytest.raises(ForbiddenInWorkflow, match=r"random\.Random\(seed\)"):
        inside(call)


def test_uuids_in_a_workflow_are_valid() -> None:
    """Of their version; the time in a version 1 UUID is that of the workflow."""
    first, second = inside(lambda: (uuid.uuid4(), uuid.uuid1()), after=1)
    expected_ticks = 1_700_000_001 * 10**7 + 0x01B21DD213814000

    assert (first.version, first.variant) == (4, uuid.RFC_4122)
    assert (second.version, second.variant, second.time) == (1, uuid.RFC_4122, expected_ticks)
    assert second.node >> 40 & 1 == 1
    assert inside(lambda: len({uuid.uuid1() for _ in range(100)})) == 100
    given = inside(lambda: uuid.uuid1(node=5, clock_seq=7))
    assert (given.node, given.clock_seq) == (5, 7)


def test_uuids_outside_workflows_are_the_standard_ones() -> None:
    """With their signatures; whoever imported them before has them too."""
    assert uuid.uuid4() != uuid.uuid4()
    assert uuid.uuid1(node=5).node == 5
    assert str(inspect.signature(uuid.uuid1)) == "(node=None, clock_seq=None)"


# ── as builtins ──────────────────────────────────────────────────────────────────────────────────


def test_a_substitute_is_not_bound_as_an_attribute_of_a_class() -> None:
    """A builtin is not, and classes rely on it."""

    class Clock:
        """Has a clock and a die."""

        now = time.time
        roll = random.randint

    assert Clock().now() > 0
    assert Clock().roll(3, 3) == 3


def test_a_substitute_has_the_names_of_the_original() -> None:
    """Tools and people find it."""
    seen = [(f.__module__, f.__name__, f.__qualname__) for f in (time.time, random.randint, random.random)]

    assert seen == [
        ("time", "time", "time"),
        ("random", "randint", "randint"),
        ("random", "random", "random"),
    ]
    assert time.time.__doc__ == time.time.plain.__doc__  # type: ignore[attr-defined]
    assert str(inspect.signature(random.randint)) == "(a, b)"
    assert repr(time.time) == "<time.time, deterministic in workflows>"


def test_a_substitute_is_copied_and_sent_to_processes_by_name() -> None:
    """`pool.submit(time.sleep, 1)` is in every tutorial."""
    sent = multiprocessing.reduction.ForkingPickler.dumps([time.sleep, random.randint])

    assert multiprocessing.reduction.ForkingPickler.loads(sent) == [time.sleep, random.randint]
    assert copy.deepcopy(time.time) is time.time


# ── names that were imported before ──────────────────────────────────────────────────────────────


def test_adopt_exchanges_what_a_module_imported_before() -> None:
    """And nothing else."""
    early = time.time.plain  # type: ignore[attr-defined]
    namespace: dict[str, Any] = {"now": early, "roll": random.randint.plain, "print": print, "n": 3}  # type: ignore[attr-defined]

    assert adopt(namespace) == ["now", "roll"]
    assert namespace == {"now": time.time, "roll": random.randint, "print": print, "n": 3}
    assert adopt(namespace) == []


def test_names_imported_before_the_package_work() -> None:
    """Python functions at once, builtins when their module is adopted."""
    program = (
        "from asyncio import TaskGroup, gather, timeout, wait_for\n"
        "from time import time\n"
        "from uuid import uuid4\n"
        "from aion._flow import guards\n"
        "from tests.flow.toy_loop import ToyLoop\n"
        "guards.install()\n"
        "guards.adopt(globals())\n"
        "async def main():\n"
        "    import asyncio\n"
        "    async with timeout(5), TaskGroup() as group:\n"
        "        group.create_task(asyncio.sleep(1))\n"
        "    return type(gather()).__name__, str(await wait_for(asyncio.sleep(1, uuid4()), 5)), time()\n"
        "print(ToyLoop().run(main()) == ToyLoop().run(main()), ToyLoop().run(main())[2])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("True 1700000002.0\n", "")


def test_the_engine_has_the_real_clock_also_while_a_workflow_runs() -> None:
    """A watchdog measures real time."""
    clock = original(time.time)

    assert inside(clock) - time.time() < 1e6
    assert inside(clock) != inside(time.time)
    assert original(print) is print
