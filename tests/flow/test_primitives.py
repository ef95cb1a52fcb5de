"""Programs of nested primitives do the same on every replay, and on every Python: the golden file says what."""

from __future__ import annotations

from pathlib import Path

from tests.flow.structured_program import IN_FULL, golden, trace_of

GOLDEN = Path(__file__).with_name("golden_order.txt")


def test_a_structured_program_takes_one_order_in_fifty_runs() -> None:
    """Where in memory the tasks happen to lie changes nothing."""
    expected = trace_of(IN_FULL[0])
    ballast: list[object] = []
    for number in range(50):
        # Other sizes each time, so that the allocator gives the next run other addresses.
        ballast.append([object() for _ in range(number * 7 % 97)])

        assert trace_of(IN_FULL[0]) == expected


def test_the_order_is_the_recorded_one_on_every_python() -> None:
    """Histories that one version wrote replay on all: a difference here breaks runs in flight, whatever its merit."""
    assert golden().splitlines() == GOLDEN.read_text(encoding="utf-8").splitlines()
