"""Whether a call on replay is the recorded one: what may have been added since, and what may not differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, NotRequired, TypedDict

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aion._flow.converter import codec_for, encode
from aion._flow.fingerprint import first_difference, first_value_difference, same_call, same_value
from aion._flow.signature import CallSignature


class Address(TypedDict):
    """A typed dict with a key that may be missing."""

    street: str
    floor: NotRequired[int]


class Place(NamedTuple):
    """An array with a place that may be missing."""

    x: int
    y: int = 0


class Card(msgspec.Struct, tag="card", rename={"holder": "by"}):
    """A tagged struct with a field under another name."""

    number: str
    holder: str = ""


class Cash(msgspec.Struct, tag="cash"):
    """Another tagged struct."""

    coins: int = 0


class Plain(msgspec.Struct):
    """A struct without a tag."""

    a: int
    b: int = 0


class Row(msgspec.Struct, array_like=True):
    """A struct that is an array."""

    a: int
    b: int = 0


class Model(pydantic.BaseModel):
    """A model with an alias and a default."""

    id: int = pydantic.Field(alias="Id")
    note: str = ""


@dataclass
class Item:
    """A class inside of others."""

    sku: str
    count: int = 1


@dataclass
class Order:
    """A class with one field of each shape."""

    id: str
    items: list[Item] = field(default_factory=list)
    by_name: dict[str, Item] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    address: Address | None = None
    place: Place | None = None
    pay: Card | Cash | None = None
    rows: tuple[Row, Row] | None = None
    model: Model | None = None
    parent: Order | None = None
    free: Any = None
    either: int | list[Item] | None = None
    line: Row | None = None
    plain: Plain | None = None
    extra: Mapping[str, Item] = field(default_factory=dict)
    must: int = field(kw_only=True, default=0)


def charge(order: Order) -> None:
    """A call of one parameter."""


def several(order: Order, currency: str, rate: float = 1.0, *, note: str = "") -> None:
    """A call of several parameters."""


def defaulted(order: Order | None = None) -> None:
    """A call of one parameter that may be left out."""


def nothing() -> None:
    """A call without parameters."""


ONE = CallSignature(charge)
SEVERAL = CallSignature(several)


@pytest.mark.parametrize(
    ("recorded", "attempted"),
    [
        (b'{"id":"1"}', b'{"id":"1","items":[]}'),
        (b'{"id":"1","labels":{"a":"b","c":"d"}}', b'{"labels":{"c":"d","a":"b"},"id":"1"}'),
        (b'{"id":"1","items":[{"sku":"a"}]}', b'{"id":"1","items":[{"count":5,"sku":"a"}]}'),
        (b'{"id":"1","by_name":{"x":{"sku":"a"}}}', b'{"id":"1","by_name":{"x":{"sku":"a","count":1}}}'),
        (b'{"id":"1","extra":{"x":{"sku":"a"}}}', b'{"id":"1","extra":{"x":{"sku":"a","count":1}}}'),
        (b'{"id":"1","address":{"street":"s"}}', b'{"id":"1","address":{"street":"s","floor":2}}'),
        (b'{"id":"1","place":[1]}', b'{"id":"1","place":[1,2]}'),
        (b'{"id":"1","pay":{"type":"card","number":"1"}}', b'{"id":"1","pay":{"type":"card","number":"1","by":"a"}}'),
        (b'{"id":"1","rows":[[1],[2,3]]}', b'{"id":"1","rows":[[1,0],[2,3]]}'),
        (b'{"id":"1","either":[{"sku":"a"}]}', b'{"id":"1","either":[{"sku":"a","count":1}]}'),
        (b'{"id":"1","plain":{"a":1}}', b'{"id":"1","plain":{"a":1,"b":2}}'),
        (b'{"id":"1","line":[1]}', b'{"id":"1","line":[1,2]}'),
        (b'{"id":"1","model":{"Id":1}}', b'{"id":"1","model":{"Id":1,"note":"n"}}'),
        (b'{"id":"1","parent":{"id":"0"}}', b'{"id":"1","parent":{"id":"0","parent":null}}'),
        (b'{"id": "1", "free": 1e2}', b'{"id":"1","free":100.0}'),
    ],
)
def test_what_a_class_has_got_since_does_not_count(recorded: bytes, attempted: bytes) -> None:
    """A field that need not be given may be new, wherever its class stands; the order of keys never counts."""
    assert first_difference(ONE, recorded, False, attempted, False) == ""
    assert same_call(ONE, recorded, False, attempted, False)
    assert same_value(codec_for(Order), recorded, attempted)


@pytest.mark.parametrize(
    ("recorded", "attempted", "difference"),
    [
        (b'{"id":"1"}', b'{"id":"2"}', "$.id: '1' was recorded, the code has '2'"),
        (b'{"id":"1"}', b'{"id":1}', "$.id: '1' was recorded, the code has 1"),
        (b'{"id":"1","items":[]}', b'{"id":"1"}', "$.items: [] was recorded, the code no longer has this"),
        (b'{"id":"1"}', b'{"id":"1","x":2}', "$.x: the code has 2, which was not recorded and is no declared field"),
        (b'{"items":[]}', b'{"id":"1","items":[]}', "$.id: the code has '1', which was not recorded and must be given"),
        (b'{"free":1}', b'{"free":1.0}', "$.free: 1 was recorded, the code has 1.0"),
        (b'{"free":true}', b'{"free":1}', "$.free: True was recorded, the code has 1"),
        (b'{"free":0.0}', b'{"free":-0.0}', "$.free: 0.0 was recorded, the code has -0.0"),
        (b'{"free":null}', b'{"free":false}', "$.free: None was recorded, the code has False"),
        (b'{"free":[1,2]}', b'{"free":[2,1]}', "$.free[0]: 1 was recorded, the code has 2"),
        (b'{"free":[1,2]}', b'{"free":[1]}', "$.free: 2 items were recorded, the code has 1"),
        (b'{"free":[1]}', b'{"free":[1,2]}', "$.free: 1 items were recorded, the code has 2"),
        (
            b'{"free":{"a":1}}',
            b'{"free":{"a":1,"b":2}}',
            "$.free.b: the code has 2, which was not recorded and is no declared field",
        ),
        (
            b'{"labels":{}}',
            b'{"labels":{"a-b":"c"}}',
            "$.labels['a-b']: the code has 'c', which was not recorded and is no declared field",
        ),
        (b'{"items":[{"sku":"a"}]}', b'{"items":[{"sku":"b"}]}', "$.items[0].sku: 'a' was recorded, the code has 'b'"),
        (b'{"items":[]}', b'{"items":[{"sku":"b"}]}', "$.items: 0 items were recorded, the code has 1"),
        (b'{"place":[1,2]}', b'{"place":[1]}', "$.place: 2 items were recorded, the code has 1"),
        (b'{"place":[]}', b'{"place":[1]}', "$.place: 0 items were recorded, the code has 1"),
        (b'{"place":[1]}', b'{"place":[1,2,3]}', "$.place: 1 items were recorded, the code has 3"),
        (b'{"address":{}}', b'{"address":{"street":"s"}}', None),
        (b'{"pay":{"type":"card","number":"1"}}', b'{"pay":{"type":"cash","number":"1"}}', None),
        (b'{"pay":{"type":"cash"}}', b'{"pay":{"type":"cash","by":"a"}}', None),
        (b'{"model":{"Id":1}}', b'{"model":{"Id":1,"id":1}}', None),
        (b'{"rows":[[1]]}', b'{"rows":[[1],[2]]}', None),
        (b"", b"{}", "one of the two payloads cannot be read: payload: Input data was truncated"),
    ],
)
def test_every_other_difference_counts(recorded: bytes, attempted: bytes, difference: str | None) -> None:
    """Values, lost keys, keys of plain dicts, kinds of numbers, order and length of lists: told with their place."""
    found = first_difference(ONE, recorded, False, attempted, False)

    assert found == (difference or found)
    assert found != ""
    assert not same_call(ONE, recorded, False, attempted, False)
    assert first_value_difference(codec_for(Order), recorded, attempted) == found


@pytest.mark.parametrize(
    ("fn", "recorded", "attempted", "same"),
    [
        (several, (b'{"order":{"id":"1"},"currency":"E"}', True), (b'{"currency":"E","order":{"id":"1"}}', True), True),
        (
            several,
            (b'{"order":{"id":"1"},"currency":"E"}', True),
            (b'{"order":{"id":"1"},"currency":"F"}', True),
            False,
        ),
        (several, (b'{"currency":"E"}', True), (b'{"currency":"E","rate":2.0,"note":"n"}', True), True),
        (several, (b'{"rate":2.0}', True), (b'{"currency":"E","rate":2.0}', True), False),
        (several, (b'{"rate":2.0}', True), (b'{"rate":2.0,"unknown":1}', True), False),
        (several, (b'{"note":"n","rate":2.0}', True), (b'{"rate":2.0}', True), False),
        # From one parameter to several.
        (several, (b'{"id":"1"}', False), (b'{"order":{"id":"1","items":[]},"rate":1.0}', True), True),
        (several, (b'{"id":"1"}', False), (b'{"order":{"id":"2"},"rate":1.0}', True), False),
        (several, (b'{"id":"1"}', False), (b'{"order":{"id":"1"},"currency":"E"}', True), False),
        # From several to one.
        (charge, (b'{"order":{"id":"1"}}', True), (b'{"id":"1"}', False), True),
        (charge, (b'{"order":{"id":"1"},"rate":1.0}', True), (b'{"id":"1"}', False), False),
        # One that was left at its default.
        (defaulted, (b"{}", True), (b"null", False), True),
        (defaulted, (b"null", False), (b"{}", True), False),
        (nothing, (b"{}", True), (b"{}", True), True),
        (nothing, (b"3", False), (b"{}", True), False),
    ],
)
def test_named_arguments_are_compared_by_name(
    fn: Callable[..., Any], recorded: tuple[bytes, bool], attempted: tuple[bytes, bool], same: bool
) -> None:
    """A parameter with a default may be new; whether a call is one value or named ones is no difference by itself."""
    assert same_call(CallSignature(fn), *recorded, *attempted) is same


def test_without_a_signature_every_key_counts() -> None:
    """Nothing is known of what is a class and what a dict, so only the order of keys may differ."""
    assert same_call(None, b'{"a":1,"b":[{"c":2,"d":3}]}', True, b'{"b":[{"d":3,"c":2}],"a":1}', True)
    assert not same_call(None, b'{"a":1}', True, b'{"a":1,"b":2}', True)
    assert not same_call(None, b'{"a":1}', False, b'{"a":1}', True)
    assert not same_value(None, b"{}", b'{"a":1}')


def test_of_a_type_that_says_nothing_every_key_counts() -> None:
    """A hint that no value can be compared by is no licence to differ."""
    codec = codec_for(NoReturn)

    assert same_value(codec, b'{"a":1,"b":2}', b'{"b":2,"a":1}')
    assert not same_value(codec, b"{}", b'{"a":1}')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, -0.0, 1.0]) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, JSON)
def test_plain_values_are_the_same_exactly_when_their_sorted_bytes_are(one: Any, other: Any) -> None:
    """Without types, comparing is comparing canonical bytes."""
    canonical = msgspec.json.Encoder(order="sorted").encode

    assert same_value(None, encode(one), encode(other)) == (canonical(one) == canonical(other))


ITEMS = st.builds(Item, st.sampled_from("ab"), st.integers(0, 2))
ORDERS = st.builds(
    Order,
    id=st.sampled_from("ab"),
    items=st.lists(ITEMS, max_size=2),
    by_name=st.dictionaries(st.sampled_from("ab"), ITEMS, max_size=2),
    labels=st.dictionaries(st.sampled_from("ab"), st.sampled_from("ab"), max_size=2),
    free=JSON,
)


@given(ORDERS, st.data())
def test_a_recording_without_some_optional_fields_is_the_same(order: Order, data: st.DataObject) -> None:
    """Whichever fields with a default the class did not have then, the call is the one that was recorded."""
    plain = msgspec.to_builtins(order)
    for name in data.draw(st.sets(st.sampled_from(sorted(set(plain) - {"id"})))):
        del plain[name]
    for item in plain.get("items", []):
        if data.draw(st.booleans()):
            del item["count"]
    attempted, named = ONE.encode_call((order,), {})

    assert same_call(ONE, encode(plain), False, attempted, named)
    assert same_call(ONE, attempted, named, encode(plain), False) == (plain == msgspec.to_builtins(order))


def test_very_deep_payloads_are_not_the_same() -> None:
    """What is deeper than anything recorded is answered, not followed until the stack ends."""
    deep = b"[" * 200 + b"]" * 200

    assert "nested too deep" in first_difference(None, deep, False, b"[" + deep + b"]", False)
