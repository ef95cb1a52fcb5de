"""Whether workflow code is executing in this thread: what every guard and every substitute asks first.

The loop of a run is known by its class, which says `is_aion_workflow = True`. Asking must cost next to nothing, because
`time.time()` asks in every program that imports the package.
"""

from __future__ import annotations

import random
from asyncio import events
from collections.abc import Callable
from typing import Any, Protocol

get_running_loop: Callable[[], Any] = events._get_running_loop


class RunLoop(Protocol):
    """What guards and substitutes need of the loop of a run."""

    guarded: bool
    """Whether what reaches outside is to be refused now."""

    def time(self) -> float:
        """Seconds since the run started."""

    def workflow_time(self) -> float:
        """Seconds since the epoch, of the event that the code reacts to."""

    def workflow_random(self) -> random.Random:
        """The run's own generator."""


class _Kinds(dict[type, bool]):
    """Loop class → whether it is a workflow's; each class is looked at once, as a failing `getattr` is slow."""

    def __missing__(self, kind: type) -> bool:
        answer = self[kind] = bool(getattr(kind, "is_aion_workflow", False))
        return answer


IS_WORKFLOW: dict[type, bool] = _Kinds()
"""A memory of a property of classes, no state: whoever asks gets the same answer at any time."""


def workflow_loop() -> RunLoop | None:
    """The loop of the run whose code is executing in this thread; None outside workflows."""
    loop = get_running_loop()
    if loop is None or not IS_WORKFLOW[type(loop)]:
        return None
    found: RunLoop = loop
    return found
