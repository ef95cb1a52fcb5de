"""Every public error, in one tree, branched by what the caller should do next.

    AionError
    ├── RequestError          the caller asked for something impossible: change the call
    │   ├── InvalidInput (also ValueError)
    │   │   └── PayloadTooLarge
    │   ├── InvalidFilter
    │   ├── InvalidState
    │   ├── NotFound
    │   ├── NotRegistered
    │   ├── UnknownQuery · QueryFailed
    │   ├── UpdateRejected · UnknownUpdate · UpdateFailed
    │   ├── LimitExceeded
    │   ├── NamespaceDenied · Unauthenticated
    │   ├── VersionPinned
    │   └── ForbiddenInWorkflow
    ├── ConflictError         somebody was first: look again, then decide
    │   ├── AlreadyExists
    │   └── StaleAttempt
    ├── UnavailableError      the world failed: try again later
    │   ├── Unavailable · ShuttingDown · QueryTimeout
    │   └── StoreError
    │       ├── StoreCorrupt
    │       └── StoreLocked
    ├── NonDeterminism        the code no longer fits the recorded history: load code that fits
    ├── OutcomeError          a run ended without a result
    │   └── WorkflowFailed · WorkflowCancelled · WorkflowTerminated · WorkflowTimedOut
    ├── StepError             raised inside workflows by what they awaited
    │   └── ActivityFailed · ActivityCancelled · ChildFailed · SupervisorFailed · CompensationFailed
    └── ApplicationError      raised by users
        └── Terminal

`code` is public and stable: a code is never reused and never renamed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "ActivityCancelled",
    "ActivityFailed",
    "AionError",
    "AlreadyExists",
    "ApplicationError",
    "ChildFailed",
    "CompensationFailed",
    "ConflictError",
    "ErrorDetail",
    "ForbiddenInWorkflow",
    "InvalidFilter",
    "InvalidInput",
    "InvalidState",
    "LimitExceeded",
    "NamespaceDenied",
    "NonDeterminism",
    "NotFound",
    "NotRegistered",
    "OutcomeError",
    "PayloadTooLarge",
    "QueryFailed",
    "QueryTimeout",
    "RequestError",
    "ShuttingDown",
    "StaleAttempt",
    "StepError",
    "StoreCorrupt",
    "StoreError",
    "StoreLocked",
    "SupervisorFailed",
    "Terminal",
    "Unauthenticated",
    "Unavailable",
    "UnavailableError",
    "UnknownQuery",
    "UnknownUpdate",
    "UpdateFailed",
    "UpdateRejected",
    "VersionPinned",
    "WorkflowCancelled",
    "WorkflowFailed",
    "WorkflowTerminated",
    "WorkflowTimedOut",
]


class AionError(Exception):
    """The base of everything Aion raises on purpose."""

    code = "aion_error"


class RequestError(AionError):
    """The call cannot succeed as it is; repeating it changes nothing."""

    code = "request_error"


class ConflictError(AionError):
    """Somebody else was first; look at the present state before deciding."""

    code = "conflict"


class UnavailableError(AionError):
    """Something outside failed; the same call may succeed later."""

    code = "unavailable_error"


class InvalidInput(RequestError, ValueError):
    """A value cannot be encoded, decoded or accepted; nothing was recorded."""

    code = "invalid_input"


class PayloadTooLarge(InvalidInput):
    """An encoded value is larger than the limit; nothing was recorded."""

    code = "payload_too_large"

    def __init__(self, what: str, size: int, limit: int) -> None:
        self.what = what
        self.size = size
        self.limit = limit
        super().__init__(
            f"{what} is {size:,} bytes when encoded, the limit is {limit:,}: "
            "store the body elsewhere and pass a reference"
        )


class InvalidFilter(RequestError):
    """A filter expression cannot be read; `position` is the 0-based character where it went wrong."""

    code = "invalid_filter"

    def __init__(self, message: str, position: int) -> None:
        self.position = position
        super().__init__(f"{message} (at character {position})")


class InvalidState(RequestError):
    """The run, call or engine is in a state that does not allow this; the message names it."""

    code = "invalid_state"


class NotFound(RequestError):
    """There is no such workflow, run or file."""

    code = "not_found"


class NotRegistered(RequestError):
    """A workflow or activity was named that this engine does not know."""

    code = "not_registered"


class UnknownQuery(RequestError):
    """The workflow answers no query of this name."""

    code = "unknown_query"


class QueryFailed(RequestError):
    """The handler raised, or tried to record something; the workflow is unaffected."""

    code = "query_failed"


class UpdateRejected(RequestError):
    """A validator refused the update; nothing was recorded."""

    code = "update_rejected"


class UnknownUpdate(RequestError):
    """The workflow handles no update of this name; nothing was recorded."""

    code = "unknown_update"


class UpdateFailed(RequestError):
    """The update was accepted, then its handler raised."""

    code = "update_failed"


class LimitExceeded(RequestError):
    """A bound of the engine was reached; nothing was recorded."""

    code = "limit_exceeded"


class NamespaceDenied(RequestError):
    """The caller may not use this namespace."""

    code = "namespace_denied"


class Unauthenticated(RequestError):
    """The caller did not say, or could not prove, who it is."""

    code = "unauthenticated"


class VersionPinned(RequestError):
    """Runs still need this version of the code."""

    code = "version_pinned"


class ForbiddenInWorkflow(RequestError):
    """Workflow code reached outside; the message names what to use instead."""

    code = "forbidden_in_workflow"


class AlreadyExists(ConflictError):
    """A workflow of this id is running, or ran before, and the conflict policy refuses another."""

    code = "already_exists"

    def __init__(self, workflow_id: str, status: str, run_id: str = "") -> None:
        self.workflow_id = workflow_id
        self.status = status
        self.run_id = run_id
        super().__init__(
            f"workflow {workflow_id!r} already exists ({status}): choose another id, or start it with "
            "on_conflict='attach' to get that run, 'terminate' to replace a running one, "
            "or 'restart' to run again after it closed"
        )


class StaleAttempt(ConflictError):
    """The result belongs to an attempt that is no longer the current one; it was not recorded."""

    code = "stale_attempt"


class Unavailable(UnavailableError):
    """The engine cannot answer now; whether the call took effect may be unknown."""

    code = "unavailable"


class ShuttingDown(UnavailableError):
    """The engine is closing and takes no new work."""

    code = "shutting_down"


class QueryTimeout(UnavailableError):
    """The workflow did not answer the query in time; the workflow is unaffected."""

    code = "query_timeout"


class StoreError(UnavailableError):
    """The store failed; the message says what failed and what to do."""

    code = "store_error"


class StoreCorrupt(StoreError):
    """Stored data does not fit its checksum, its layout or this program."""

    code = "store_corrupt"


class StoreLocked(StoreError):
    """Another process has the store open for writing; `pid` says which, if it is known."""

    code = "store_locked"

    def __init__(self, message: str, pid: int | None = None) -> None:
        self.pid = pid
        super().__init__(message)


class NonDeterminism(AionError):
    """The code did something else than its history records.

    `recorded` and `attempted` describe the first two commands that differ, each with file and line;
    `seq` is the position in history.
    """

    code = "non_determinism"

    def __init__(self, recorded: str, attempted: str, seq: int) -> None:
        self.recorded = recorded
        self.attempted = attempted
        self.seq = seq
        super().__init__(
            f"history and code differ at event {seq}: recorded {recorded}; the code now does {attempted}. "
            "Load the code this run was started with, or guard the change with aion.patched(...)"
        )


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """What history keeps of an exception. `type` is the bare class name."""

    type: str
    message: str
    details: Any = None
    traceback: str = ""
    cause: ErrorDetail | None = None
    bases: tuple[str, ...] = field(default=(), repr=False)


class OutcomeError(AionError):
    """The run ended without a result."""

    code = "no_result"


class WorkflowFailed(OutcomeError):
    """The workflow raised; `error` says what."""

    code = "workflow_failed"

    def __init__(self, workflow_id: str, error: ErrorDetail) -> None:
        self.workflow_id = workflow_id
        self.error = error
        super().__init__(f"workflow {workflow_id!r} failed: {error.type}: {error.message}")


class _Ended(OutcomeError):
    """What the endings that carry a reason have in common."""

    verb = "ended"

    def __init__(self, workflow_id: str, reason: str = "") -> None:
        self.workflow_id = workflow_id
        self.reason = reason
        super().__init__(f"workflow {workflow_id!r} was {self.verb}" + (f": {reason}" if reason else ""))


class WorkflowCancelled(_Ended):
    """The run was cancelled and has ended; `reason` is what the canceller gave."""

    code = "workflow_cancelled"
    verb = "cancelled"


class WorkflowTerminated(_Ended):
    """The run was terminated; `reason` is what the terminator gave."""

    code = "workflow_terminated"
    verb = "terminated"


class WorkflowTimedOut(_Ended):
    """The run, or its chain of runs, was out of time."""

    code = "workflow_timed_out"
    verb = "timed out"


class StepError(AionError):
    """Something a workflow awaited did not succeed."""

    code = "step_failed"


class ActivityFailed(StepError):
    """An activity used up its attempts.

    `kind` is `"error"` (it raised), `"timeout"`, `"heartbeat"` or `"lost"` (its worker died and the
    policy allows no other attempt). `type`, `message` and `details` are those of the last exception.
    """

    code = "activity_failed"

    def __init__(
        self,
        activity: str,
        error: ErrorDetail,
        *,
        kind: str = "error",
        attempt: int = 1,
    ) -> None:
        self.activity = activity
        self.error = error
        self.type = error.type
        self.message = error.message
        self.details = error.details
        self.kind = kind
        self.attempt = attempt
        super().__init__(f"activity {activity!r} failed ({kind}, attempt {attempt}): {error.type}: {error.message}")

    def is_a(self, exception: type[BaseException]) -> bool:
        """Whether the remote exception was of this type, or of a subclass of it."""
        name = exception.__name__
        return self.type == name or name in self.error.bases


class ActivityCancelled(StepError):
    """Raised by `aion.heartbeat()` in a synchronous activity that was cancelled."""

    code = "activity_cancelled"


class ChildFailed(StepError):
    """A child workflow ended without a result; `kind` says how."""

    code = "child_failed"

    def __init__(self, workflow_id: str, error: ErrorDetail, *, kind: str = "failed") -> None:
        self.workflow_id = workflow_id
        self.error = error
        self.kind = kind
        super().__init__(f"child {workflow_id!r} {kind}: {error.type}: {error.message}")


class SupervisorFailed(StepError):
    """Children failed more often than the supervisor's intensity allows."""

    code = "supervisor_failed"


class CompensationFailed(StepError):
    """An undo of a saga failed."""

    code = "compensation_failed"


class ApplicationError(AionError):
    """Raised by workflow or activity code to fail on purpose, with a type and details that are recorded.

    `type` is what history and `ActivityFailed.type` show, by default the class name; `details` is any
    JSON value.
    """

    code = "application_error"

    def __init__(self, message: str = "", type: str | None = None, details: Any = None) -> None:
        self.message = message
        self.type = type or self.__class__.__name__
        self.details = details
        super().__init__(message)


class Terminal(ApplicationError):
    """Raised by an activity to say that trying again is pointless: it is never retried."""

    code = "terminal"

    def __init__(self, message: str = "", details: Any = None) -> None:
        super().__init__(message, None, details)
