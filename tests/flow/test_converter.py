"""Values to bytes and back: what comes back equals what went in, and what would not is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Any, LiteralString, NoReturn, NotRequired, TypedDict
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aion._flow.converter import codec_for, encode
from tests.flow.converter_values import Box, Colour, Item, Point


class Size(IntEnum):
    """An enum of numbers."""

    S = 1
    L = 2


class Stage(StrEnum):
    """An enum whose members are texts."""

    OPEN = "open"


class Address(TypedDict):
    """A typed dict with a key that may be missing."""

    street: str
    number: NotRequired[int]


class Card(msgspec.Struct, tag=True, frozen=True):
    """One member of a tagged union."""

    number: str


class Cash(msgspec.Struct, tag=True, frozen=True):
    """The other member."""

    coins: tuple[int, ...] = ()


@dataclass
class Everything:
    """A class with a field of each kind that is promised."""

    text: str
    number: int
    ratio: float
    flag: bool
    raw: bytes
    colour: Colour
    size: Size
    stage: Stage
    at: datetime
    on: date
    o_clock: time
    span: timedelta
    id: UUID
    amount: Decimal
    point: Point
    address: Address
    payment: Card | Cash
    maybe: int | None
    items: list[Item] = field(default_factory=list)
    pair: tuple[int, str] = (0, "")
    many: tuple[int, ...] = ()
    numbers: set[int] = field(default_factory=set)
    by_number: dict[int, str] = field(default_factory=dict)
    by_date: dict[date, Colour] = field(default_factory=dict)
    free: Any = None


@dataclass
class Early:
    """A class with a field of a class that is defined below it."""

    late: Late


ahead_of_its_time = codec_for(Early)


@dataclass
class Late:
    """The class that `Early` names."""

    value: int


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
ITEMS = st.builds(Item, price=FLOATS, tags=st.frozensets(TEXT, max_size=4))
EVERYTHING = st.builds(
    Everything,
    text=TEXT,
    ratio=FLOATS,
    at=st.datetimes() | st.datetimes(timezones=st.just(UTC)),
    o_clock=st.times(),
    amount=st.decimals(allow_nan=False, allow_infinity=False),
    point=st.builds(Point, st.integers(), FLOATS),
    address=st.fixed_dictionaries({"street": TEXT}, optional={"number": st.integers()}),
    payment=st.builds(Card, TEXT) | st.builds(Cash),
    items=st.lists(ITEMS, max_size=3),
    pair=st.tuples(st.integers(), TEXT),
    by_number=st.dictionaries(st.integers(), TEXT, max_size=3),
    by_date=st.dictionaries(st.dates(), st.sampled_from(Colour), max_size=3),
    free=PLAIN,
)

CODEC = codec_for(Everything)


# ── there and back ───────────────────────────────────────────────────────────────────────────────


@given(EVERYTHING)
def test_a_value_of_every_kind_comes_back_equal(value: Everything) -> None:
    """What a class declares is what comes back: dates as dates, sets as sets, members as members."""
    assert CODEC.decode(CODEC.encode(value)) == value


@given(PLAIN)
def test_plain_json_comes_back_exactly_without_a_hint(value: Any) -> None:
    """Numbers keep their kind and every bit, text every character, dicts their order."""
    codec = codec_for()

    assert repr(codec.decode(codec.encode(value))) == repr(value)


@given(PLAIN)
def test_what_is_written_is_json_as_the_standard_library_reads_it(value: Any) -> None:
    """Programs in any language read what was recorded."""
    assert repr(json.loads(encode(value))) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        -0.0,
        5e-324,
        1.7976931348623157e308,
        0.1 + 0.2,
        2**53 + 1,
        2**64,
        -(2**63) - 1,
        pytest.param(10**4299, id="4,300 digits"),
        pytest.param(10**4300 - 1, id="4,300 nines"),
        pytest.param(1 - 10**4300, id="minus 4,300 nines"),
        pytest.param({"a": [1 - 10**4300, -0.0, 1e5]}, id="4,300 digits inside"),
        "\x00",
        "a\x00b\x1f\x7f\u2028\U0001f680\ufffe",
        "",
        {"": ""},
        {"\x00": None},
        '[["null"]]',
    ],
)
def test_the_extremes_come_back_exactly(value: Any) -> None:
    """The smallest and largest numbers, minus zero, NUL and unusual characters lose nothing."""
    codec = codec_for(Any)

    assert repr_of(codec.decode(codec.encode(value))) == repr_of(value)


def repr_of(value: Any) -> Any:
    """A `repr`, but for integers of any length."""
    if isinstance(value, dict):
        return {key: repr_of(member) for key, member in value.items()}
    if isinstance(value, list):
        return [repr_of(member) for member in value]
    return (int, value) if type(value) is int else repr(value)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (dict[int, str], {1: "a", -5: "b", 2**70: "c"}),
        pytest.param(dict[int, int], {1: 1 - 10**4300}, id="int keys beside 4,300 digits"),
        (dict[str, list[int]], {"b": [1], "a": []}),
        (Box[Item], Box(Item(1.5))),
        (list[int] | None, None),
        (int | str | None, "a"),
        (float, 3.0),
        (type(None), None),
        (list[Card | Cash], [Cash((1, 2)), Card("x")]),
        (Annotated[int, msgspec.Meta(ge=0)], 3),
        (LiteralString, "a"),
        (NoReturn, {"a": [1]}),
        (set[Point], {Point(1, 2.0), Point(0, -0.5)}),
        (frozenset[tuple[int, str]], frozenset({(10, "a"), (9, "b")})),
        (object, [1, "a", None]),
    ],
)
def test_hints_say_what_comes_back(hint: Any, value: Any) -> None:
    """A value of a hinted type is of that type again."""
    codec = codec_for(hint)
    came_back = codec.decode(codec.encode(value))

    assert (came_back, type(came_back)) == (value, type(value))


def test_without_a_hint_a_value_is_what_json_makes_of_it() -> None:
    """It is so at once, not only after a restart: a tuple is a list, an int key is text."""
    codec = codec_for()

    assert codec.decode(codec.encode({1: (2, 3)})) == {"1": [2, 3]}


def test_a_class_may_name_another_that_is_defined_later() -> None:
    """Where a definition stands in its module does not matter."""
    assert ahead_of_its_time.decode(b'{"late":{"value":3}}') == Early(Late(3))


def test_the_keys_of_a_dict_keep_the_order_they_were_made_in() -> None:
    """Order is data, also beside a set that has to be put in order."""
    value = {"b": {2, 1}, "a": [{"z": 1, "y": 2}]}

    assert encode(value) == b'{"b":[1,2],"a":[{"z":1,"y":2}]}'


SETS_WRITTEN = b"""\
["a","b","c","d","e"]
["a",1,2.5,["p","q","r"],[1,"x"],null]
[{"price":1.0,"tags":["a","b","c"]},{"price":1.0,"tags":["x","y","z"]},{"price":2.0,"tags":["u","v","w"]}]
{"deep":[{"set":[{"type":"Card","number":"a"},{"type":"Card","number":"b"},{"type":"Card","number":"c"}]}],\
"order":["w","x","y"]}
[["k","l","m"],[["n","o"]]]"""

SETS = """
import sys
from tests.flow.test_converter import Card, Everything, Item, Point, encode
values = [
    {"a", "b", "c", "d", "e"},
    {"a", 1, None, 2.5, (1, "x"), frozenset({"p", "q", "r"})},
    {Item(1.0, frozenset("xyz")), Item(2.0, frozenset("uvw")), Item(1.0, frozenset("abc"))},
    {"deep": [{"set": {Card("a"), Card("b"), Card("c")}}], "order": {"y", "x", "w"}},
    Point({"k", "l", "m"}, [frozenset({"n", "o"})]),
]
sys.stdout.buffer.write(b"\\n".join(map(encode, values)))
"""


def test_a_set_has_the_same_bytes_in_every_process() -> None:
    """Replay in another process compares bytes; the order that hashing gives must not show."""
    outputs = set()
    for seed in ("1", "2", "3"):
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        outputs.add(subprocess.run([sys.executable, "-c", SETS], env=env, capture_output=True, check=True).stdout)

    assert outputs == {SETS_WRITTEN}


@given(st.sets(st.integers()), st.sets(TEXT))
def test_numbers_and_texts_of_a_set_are_written_in_their_own_order(numbers: set[int], texts: set[str]) -> None:
    """Who reads a history finds them where they look for them."""
    assert json.loads(encode([numbers, texts])) == [sorted(numbers), sorted(texts)]
