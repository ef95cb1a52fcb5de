"""The supervisor restarts what fails, within bounds, and says so when it gives up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from aion._runtime.supervisor import RESTARTS_MAX, WITHIN_SECONDS, Supervisor
from aion.testing import VirtualClock
from aion.testing.clock import START


class AtOnce:
    """A runner that runs everything on the spot."""

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run it to its end."""
        work()

    async def call(self, blocking: Callable[..., Any], *args: Any) -> Any:
        """Call it."""
        return blocking(*args)

    def here(self) -> int:
        """There is one line of execution."""
        return 0


class Part:
    """A part that fails so many times, with time going by before each try."""

    def __init__(
        self, failures: int, pause: float = 0.0, recover: Callable[[BaseException], None] | None = None
    ) -> None:
        self.clock = VirtualClock()
        self.left = failures
        self.pause = pause
        self.tries = 0
        self.recovered: list[BaseException] = []
        self.gave_up: list[BaseException] = []
        self.supervisor = Supervisor(
            "part", self.work, recover or self.recovered.append, self.gave_up.append, self.clock, AtOnce()
        )
        self.supervisor.start()

    def work(self) -> None:
        """Fail, or return."""
        self.tries += 1
        self.clock._elapsed += self.pause
        if self.left:
            self.left -= 1
            raise ZeroDivisionError(self.tries)


def test_a_part_that_returns_is_done() -> None:
    """It is not run again."""
    part = Part(0)

    assert (part.tries, part.supervisor.restarts, part.gave_up) == (1, 0, [])


def test_a_part_that_fails_is_recovered_and_restarted(caplog: pytest.LogCaptureFixture) -> None:
    """What failed is logged, and recovery gets the reason."""
    part = Part(3)

    assert (part.tries, part.supervisor.restarts, part.gave_up) == (4, 3, [])
    assert [str(error) for error in part.recovered] == ["1", "2", "3"]
    assert [record.getMessage() for record in caplog.records] == ["part failed"] * 3


def test_too_many_failures_in_a_short_time_are_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """The last reason is told."""
    caplog.set_level(logging.CRITICAL)
    part = Part(100)

    assert (part.tries, part.supervisor.restarts) == (RESTARTS_MAX + 1, RESTARTS_MAX)
    assert [str(error) for error in part.gave_up] == [str(RESTARTS_MAX + 1)]


def test_failures_long_ago_do_not_count(caplog: pytest.LogCaptureFixture) -> None:
    """A part that fails once in a while is restarted for ever."""
    caplog.set_level(logging.CRITICAL)
    part = Part(100, WITHIN_SECONDS / RESTARTS_MAX + 1)

    assert (part.supervisor.restarts, part.gave_up) == (100, [])


def test_a_part_that_cannot_be_recovered_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """With the reason why not."""
    caplog.set_level(logging.CRITICAL)

    def fail(error: BaseException) -> None:
        raise OSError("no way")

    part = Part(1, recover=fail)

    assert [str(error) for error in part.gave_up] == ["no way"]
    assert part.supervisor.restarts == 0


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_ends_a_part_counts_as_a_failure(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing passes the supervisor by."""
    caplog.set_level(logging.CRITICAL)
    raised: list[BaseException] = []

    def work() -> None:
        if not raised:
            raised.append(error)
            raise error

    recovered: list[BaseException] = []
    Supervisor("part", work, recovered.append, raised.append, VirtualClock(START), AtOnce()).start()

    assert (raised, recovered) == ([error], [error])
