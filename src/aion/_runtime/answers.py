"""What leaves the engine thread, collected during a pass and sent to the engine's event loop in one hop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aion._runtime.commit import Batch
from aion._runtime.dispatch import ActivityTask, AttemptKey

# Kinds of messages: a plain tuple each, because there are several for every step of every workflow.
GIVE, FAIL, LAUNCH, CANCEL, REACH, PUBLISH = range(6)


class Answers:
    """Messages for the event loop. `post` carries a list of them there, in order."""

    def __init__(self, post: Callable[[Sequence[Any]], None]) -> None:
        self._post = post
        self._messages: list[tuple[int, Any, Any]] = []
        self.sinks: list[Any] = []

    def give(self, reply: Any, value: Any) -> None:
        if type(reply) is Place:
            reply.gathered.put(self, reply.index, value)
        elif type(reply) is Shared:
            for each in reply.settle():
                self.give(each, value)
        elif reply is not None:
            self._messages.append((GIVE, reply, value))

    def fail(self, reply: Any, error: BaseException) -> None:
        if type(reply) is Place:
            reply.gathered.fail(self, error)
        elif type(reply) is Shared:
            for each in reply.settle():
                self.fail(each, error)
        elif reply is not None:
            self._messages.append((FAIL, reply, error))

    def launch(self, task: ActivityTask) -> None:
        self._messages.append((LAUNCH, task, None))

    def cancel(self, key: AttemptKey) -> None:
        self._messages.append((CANCEL, key, None))

    def reach(self, name: str, writes: Any) -> None:
        """A failpoint of the event loop: reached once all that was given before has been taken up there."""
        self._messages.append((REACH, name, writes))

    def publish(self, batch: Batch, refused: dict[int, Any]) -> None:
        """Hand committed events to those who watch, each run's with the run they belong to."""
        by_run: dict[int, list[Any]] = {}
        for row in batch.rows:
            if row.run not in refused:
                by_run.setdefault(row.run, []).append(row)
        committed = [(turn.run, by_run[turn.run.run]) for turn in batch.turns if turn.run.run in by_run]
        described = [
            ((run.namespace, run.workflow_id, run.run_id, run.type, run.state.status), rows) for run, rows in committed
        ]
        for sink in self.sinks:
            self._messages.append((PUBLISH, sink, described))

    def send(self) -> None:
        """Send what was collected, if anything."""
        if self._messages:
            messages, self._messages = self._messages, []
            self._post(messages)


class Gathered:
    """Collects the answers of several requests into one."""

    def __init__(self, reply: Any, count: int) -> None:
        self._reply = reply
        self._results: list[Any] = [None] * count
        self._places = 0
        self._left = count
        self._failed = False

    def place(self) -> Place:
        """Where the next request's answer goes."""
        place = Place(self, self._places)
        self._places += 1
        return place

    def put(self, answers: Answers, index: int, value: Any) -> None:
        self._results[index] = value
        self._left -= 1
        if self._left == 0 and not self._failed:
            answers.give(self._reply, self._results)

    def fail(self, answers: Answers, error: BaseException) -> None:
        """The first failure is the answer of all."""
        if not self._failed:
            self._failed = True
            answers.fail(self._reply, error)


class Place:
    """One request's place in a `Gathered`; it stands where a reply would."""

    __slots__ = ("gathered", "index")

    def __init__(self, gathered: Gathered, index: int) -> None:
        self.gathered = gathered
        self.index = index


class Asked:
    """Requests with an id that are under way: one that is made again meanwhile is not carried out twice."""

    def __init__(self) -> None:
        self.under_way: dict[tuple[str, str, str], Shared] = {}

    def join(self, request: Any, kind: str) -> bool:
        """Whether the same request is under way; then this one gets its answer too. If not, it is from now on."""
        key = (request.namespace, request.workflow_id, f"{kind}:{request.request_id}")
        shared = self.under_way.get(key)
        if shared is None:
            request.reply = self.under_way[key] = Shared(self, key, request.reply)
            return False
        if shared is request.reply:
            # It is this very request, which had to wait for something.
            return False
        shared.replies.append(request.reply)
        return True


class Shared:
    """Stands where a reply would: the answer goes to everybody who made the request."""

    __slots__ = ("asked", "key", "replies")

    def __init__(self, asked: Asked, key: tuple[str, str, str], reply: Any) -> None:
        self.asked = asked
        self.key = key
        self.replies = [reply]

    def settle(self) -> list[Any]:
        """The replies to be answered now; the request is no longer under way."""
        self.asked.under_way.pop(self.key, None)
        return self.replies
