"""Inputs as inbox rows hold them: written today, read by every later release."""

from __future__ import annotations

import typing

import msgspec
import pytest
from msgspec import Raw

from aion._core import inputs
from aion._core.events import ErrorInfo
from aion._core.inputs import decode_input, encode_input

# Bytes as the first release wrote them; a line may be added, never changed.
WRITTEN: list[tuple[inputs.AnyInput, bytes]] = [
    (
        inputs.ActivityReported("1", 2, 3, Raw(b"7")),
        b'{"type":"ActivityReported","id":"1","attempt":2,"dispatch":3,"result":7}',
    ),
    (
        inputs.ActivityReported("1", 2, 3, error=ErrorInfo("E", "m"), kind="timeout", non_retryable=True),
        b'{"type":"ActivityReported","id":"1","attempt":2,"dispatch":3,"error":{"type":"E","message":"m"},'
        b'"kind":"timeout","non_retryable":true}',
    ),
    (inputs.AttemptLost("1"), b'{"type":"AttemptLost","id":"1"}'),
    (inputs.TimerDue(4, 1_700), b'{"type":"TimerDue","seq":4,"due":1700}'),
    (inputs.SignalArrived("s"), b'{"type":"SignalArrived","name":"s"}'),
    (inputs.SignalArrived("s", Raw(b'{"a" :1}')), b'{"type":"SignalArrived","name":"s","value":{"a" :1}}'),
    (inputs.CancelRequested("why"), b'{"type":"CancelRequested","reason":"why"}'),
    (inputs.TerminateRequested(), b'{"type":"TerminateRequested"}'),
]


def test_every_input_type_has_a_sample() -> None:
    """No input can be added without the bytes it is written as being pinned down here."""
    assert {type(sample) for sample, _ in WRITTEN} == set(typing.get_args(inputs.AnyInput))


@pytest.mark.parametrize(("arrived", "data"), WRITTEN)
def test_an_input_is_written_as_it_always_was_and_comes_back_equal(arrived: inputs.AnyInput, data: bytes) -> None:
    """An input that was set aside by one release is taken up by another."""
    assert encode_input(arrived) == data
    assert encode_input(decode_input(data)) == data
    assert type(decode_input(data)) is type(arrived)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"type":"Unheard"}',
        b'{"type":"TimerDue","seq":"4","due":1}',
        b'{"type":"TimerDue","seq":4}',
        b'{"type":"SignalArrived","name":"s"',
        b'{"type":"SignalArrived","name":"\xff"}',
        pytest.param(b'{"type":"SignalArrived","name":"s","value":' + b"[" * 100_000, id="bottomless"),
    ],
)
def test_what_is_no_input_is_refused(data: bytes) -> None:
    """A damaged row is an error, never an input that was not sent."""
    with pytest.raises(msgspec.DecodeError):
        decode_input(data)
