"""Failpoints that end the process: the n-th time a named place is reached, with SIGKILL.

Rules come from the environment, `AION_FAILPOINTS="commit.mid_tx[SignalReceived]=kill@3,any=kill@57"`: at the
third commit that carries a signal, or at the 57th place of any name, whichever comes first. Before the kill
the place is written to the file `AION_FAILPOINTS_MARK` and synced, so that a test can prove that it was hit.

Only an engine that is given this port has failpoints: the variables alone do nothing.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Collection, Mapping

from aion.testing.crash.journal import Journal

ANY = "any"


class ArmedFailpoints:
    """Counts every place that is reached, and kills this process at those that the rules name."""

    def __init__(self, rules: str = "", mark: str | None = None) -> None:
        self._rules = parse_rules(rules)
        self._mark = Journal(mark) if mark is not None else None
        self._lock = threading.Lock()
        self._carried: Collection[str] = ()
        self.reached: Counter[str] = Counter()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> ArmedFailpoints:
        """What `AION_FAILPOINTS` and `AION_FAILPOINTS_MARK` say; without them it only counts.

        Raises:
            ValueError: a rule cannot be read.
        """
        return cls(environ.get("AION_FAILPOINTS", ""), environ.get("AION_FAILPOINTS_MARK"))

    def reach(self, name: str, writes: Collection[str] = ()) -> None:
        """Count a place, once for each of its writes too; if a rule says so, this call does not return."""
        with self._lock:
            if name.startswith("commit."):
                writes = writes or self._carried
            for full in (ANY, name, *(f"{name}[{write}]" for write in writes)):
                self.reached[full] += 1
                if self._rules.get(full) == self.reached[full]:
                    self._kill(full, name)

    def carry(self, writes: Collection[str]) -> None:
        """The store's next commit carries these writes."""
        self._carried = writes

    def _kill(self, full: str, name: str) -> None:
        if self._mark is not None:
            self._mark.append({"failpoint": full, "place": name, "count": self.reached[full], "pid": os.getpid()})
        os.kill(os.getpid(), signal.SIGKILL)


def parse_rules(text: str) -> dict[str, int]:
    """Failpoint names, each with the time of reaching it at which the process is killed.

    Raises:
        ValueError: this is not `name=kill` or `name=kill@n`, several with commas.
    """
    rules: dict[str, int] = {}
    for rule in filter(None, (part.strip() for part in text.split(","))):
        name, _, action = rule.rpartition("=")
        verb, _, count = action.partition("@")
        if not name or verb != "kill" or (count and not count.isdigit()) or count == "0":
            raise ValueError(f"failpoint rule {rule!r}: expected name=kill or name=kill@n with n from 1 up")
        rules[name] = int(count or 1)
    return rules
