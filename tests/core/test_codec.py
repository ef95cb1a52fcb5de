"""Events to bytes and back: what is written today is read for ever, and what is strange is refused."""

from __future__ import annotations

import typing
from itertools import pairwise

import msgspec
import pytest

from aion._core import codec
from aion._core import events as ev
from aion._core.codec import NAME_OF, decode_event, encode_event
from aion.errors import StoreCorrupt
from tests.core.samples import FULL, LEAST

# Bytes as the first release wrote them. They are in files on people's disks: a line may be added, never changed.
WRITTEN = {
    "WorkflowStarted": (
        b'{"workflow_type":"fulfil","workflow_id":"order-17","run_id":"r1","namespace":"default","input":{"id":"17"},'
        b'"named":true,"version":"2","code":"c0de","attempt":3,"parent":"parent-1","attributes":{"customer":"ada"},'
        b'"summary":"one order"}'
    ),
    "WorkflowCompleted": b'{"result":"done"}',
    "WorkflowFailed": (
        b'{"error":{"type":"CardRefused","message":"the card was refused","details":{"code":51},'
        b'"traceback":"  shop/pay.py:7 in charge: raise CardRefused()",'
        b'"cause":{"type":"OSError","message":"broken pipe"},"bases":["PaymentError","Exception"]}}'
    ),
    "WorkflowCancelRequested": b'{"reason":"enough"}',
    "WorkflowCancelled": b'{"reason":"enough"}',
    "WorkflowTerminated": b'{"reason":"at once"}',
    "WorkflowBlocked": (
        b'{"reason":"nondeterminism","code":"c0de","message":"they differ","recorded":"recorded this",'
        b'"attempted":"attempted that"}'
    ),
    "WorkflowUnblocked": b'{"code":"c0de2"}',
    "ActivityScheduled": (
        b'{"id":"1","name":"charge","input":[1],"named":true,"at":"shop/flow.py:3","queue":"gpu","timeout":5000000,'
        b'"retry":{"max_attempts":5,"initial":250000,"factor":1.5,"max_interval":9000000,"jitter":0.0,'
        b'"non_retryable":["ValueError"]}}'
    ),
    "ActivityStarted": b'{"id":"1","attempt":2,"dispatch":3}',
    "ActivityCompleted": b'{"id":"1","result":7,"attempt":2}',
    "ActivityFailed": (
        b'{"id":"1","error":{"type":"CardRefused","message":"the card was refused","details":{"code":51},'
        b'"traceback":"  shop/pay.py:7 in charge: raise CardRefused()",'
        b'"cause":{"type":"OSError","message":"broken pipe"},"bases":["PaymentError","Exception"]},"attempt":2,'
        b'"kind":"timeout","retry_in":1000000}'
    ),
    "ActivityCancelled": b'{"id":"1","at":"shop/flow.py:9"}',
    "TimerStarted": b'{"id":"2","delay":3600000000,"at":"shop/flow.py:5"}',
    "TimerFired": b'{"id":"2"}',
    "TimerCancelled": b'{"id":"2"}',
    "SignalReceived": b'{"name":"approval","value":{"by":"ada"}}',
    "SideEffectRecorded": b'{"id":"3","value":0.5,"at":"shop/flow.py:6","error":{"type":"E","message":"m"}}',
    "PatchMarked": b'{"change":"new-tax","at":"shop/flow.py:7"}',
}

WRITTEN_LEAST = {
    "WorkflowStarted": (
        b'{"workflow_type":"fulfil","workflow_id":"order-17","run_id":"r1","namespace":"default","input":{}}'
    ),
    "WorkflowCompleted": b"{}",
    "WorkflowFailed": b'{"error":{"type":"E","message":""}}',
    "WorkflowCancelRequested": b"{}",
    "WorkflowCancelled": b"{}",
    "WorkflowTerminated": b"{}",
    "WorkflowBlocked": b'{"reason":"nondeterminism","code":"c0de"}',
    "WorkflowUnblocked": b'{"code":"c0de2"}',
    "ActivityScheduled": b'{"id":"1","name":"charge","input":{}}',
    "ActivityStarted": b'{"id":"1"}',
    "ActivityCompleted": b'{"id":"1"}',
    "ActivityFailed": b'{"id":"1","error":{"type":"E","message":""}}',
    "ActivityCancelled": b'{"id":"1"}',
    "TimerStarted": b'{"id":"2","delay":1}',
    "TimerFired": b'{"id":"2"}',
    "TimerCancelled": b'{"id":"2"}',
    "SignalReceived": b'{"name":"approval"}',
    "SideEffectRecorded": b'{"id":"3"}',
    "PatchMarked": b'{"change":"new-tax"}',
}


def test_every_event_type_has_a_name_and_a_sample() -> None:
    """No event can be added without the bytes it is written as being pinned down here."""
    declared = {cls.__name__ for cls in typing.get_args(ev.AnyEvent)}

    assert set(NAME_OF.values()) == declared
    assert set(WRITTEN) == set(WRITTEN_LEAST) == declared
    assert {type(event).__name__ for event in FULL} == {type(event).__name__ for event in LEAST} == declared


@pytest.mark.parametrize("event", FULL, ids=lambda event: type(event).__name__)
def test_an_event_is_written_as_it_always_was(event: ev.AnyEvent) -> None:
    """The bytes of an event never change, or the digests of old histories would not fit."""
    assert encode_event(event) == WRITTEN[NAME_OF[type(event)]]


@pytest.mark.parametrize("event", LEAST, ids=lambda event: type(event).__name__)
def test_defaults_are_left_out(event: ev.AnyEvent) -> None:
    """A field that a later release adds with a default leaves the bytes of today's events alone."""
    assert encode_event(event) == WRITTEN_LEAST[NAME_OF[type(event)]]


@pytest.mark.parametrize("event", [*FULL, *LEAST], ids=lambda event: type(event).__name__)
def test_an_event_comes_back_equal(event: ev.AnyEvent) -> None:
    """Decoding gives the event that was encoded, down to the bytes of the values in it."""
    name = NAME_OF[type(event)]
    back = decode_event(name, encode_event(event))

    assert type(back) is type(event)
    assert encode_event(back) == encode_event(event)


def test_values_of_users_are_kept_byte_for_byte() -> None:
    """Numbers of any size, negative zero and odd spacing are not read and written anew."""
    odd = b'{"a" : -0.0, "b":123456789012345678901234567890,"c":1E400}'
    back = decode_event("SignalReceived", b'{"name":"s","value":' + odd + b"}")

    assert isinstance(back, ev.SignalReceived)
    assert bytes(back.value) == odd


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("TimerStarted.2", b"{}", "'TimerStarted.2' is unknown"),
        ("", b"{}", "'' is unknown"),
        ("TimerFired", b"", "cannot be decoded"),
        ("TimerFired", b"{", "cannot be decoded"),
        ("TimerFired", b"[]", "cannot be decoded"),
        ("TimerFired", b"{}", "cannot be decoded"),
        ("TimerFired", b'{"id":2}', "cannot be decoded"),
        ("TimerFired", b'{"id":"2","more":1}', "cannot be decoded"),
        ("TimerFired", b'{"id":"2"} ,', "cannot be decoded"),
        ("TimerFired", b'{"id":"\xff"}', "cannot be decoded"),
        pytest.param("SignalReceived", b'{"name":"s","value":' + b"[" * 100_000, "cannot be decoded", id="bottomless"),
        ("TimerStarted", b'{"id":"2","delay":1.5}', "cannot be decoded"),
        ("ActivityFailed", b'{"id":"1","error":{"message":"no type"}}', "cannot be decoded"),
    ],
)
def test_what_is_no_event_is_refused(name: str, data: bytes, says: str) -> None:
    """Unknown types, missing, wrong and unknown fields are corruption, and the message names the type."""
    with pytest.raises(StoreCorrupt, match=says) as caught:
        decode_event(name, data)

    assert repr(name) in str(caught.value)


def test_an_error_may_gain_fields_without_a_new_version() -> None:
    """What is kept of exceptions is read leniently: it is for people, and replay never compares it in full."""
    event = decode_event("WorkflowFailed", b'{"error":{"type":"E","message":"m","later":true}}')

    assert event == ev.WorkflowFailed(ev.ErrorInfo("E", "m"))


def test_events_cannot_be_changed() -> None:
    """An event is a fact: assigning to one of its fields is refused."""
    with pytest.raises(AttributeError, match="immutable"):
        ev.TimerFired("1").id = "2"  # type: ignore[misc]


def test_no_two_event_types_share_a_name_or_a_decoder() -> None:
    """The type column alone says how the bytes are read."""
    names = sorted(NAME_OF.values())

    assert all(one != other for one, other in pairwise(names))
    assert {name: decoder.type for name, decoder in codec._DECODERS.items()} == {
        name: cls for cls, name in NAME_OF.items()
    }


def test_encoding_does_not_depend_on_how_often_it_was_done() -> None:
    """The encoder keeps nothing between calls: the same event gives the same bytes each time."""
    event = FULL[0]

    assert {encode_event(event) for _ in range(100)} == {WRITTEN["WorkflowStarted"]}
    assert msgspec.json.decode(encode_event(event))["summary"] == "one order"
