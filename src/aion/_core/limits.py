"""Every bound of the engine, with its reason. What is over a bound is refused before anything is recorded."""

from __future__ import annotations

from dataclasses import dataclass, fields

from aion.errors import InvalidInput


@dataclass(frozen=True)
class Limits:
    """The bounds an engine works within; counts and bytes are whole numbers of at least 1.

    Raises:
        InvalidInput: a bound makes no sense.
    """

    # One value. Well below what stores and HTTP servers take in one piece, so that a recorded value can always be
    # read, sent and shown; a larger body belongs elsewhere, with a reference to it in the value.
    payload_bytes_max: int = 2 * 1024 * 1024

    # One request, with everything in it. gRPC clients refuse more than 4 MiB unless told otherwise.
    request_bytes_max: int = 4 * 1024 * 1024

    # One run. Replaying 50,000 events takes about a second of one core: the longest anybody should wait for a run to
    # be rebuilt. A run that gets here is blocked, with the advice to continue as new.
    history_events_max: int = 50_000

    # How far `history_events_max` may be raised, for runs whose owner knows what a rebuild costs.
    history_events_ceiling: int = 1_000_000

    # One run, in bytes: a rebuild reads all of it into memory.
    history_bytes_max: int = 50 * 1024 * 1024

    # One run. Unread signals are held in memory while the run is resident, and each moves along when the run
    # continues as new.
    unread_signals_max: int = 10_000

    # One run. Each pending activity is a future, a row and a place in a queue; a wider fan-out starves other runs.
    pending_activities_max: int = 2_000

    # Ids are parts of index keys, URLs, metric labels and log lines.
    id_bytes_max: int = 255

    # Nesting of a value. Deep enough for any document written by people, and far from where a recursive reader, in any
    # language, runs out of stack.
    depth_max: int = 64

    # Decimal digits of one integer. Python refuses to convert more between text and int (a guard against quadratic
    # time), so a longer one could be written in some way but not read.
    int_digits_max: int = 4_300

    # One transaction, in bytes: the write-ahead log and a replica's network buffer take this much without a stall.
    flush_bytes_max: int = 4 * 1024 * 1024

    def __post_init__(self) -> None:
        for each in fields(self):
            bound = getattr(self, each.name)
            if type(bound) is not int or bound < 1:
                raise InvalidInput(f"Limits({each.name}={bound!r}): expected a whole number of at least 1")
        if self.history_events_max > self.history_events_ceiling:
            raise InvalidInput(
                f"Limits(history_events_max={self.history_events_max:,}): the highest that is allowed is "
                f"{self.history_events_ceiling:,}; let the run continue as new instead"
            )


DEFAULT_LIMITS = Limits()
