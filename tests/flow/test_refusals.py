"""What raises no audit event is refused by its function, with what to do instead."""

from __future__ import annotations

import _thread
import asyncio
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from aion._flow import guards, refusals
from aion.errors import ForbiddenInWorkflow
from tests.flow.toy_loop import inside

guards.install()


def start_thread() -> bool:
    """Start a thread and wait for it."""
    thread = threading.Thread(target=list)
    thread.start()
    thread.join()
    return True


def start_bare_thread() -> bool:
    """Start a thread without an object, and wait for it."""
    done = threading.Event()
    _thread.start_new_thread(done.set, ())
    return done.wait(60)


def spawn() -> bool:
    """Start a process as `spawn` does, and wait for it."""
    process = multiprocessing.get_context("spawn").Process(target=list)
    process.start()
    process.join()
    return True


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (start_thread, "starting a thread reaches outside .* asyncio.create_task"),
        (start_bare_thread, "starting a thread reaches outside .* asyncio.create_task"),
        (spawn, "starting a program reaches outside .* in an activity"),
        (lambda: isinstance(Future(), object), "giving work to an executor reaches outside"),
    ],
)
def test_threads_processes_and_executors_are_refused_in_a_workflow(call: Callable[[], bool], message: str) -> None:
    """And nowhere else."""
    with pytest.raises(ForbiddenInWorkflow, match=message):
        inside(call)
    assert call()


def test_an_executor_that_runs_already_takes_nothing_from_a_workflow() -> None:
    """No thread is started for it, so no thread is refused."""
    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(int).result() == 0
        with pytest.raises(ForbiddenInWorkflow, match="giving work to an executor"):
            inside(lambda: executor.submit(int))
        with pytest.raises(ForbiddenInWorkflow, match="giving work to an executor"):
            inside(lambda: list(executor.map(int, "123")))
        assert executor.submit(int).result() == 0


def test_what_is_not_guarded_is_let_pass() -> None:
    """The loop says whether it is."""
    assert inside(start_thread, guarded=False)


def test_a_thread_that_is_refused_is_not_left_half_started() -> None:
    """It is in no list of threads."""
    before = threading.enumerate()
    with pytest.raises(ForbiddenInWorkflow):
        inside(start_thread)

    assert threading.enumerate() == before


def test_handing_a_coroutine_to_another_loop_is_refused() -> None:
    """It would wait for the world outside."""

    async def elsewhere() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    loop = asyncio.run(elsewhere())
    coroutine = asyncio.sleep(0)
    with pytest.raises(ForbiddenInWorkflow):
        inside(lambda: asyncio.run_coroutine_threadsafe(coroutine, loop))
    coroutine.close()


def test_the_error_says_what_and_what_instead() -> None:
    """In one sentence."""
    error = refusals.refusal("open('a')", refusals.FILES)

    assert str(error) == (
        "open('a') reaches outside the workflow, where no replay could follow: "
        "do it in an activity, a function decorated with @aion.activity, and await that"
    )


def test_what_this_platform_lacks_is_passed_over() -> None:
    """Not every function is everywhere."""
    assert not refusals.guard("no_such_module", "start", "starting", refusals.PROGRAMS)
    assert not refusals.guard("threading", "no_such_function", "starting", refusals.PROGRAMS)
