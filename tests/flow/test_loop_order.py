"""The real loop takes one order for ever: in fifty runs, at every cut of a replay, on every supported Python."""

from __future__ import annotations

import random
from pathlib import Path

import aion
from tests.flow import order_program, structured_program
from tests.flow.order_program import TRACE, everything
from tests.flow.story import SECOND, START, Story, replay_everywhere, told

GOLDEN = Path(__file__).with_name("golden_loop_order.txt")


def whole_story() -> Story:
    """The workflow that uses everything, from its start to its end."""
    TRACE.clear()
    story = Story(everything())
    signals = 0
    while story.outcome is None:
        if story.go() is None:
            signals += 1
            assert signals <= 2, f"the workflow waits for something else than signals: {TRACE[-1]}"
            story.signal("ping", signals)
    return story


def lines_of(story: Story) -> list[str]:
    """What the code did, then what was recorded, and when."""
    events = (f"{(entry.time - START) / SECOND:g} {told(entry.event)}" for entry in story.history)
    return [*TRACE, "── history", *events]


def test_every_primitive_takes_the_recorded_order() -> None:
    """The golden file was written once; histories of today replay on every later release and on every Python."""
    story = whole_story()
    lines = lines_of(story)
    story.close()

    assert lines == GOLDEN.read_text(encoding="utf-8").splitlines()


def test_fifty_runs_take_one_order() -> None:
    """Where in memory tasks and futures happen to lie, and what else was allocated, changes nothing."""
    source = random.Random(7)
    ballast: list[object] = []
    first: list[str] | None = None
    for _ in range(50):
        ballast.append([object() for _ in range(source.randrange(500))])
        story = whole_story()
        lines = lines_of(story)
        story.close()
        first = first or lines

        assert lines == first


def test_a_run_that_is_rebuilt_at_any_input_goes_on_as_if_it_had_never_stopped() -> None:
    """Every prefix of the history is replayed, and the rest is then the same, down to the bytes of each event."""
    story = whole_story()
    cuts = replay_everywhere(story)
    story.close()

    assert cuts > 50


@aion.workflow
async def structured(seed: int) -> int:
    """A random program of nested primitives, which was written for a smaller loop."""
    program = structured_program.draw(random.Random(seed), 4)
    loop = order_program.asyncio.get_running_loop()
    trace = structured_program.Trace(loop)  # type: ignore[arg-type]
    await trace.whole(program)
    TRACE[:] = trace.lines
    return len(trace.lines)


def test_the_real_loop_takes_the_same_order_as_the_small_one() -> None:
    """Two hundred random programs leave the same trace on the loop of a run as on the one that tests primitives."""
    for seed in range(200):
        story = Story(structured(seed))
        outcome = story.go()
        story.close()

        assert outcome is not None
        assert structured_program.trace_of(seed)[:-1] == TRACE, f"program {seed}"


def test_random_programs_replay_at_every_cut() -> None:
    """What holds for the order holds for the commands: no program gets stuck on its own history."""
    for seed in range(30):
        story = Story(structured(seed))
        story.go()
        replay_everywhere(story)
        story.close()
