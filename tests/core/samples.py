"""One event of every type, with every field set and with none but those that must be; shared by the core's tests."""

from __future__ import annotations

from msgspec import Raw

from aion._core import events as ev

ERROR = ev.ErrorInfo(
    "CardRefused",
    "the card was refused",
    Raw(b'{"code":51}'),
    "  shop/pay.py:7 in charge: raise CardRefused()",
    ev.ErrorInfo("OSError", "broken pipe"),
    ("PaymentError", "Exception"),
)
POLICY = ev.RetryPolicy(5, 250_000, 1.5, 9_000_000, 0.0, ("ValueError",))

FULL: tuple[ev.AnyEvent, ...] = (
    ev.WorkflowStarted(
        "fulfil",
        "order-17",
        "r1",
        "default",
        Raw(b'{"id":"17"}'),
        True,
        "2",
        "c0de",
        3,
        "parent-1",
        Raw(b'{"customer":"ada"}'),
        "one order",
    ),
    ev.WorkflowCompleted(Raw(b'"done"')),
    ev.WorkflowFailed(ERROR),
    ev.WorkflowCancelRequested("enough"),
    ev.WorkflowCancelled("enough"),
    ev.WorkflowTerminated("at once"),
    ev.WorkflowBlocked("nondeterminism", "c0de", "they differ", "recorded this", "attempted that"),
    ev.WorkflowUnblocked("c0de2"),
    ev.ActivityScheduled("1", "charge", Raw(b"[1]"), True, "shop/flow.py:3", "gpu", 5_000_000, POLICY),
    ev.ActivityStarted("1", 2, 3),
    ev.ActivityCompleted("1", Raw(b"7"), 2),
    ev.ActivityFailed("1", ERROR, 2, "timeout", 1_000_000),
    ev.ActivityCancelled("1", "shop/flow.py:9"),
    ev.TimerStarted("2", 3_600_000_000, "shop/flow.py:5"),
    ev.TimerFired("2"),
    ev.TimerCancelled("2"),
    ev.SignalReceived("approval", Raw(b'{"by":"ada"}')),
    ev.SideEffectRecorded("3", Raw(b"0.5"), "shop/flow.py:6", ev.ErrorInfo("E", "m")),
    ev.PatchMarked("new-tax", "shop/flow.py:7"),
)

LEAST: tuple[ev.AnyEvent, ...] = (
    ev.WorkflowStarted("fulfil", "order-17", "r1", "default", Raw(b"{}")),
    ev.WorkflowCompleted(),
    ev.WorkflowFailed(ev.ErrorInfo("E", "")),
    ev.WorkflowCancelRequested(),
    ev.WorkflowCancelled(),
    ev.WorkflowTerminated(),
    ev.WorkflowBlocked("nondeterminism", "c0de"),
    ev.WorkflowUnblocked("c0de2"),
    ev.ActivityScheduled("1", "charge", Raw(b"{}")),
    ev.ActivityStarted("1"),
    ev.ActivityCompleted("1"),
    ev.ActivityFailed("1", ev.ErrorInfo("E", "")),
    ev.ActivityCancelled("1"),
    ev.TimerStarted("2", 1),
    ev.TimerFired("2"),
    ev.TimerCancelled("2"),
    ev.SignalReceived("approval"),
    ev.SideEffectRecorded("3"),
    ev.PatchMarked("new-tax"),
)
