"""Inputs that could not be recorded and that nobody else remembers: they are given again, with growing pauses."""

from __future__ import annotations

from aion._core.inputs import AttemptLost, TimerDue
from aion._runtime.answers import Answers
from aion._runtime.clock import Clock
from aion._runtime.resident import Delivery
from aion._runtime.settings import Settings
from aion._runtime.timers import Timers
from aion._runtime.turn import Turn
from aion.errors import AionError, InvalidState


class Again:
    """What is to be given again, and when. While something waits here, timers wait too."""

    def __init__(self, clock: Clock, settings: Settings, answers: Answers, timers: Timers) -> None:
        self._clock = clock
        self._settings = settings
        self._answers = answers
        self._timers = timers
        self._inputs: list[tuple[int, Delivery | None]] = []
        self._at: float | None = None
        self._delay = settings.retry_first

    @property
    def waiting(self) -> bool:
        return self._at is not None

    def seconds_left(self) -> float:
        """How long to wait before the next try."""
        return 0.0 if self._at is None else max(0.0, self._at - self._clock.monotonic())

    def succeeded(self) -> None:
        """The store works: the next failure begins with the shortest pause."""
        self._delay = self._settings.retry_first

    def soon(self) -> None:
        """Try at once: it was not the store that failed."""
        self._at = self._clock.monotonic()

    def later(self) -> None:
        """The store failed: pause, longer each time."""
        self._at = self._clock.monotonic() + self._delay
        self._delay = min(self._delay * 2, self._settings.retry_last)

    def keep(self, run: int, delivery: Delivery | None) -> None:
        """Give this to the run later; None only brings the run back into memory, where it finds its work."""
        self._inputs.append((run, delivery))

    def take(self) -> list[tuple[int, Delivery | None]]:
        """All that is to be given now."""
        inputs, self._inputs = self._inputs, []
        self._at = None
        return inputs

    def keep_turn(self, turn: Turn, error: AionError | None) -> None:
        """A turn left nothing in the store. With an error, callers learn of it; without, they go on waiting."""
        run = turn.run
        for delivery in (*turn.taken, *(refused for refused, _ in turn.refused), *run.queue):
            self.keep_delivery(run.run, delivery, error)
        if run.queries:
            for query in run.queries:
                self._answers.fail(query.reply, error or InvalidState("the run was reloaded meanwhile: ask again"))
            run.queries = None
        self.keep(run.run, None)

    def keep_delivery(self, run: int, delivery: Delivery, error: AionError | None) -> None:
        if delivery.reply is not None and error is not None:
            self._answers.fail(delivery.reply, error)
        elif delivery.inbox is not None or type(delivery.input) is AttemptLost:
            # Its row, or the pending activity itself, brings it back when the run is loaded.
            return
        elif type(delivery.input) is TimerDue:
            self._timers.add(delivery.input.due, run, delivery.input.seq)
        else:
            self.keep(run, delivery)
