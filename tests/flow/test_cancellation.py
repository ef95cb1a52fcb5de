"""A cancel request that is taken back does not strike, on any Python, and costs the same steps on all."""

from __future__ import annotations

import asyncio

import pytest

from aion._flow.cancellation import cancel_again, take_back
from tests.flow.toy_loop import ToyLoop, me, run


def test_an_unfelt_request_that_is_taken_back_never_strikes() -> None:
    """Up to Python 3.12, `uncancel` alone leaves it pending."""

    async def main() -> tuple[bool, int]:
        me().cancel()
        alone = await take_back(me(), 0)
        await asyncio.sleep(1)
        return alone, me().cancelling()

    assert run(main()) == (True, 0)


def test_taking_back_an_unfelt_request_takes_one_step_on_every_python() -> None:
    """The number of steps decides the order of everything after, so it is the same everywhere."""

    async def main() -> None:
        me().cancel()
        await take_back(me(), 0)

    loop = ToyLoop(guarded=False)
    loop.run(main())

    assert loop.steps == 2


def test_a_request_of_somebody_else_is_left_to_strike() -> None:
    """Two requests, one of them ours: the task is cancelled all the same."""

    async def main() -> bool:
        me().cancel()
        me().cancel()
        alone = await take_back(me(), 0)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(1)
        return alone

    assert run(main()) is False


def test_a_request_that_comes_while_ours_is_taken_back_strikes_with_its_reason() -> None:
    """It arrives in the one step that this takes, and is not mistaken for ours."""

    async def main() -> tuple[object, int]:
        me().cancel()
        asyncio.get_running_loop().call_soon(me().cancel, "theirs")
        assert await take_back(me(), 0)
        with pytest.raises(asyncio.CancelledError) as caught:
            await asyncio.sleep(1)
        return caught.value.args, me().cancelling()

    # On 3.12 and before, the two requests are felt as one, whose reason is gone.
    assert run(main()) in ((("theirs",), 1), ((), 1))


def test_in_cleanup_after_a_cancellation_only_ours_is_taken_back() -> None:
    """A task that is being cancelled may use deadlines and groups in its clean-up."""

    async def main() -> tuple[bool, int]:
        me().cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(1)
        me().cancel()
        alone = await take_back(me(), 1)
        await asyncio.sleep(1)
        return alone, me().cancelling()

    assert run(main()) == (True, 1)


def test_cancelling_again_keeps_the_count() -> None:
    """The request strikes twice, and is one request."""

    async def main() -> int:
        me().cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(1)
        cancel_again(me(), None)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(1)
        return me().cancelling()

    assert run(main()) == 1
