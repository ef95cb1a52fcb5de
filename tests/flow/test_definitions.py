"""What users declare: activities, workflows and their calls, and everything that is refused at once."""

from __future__ import annotations

import asyncio
import inspect
import sys
import types
from typing import Any

import pytest

import aion
from aion._core.events import RetryPolicy
from aion._flow.definitions import Activity, ActivityCall, Workflow, WorkflowCall, code_hash
from aion.errors import InvalidInput, InvalidState
from tests.flow.story import Story

SECOND = 1_000_000


@aion.activity
async def charge(amount: int, currency: str = "EUR") -> str:
    """Charge somebody."""
    return f"{amount} {currency}"


@aion.activity
def ship(receipt: str) -> str:
    """Ship something."""
    return f"shipped {receipt}"


@aion.workflow
async def fulfil(amount: int) -> str:
    """Do all of it."""
    return await charge(amount)


# ── decorators ───────────────────────────────────────────────────────────────────────────────────


def test_an_activity_keeps_what_its_function_is() -> None:
    """Function, name, documentation, module, and how it is run by default."""
    assert (charge.name, charge.__name__, charge.__doc__, charge.__module__) == (
        "charge",
        "charge",
        "Charge somebody.",
        __name__,
    )
    assert (inspect.iscoroutinefunction(charge.fn), charge.is_async, ship.is_async) == (True, True, False)
    assert (charge.settings.executor, ship.settings.executor) == ("inline", "thread")
    assert (charge.settings.queue, charge.settings.timeout, charge.settings.retry) == ("default", None, None)
    assert (repr(charge), repr(fulfil)) == ("<activity charge>", "<workflow fulfil>")


def test_options_are_taken_by_the_decorator() -> None:
    """Spans become microseconds, a retry policy becomes data."""

    @aion.activity(name="pay", queue="cards", timeout="30s", retry=aion.Retry(5), executor="inline")
    def pay() -> None:
        """Never runs."""

    assert (pay.name, pay.settings.queue, pay.settings.timeout) == ("pay", "cards", 30 * SECOND)
    assert (pay.settings.retry, pay.settings.executor) == (RetryPolicy(5), "inline")


def test_options_makes_a_copy_and_leaves_the_original() -> None:
    """What is not given stays as it was."""
    other = charge.options(timeout=5, retry=aion.Retry(2), queue="slow")
    again = other.options(timeout="1m")
    threaded = ship.options(executor="inline")

    assert (other.settings.timeout, other.settings.queue, other.settings.retry) == (5 * SECOND, "slow", RetryPolicy(2))
    assert (again.settings.timeout, again.settings.queue) == (60 * SECOND, "slow")
    assert (threaded.settings.executor, ship.settings.executor) == ("inline", "thread")
    assert (charge.settings.timeout, other.fn, other.name) == (None, charge.fn, "charge")


def test_a_workflow_keeps_what_its_function_is() -> None:
    """Name, version, documentation and a hash of its code."""

    @aion.workflow(name="order", version="2")
    async def order() -> None:
        """An order."""

    assert (order.name, order.version, order.__doc__, order.__module__) == ("order", "2", "An order.", __name__)
    assert (fulfil.name, fulfil.version, len(fulfil.code)) == ("fulfil", None, 64)


@pytest.mark.parametrize("target", [3, "text", None, object(), type("Class", (), {})])
def test_only_functions_become_activities(target: Any) -> None:
    """Anything else is named in the refusal."""
    decorator: Any = aion.activity(name="x")
    with pytest.raises(InvalidInput, match=r"@aion\.activity needs a function"):
        decorator(target)


@pytest.mark.parametrize("target", [3, None, object(), type("Class", (), {}), ship.fn, lambda: None])
def test_only_async_functions_become_workflows(target: Any) -> None:
    """A plain function could not wait."""
    decorator: Any = aion.workflow(name="x")
    with pytest.raises(InvalidInput, match=r"@aion\.workflow needs an async def function"):
        decorator(target)


@pytest.mark.parametrize("decorator", [aion.activity, aion.workflow])
@pytest.mark.parametrize("name", ["", "a\x00b", "aion:x", "x" * 256, 3, "\ud800"])
def test_names_are_checked_at_once(decorator: Any, name: Any) -> None:
    """Empty, control characters, reserved, too long, no text."""
    if name == "":
        # An empty name is no name: the function's own is used.
        assert decorator(name=name)(charge.fn).name == "charge"
        return
    with pytest.raises(InvalidInput, match="name"):
        decorator(name=name)(charge.fn)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": -1},
        {"timeout": "soon"},
        {"timeout": float("nan")},
        {"retry": 3},
        {"retry": RetryPolicy()},
        {"queue": ""},
        {"queue": 3},
        {"executor": "process"},
        {"executor": "rocket"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    """By the decorator and by `.options` alike, before anything runs."""
    with pytest.raises(InvalidInput):
        aion.activity(**options)(ship.fn)
    with pytest.raises(InvalidInput):
        ship.options(**options)


def test_async_functions_run_inline_only() -> None:
    """A thread has no loop for them."""
    with pytest.raises(InvalidInput, match="runs inline"):
        aion.activity(executor="thread")(charge.fn)
    with pytest.raises(InvalidInput, match="runs inline"):
        charge.options(executor="thread")


@pytest.mark.parametrize("version", [3, b"2", "\ud800", "x" * 10_000])
def test_a_version_is_a_short_text(version: Any) -> None:
    """It is recorded with every run, so it must be something that can be."""
    with pytest.raises(InvalidInput, match="version"):
        aion.workflow(version=version)(fulfil.fn)


# ── retry ────────────────────────────────────────────────────────────────────────────────────────


def test_a_retry_policy_becomes_data() -> None:
    """Spans in microseconds, exception types by name."""
    policy = aion.Retry(5, "250ms", 1.5, "9s", 0.0, (ValueError, "CardRefused")).policy

    assert policy == RetryPolicy(5, 250_000, 1.5, 9_000_000, 0.0, ("ValueError", "CardRefused"))
    assert aion.Retry().policy == RetryPolicy()


def test_retry_policies_compare_by_value() -> None:
    """They may be keys and defaults."""
    assert aion.Retry(3) == aion.Retry(3) != aion.Retry(4)
    assert len({aion.Retry(3), aion.Retry(3)}) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"max_attempts": -1},
        {"max_attempts": 1.5},
        {"max_attempts": True},
        {"max_attempts": "3"},
        {"factor": 0.5},
        {"factor": float("nan")},
        {"factor": 1e7},
        {"factor": "2"},
        {"jitter": -0.1},
        {"jitter": 1.1},
        {"jitter": float("nan")},
        {"initial": -1},
        {"initial": "soon"},
        {"max_interval": float("inf")},
        {"non_retryable": (3,)},
        {"non_retryable": ValueError},
    ],
)
def test_a_retry_policy_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    """With the option that is wrong, as a `ValueError`."""
    with pytest.raises(ValueError, match=next(iter(options))):
        aion.Retry(**options)


@pytest.mark.parametrize("options", [{"max_attempts": 1}, {"factor": 1}, {"factor": 1e6}, {"jitter": 0}, {"jitter": 1}])
def test_the_edges_of_a_retry_policy_are_fine(options: dict[str, Any]) -> None:
    """One attempt, a constant delay, no jitter, full jitter."""
    assert aion.Retry(**options).policy is not None


# ── calls ────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_is_the_definition_and_its_arguments() -> None:
    """Typed as a coroutine, with the place that made it."""
    call = charge(7, currency="NOK")
    started = fulfil(7)
    line = sys._getframe().f_lineno - 2
    call.close()
    started.close()

    assert isinstance(call, ActivityCall)
    assert isinstance(started, WorkflowCall)
    assert (call.definition, call.args, call.kwargs) == (charge, (7,), {"currency": "NOK"})
    assert (inspect.isawaitable(call), asyncio.iscoroutine(call)) == (True, True)
    assert (call.at, repr(call)) == (
        f"flow/test_definitions.py:{line}",
        f"<call of <activity charge> at {__file__}:{line}>",
    )


def test_an_activity_awaited_outside_a_workflow_just_runs() -> None:
    """Async or plain, awaited, gathered or as a task."""

    async def main() -> list[str]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(charge(2))
        return [await charge(1), task.result(), *await asyncio.gather(charge(3), ship("x"))]

    assert asyncio.run(main()) == ["1 EUR", "2 EUR", "3 EUR", "shipped x"]


def test_a_plain_function_that_returns_an_awaitable_is_awaited() -> None:
    """As a decorated wrapper around an async function would."""

    @aion.activity
    def wrapped() -> Any:
        return charge.fn(1)

    async def main() -> Any:
        return await wrapped()

    assert asyncio.run(main()) == "1 EUR"


def test_an_activity_awaited_inside_another_is_refused() -> None:
    """It would not be recorded; the plain function is named as the way out."""

    @aion.activity
    async def outer() -> str:
        return await charge(1)

    @aion.activity
    async def plainly() -> str:
        return await charge.fn(1)

    async def main() -> list[str]:
        with pytest.raises(InvalidState, match=r"call charge\.fn\(\.\.\.\)"):
            await outer()
        return [await plainly(), await charge(2)]

    assert asyncio.run(main()) == ["1 EUR", "2 EUR"]


def test_a_call_can_be_awaited_once() -> None:
    """A second time says how to get another."""

    async def main() -> None:
        call = charge(1)
        await call
        with pytest.raises(RuntimeError, match="was used already: call the definition again"):
            await call

    asyncio.run(main())


def test_a_call_that_is_dropped_unawaited_gives_a_warning() -> None:
    """As a coroutine that was forgotten does, with the place that made it."""
    with pytest.warns(
        RuntimeWarning, match=r"<call of <activity charge> at .*test_definitions\.py:\d+> was never awaited"
    ):
        charge(1)


def test_closing_or_throwing_into_a_call_that_has_not_begun_uses_it_up() -> None:
    """Like a coroutine that never ran: no warning, nothing recorded."""
    closed, thrown, typed = charge(1), charge(2), charge(3)
    closed.close()
    with pytest.raises(ValueError, match="no"):
        thrown.throw(ValueError("no"))
    with pytest.raises(KeyError):
        typed.throw(KeyError)

    for call in (closed, thrown, typed):
        with pytest.raises(RuntimeError, match="used already"):
            call.take()


def test_a_call_can_be_driven_by_hand() -> None:
    """`send`, `throw` and `close` do what they do on a coroutine."""

    @types.coroutine
    def pause() -> Any:
        return (yield "paused")

    @aion.activity
    async def pausing() -> str:
        try:
            return f"got {await pause()}"
        except ValueError as error:
            return f"raised {error}"

    steps: list[tuple[Any, str]] = [
        (lambda call: call.send(5), "got 5"),
        (lambda call: call.throw(ValueError("no")), "raised no"),
        (lambda call: call.throw(ValueError), "raised "),
        (lambda call: call.throw(ValueError, ValueError("typed"), None), "raised typed"),
    ]
    for step, result in steps:
        call = pausing()
        first = call.send(None)
        with pytest.raises(StopIteration) as ended:
            step(call)

        assert (first, ended.value.value) == ("paused", result)
    closed = pausing()
    closed.send(None)
    closed.close()


def test_awaiting_a_workflow_says_how_to_start_it() -> None:
    """Anywhere but in an engine."""

    async def main() -> None:
        await fulfil(1)

    with pytest.raises(InvalidState, match=r"start it with engine\.start\(\.\.\.\)"):
        asyncio.run(main())


def test_a_call_without_a_beginning_of_its_own_cannot_be_awaited() -> None:
    """Only the two kinds of calls can."""
    from aion._flow.definitions import _Call

    call: Any = _Call(charge, (), {}, ("file.py", 1))
    with pytest.raises(NotImplementedError):
        call.__await__()


def test_a_task_cancelled_before_its_first_step_records_nothing() -> None:
    """The call was taken by the task, and never began."""

    @aion.workflow
    async def cancelling() -> str:
        task = asyncio.ensure_future(charge(1))
        task.cancel()
        await asyncio.wait([task])
        return "done"

    story = Story(cancelling())

    assert (story.result, story.shape()) == ("done", ["WorkflowStarted", "WorkflowCompleted"])


# ── the hash of code ─────────────────────────────────────────────────────────────────────────────


def made(source: str) -> Any:
    """A function from source that no file holds."""
    namespace: dict[str, Any] = {"__name__": "nowhere"}
    exec(compile(source, "<typed>", "exec"), namespace)
    return namespace["f"]


def test_other_code_has_another_hash() -> None:
    """Constants, names, nested functions and sets all count; the same source gives the same hash."""
    sources = [
        "async def f(): return 1",
        "async def f(): return 2",
        "async def f(): return len([])",
        "async def f(): return sum([])",
        "async def f():\n def g(): return 1\n return g()",
        "async def f():\n def g(): return 2\n return g()",
        "async def f(x=1): return x in {'a', 'b', 'c'}",
        "async def f(x=1): return x in {'a', 'b', 'd'}",
    ]
    hashes = [code_hash(made(source)) for source in sources]

    assert len(set(hashes)) == len(sources)
    assert hashes == [code_hash(made(source)) for source in sources]


def test_the_source_of_the_module_counts(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a workflow calls in its own module may change what it does; a file that is gone is told apart too."""
    module = types.ModuleType("made_up_module")
    module.__file__ = str(tmp_path / "made_up_module.py")
    monkeypatch.setitem(sys.modules, "made_up_module", module)
    function = made("async def f(): return 1")
    function.__module__ = "made_up_module"
    missing = code_hash(function)
    (tmp_path / "made_up_module.py").write_text("one")
    one = code_hash(function)
    (tmp_path / "made_up_module.py").write_text("two")

    assert len({missing, one, code_hash(function)}) == 3


def test_the_decorators_have_types_of_their_own() -> None:
    """What they return at run time is what their overloads say."""
    assert isinstance(charge, Activity)
    assert isinstance(fulfil, Workflow)
    with pytest.raises(InvalidInput, match="needs a function, not 'name'"):
        aion.activity("name")  # type: ignore[call-overload]
