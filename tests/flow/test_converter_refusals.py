"""What is refused: values that would not come back, bytes that do not fit, types that JSON cannot tell apart."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aion._flow.converter import ValueCodec, codec_for, encode
from aion.errors import InvalidInput, PayloadTooLarge
from tests.flow.converter_values import Box, Colour, Item, Point

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=4),
    max_leaves=12,
)


# ── refused when written ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@given(st.data())
def test_no_infinite_number_is_ever_written(bad: float, data: st.DataObject) -> None:
    """Wherever it hides, it is refused, and not turned into null."""
    keys = st.sampled_from("abc")
    value: Any = bad
    for _ in range(data.draw(st.integers(0, 4))):
        holder: Any = data.draw(st.sampled_from([list, dict, tuple, Box, Item, Point, frozenset]))
        beside = data.draw(PLAIN)
        if holder is list:
            value = [beside, value, beside]
        elif holder is dict:
            value = {"x": beside, data.draw(keys): value}
        elif holder is tuple:
            value = (beside, value)
        elif holder is frozenset:
            value = {value} if isinstance(value, float) else [value]
        else:
            value = holder(value)

    with pytest.raises(InvalidInput, match=r"^value: \$.* is (nan|inf|-inf), which JSON cannot hold"):
        encode(value)


@pytest.mark.parametrize("depth", [1, 63, 64])
@pytest.mark.parametrize("kind", ["list", "dict", "both", "box"])
def test_sixty_four_levels_are_fine(kind: str, depth: int) -> None:
    """The limit itself is allowed, in any mixture."""
    encode(nested(kind, depth))


@pytest.mark.parametrize("depth", [65, 66, 200, 100_000])
@pytest.mark.parametrize("kind", ["list", "dict", "both", "box"])
def test_more_than_sixty_four_levels_are_refused(kind: str, depth: int) -> None:
    """One level more is refused as such, as is what would exhaust the stack."""
    with pytest.raises(InvalidInput, match="order: it is nested deeper than 64 levels"):
        encode(nested(kind, depth), what="order")


def nested(kind: str, depth: int) -> Any:
    """A value of so many levels of brackets."""
    value: Any = {} if kind == "dict" else []
    for level in range(depth - 1):
        if kind == "box":
            value = Box(value)
        elif kind == "list" or (kind == "both" and level % 2):
            value = [value]
        else:
            value = {"": value}
    return value


def test_brackets_in_text_are_no_levels() -> None:
    """Only real nesting counts."""
    text = "{[" * 1000

    assert ValueCodec(str).decode(encode(text)) == text
    assert encode([{}] * 1000) == b"[" + b",".join([b"{}"] * 1000) + b"]"


@pytest.mark.parametrize("length", [1, 3, 30])
def test_what_contains_itself_is_refused(length: int) -> None:
    """A cycle has no end to write."""
    ring: list[Any] = []
    holder: Any = ring
    for _ in range(length - 1):
        holder = {"next": holder}
    ring.append(holder)

    with pytest.raises(InvalidInput, match="contains itself"):
        encode({"ring": ring})


@contextmanager
def digits(count: int) -> Iterator[None]:
    """Within it, Python writes integers of so many digits; 0 is without end."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(count)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(before)


@pytest.mark.parametrize("allowed", [4300, 0, 100_000])
@pytest.mark.parametrize("long", [pytest.param(10**4300, id="plus"), pytest.param(-(10**4300), id="minus")])
def test_an_integer_of_more_digits_than_can_be_read_is_refused(long: int, allowed: int) -> None:
    """It is so whatever this process is set to: another process has to read it."""
    with (
        digits(allowed),
        pytest.raises(InvalidInput, match=r"\$\.n\[1\] is an integer of 14,285 bits, more than 4,300"),
    ):
        encode({"n": [1, long]})


def test_a_long_text_of_digits_is_no_integer() -> None:
    """Text may be as long as the payload."""
    with digits(0):
        assert encode("1" * 5000) == b'"' + b"1" * 5000 + b'"'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"a": ["ok", "x\ud800y"]},
            r"order: $.a[1] is 'x\ud800y', which holds the lone surrogate '\ud800', no character",
        ),
        ({"x\udfff": 1}, "order: $ has the key 'x\\udfff', which holds the lone surrogate"),
        (
            {"a b": {"c": print}},
            "order: $['a b'].c is <built-in function print> of type builtin_function_or_method, which",
        ),
        ([1, object], "order: $[1] is <class 'object'> of type type, which cannot be recorded: pass data that stands"),
        (Box(Point(1, range(3))), "order: $.content[1] is range(0, 3) of type range"),  # type: ignore[arg-type]
        ({"a": {(1, 2): 3}}, "order: $.a has the key (1, 2) of type tuple: a key is text"),
        ({None: 1}, "order: $ has the key None"),
        ({True: 1}, "order: $ has the key True"),
        (1 + 2j, "order: $ is (1+2j) of type complex"),
        ((x for x in "a"), "order: $ is <generator object"),
        (ValueError("x"), "order: $ is ValueError('x') of type ValueError"),
        (Item(1.0, frozenset({("a", 1j)})), "order: $.tags[...][1] is 1j of type complex"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_written_is_refused_with_its_place(value: Any, message: str) -> None:
    """The message leads to the part that is at fault, and says what it is."""
    with pytest.raises(InvalidInput) as caught:
        encode(value, what="order")

    assert str(caught.value)[: len(message)] == message


def test_an_open_file_is_refused() -> None:
    """A live object is nothing that could be recorded."""
    with open(__file__, "rb") as file, pytest.raises(InvalidInput, match="of type BufferedReader"):
        encode([file])


@given(st.integers(0, 300))
def test_the_limit_counts_bytes_and_is_itself_allowed(size: int) -> None:
    """A payload of exactly the limit passes; one byte more does not."""
    text = "x" * size

    assert len(encode(text, size + 2)) == size + 2
    with pytest.raises(PayloadTooLarge) as caught:
        encode(text, size + 1, "order")
    assert (caught.value.what, caught.value.size, caught.value.limit) == ("order", size + 2, size + 1)


def test_two_mebibytes_are_the_limit_when_none_is_given() -> None:
    """The default is the documented one."""
    encode("x" * (2 * 1024 * 1024 - 2))

    with pytest.raises(PayloadTooLarge):
        encode("é" * 1024 * 1024)


def test_a_deep_stack_is_not_blamed_on_the_value() -> None:
    """Where Python itself is out of stack, the value is not called too deep."""

    def sink() -> None:
        try:
            encode([[1]])
        except InvalidInput as error:
            raise AssertionError from error
        sink()

    with pytest.raises(RecursionError):
        sink()


class Endless(os.PathLike[str]):
    """A path that runs out of stack when it is written."""

    def __fspath__(self) -> str:
        return self.__fspath__()


def test_out_of_stack_in_the_users_code_stays_what_it_is() -> None:
    """A flat value is not called too deep because writing it recursed."""
    with pytest.raises(RecursionError):
        encode([Endless()])


# ── refused when read ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("hint", "data", "message"),
    [
        (Item, b'{"price":"x"}', "order: Expected `float`, got `str` - at `$.price`"),
        (Item, b'{"tags":[]}', "order: Object missing required field `price`"),
        (list[Item], b'[{"price":1},{"price":null}]', "order: Expected `float`, got `null` - at `$[1].price`"),
        (int, b"1.0", "order: Expected `int`, got `float`"),
        (int, b"true", "order: Expected `int`, got `bool`"),
        (Colour, b'"green"', "order: Invalid enum value 'green'"),
        (Any, b"NaN", "order: JSON is malformed: invalid character (byte 0)"),
        (Any, b"", "order: Input data was truncated"),
        (Any, b"{} {}", "order: JSON is malformed: trailing characters (byte 4)"),
        (Any, b'"\xff"', "order: UnicodeDecodeError: 'utf-8'"),
        (Any, b"1" * 4301, "order: ValueError: Exceeds the limit (4300 digits)"),
        (float, b"1" * 4000, "order: Number out of range"),
        (Any, b"[" * 100_000, "order: the JSON is nested too deep to be read"),
        (Any, b"[-" + b"1" * 4300 + b",NaN]", "order: ValueError: NaN is not JSON"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(hint: Any, data: bytes, message: str) -> None:
    """The message says what was expected, what was found, and where."""
    with pytest.raises(InvalidInput) as caught:
        codec_for(hint, "order").decode(data)

    assert str(caught.value)[: len(message)] == message


@dataclass
class Guarded:
    """A class that refuses some values in its own way."""

    value: int

    def __post_init__(self) -> None:
        if self.value < 0:
            raise KeyError(self.value)


def test_a_class_that_raises_when_it_is_made_is_a_refusal() -> None:
    """Whatever the user's code raises, the caller sees one kind of error."""
    with pytest.raises(InvalidInput, match="order: KeyError: -1"):
        codec_for(Guarded, "order").decode(b'{"value":-1}')


@dataclass
class Greedy:
    """A class that takes more memory than there is."""

    def __post_init__(self) -> None:
        raise MemoryError


def test_out_of_memory_is_no_refusal() -> None:
    """The machine is at fault, not the payload: trying again may succeed."""
    with pytest.raises(MemoryError):
        codec_for(Greedy).decode(b"{}")


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    """Whatever comes from outside is a value or a refusal."""
    for hint in (Any, Box[Item], list[Item], dict[int, Colour]):
        try:
            codec_for(hint).decode(data)
        except InvalidInput:
            continue


def test_a_sender_is_told_of_a_wrong_type() -> None:
    """`encode_checked` refuses what the reader could not read, at the place where it is known who is wrong."""
    codec = codec_for(Item, "signal 'item'")

    assert repr(codec) == f"ValueCodec({Item!r})"
    assert codec.encode_checked(Item(1.5)) == b'{"price":1.5,"tags":[]}'
    assert codec.encode_checked({"price": 2}) == b'{"price":2}'
    with pytest.raises(InvalidInput, match=r"signal 'item': Expected `object`, got `int`"):
        codec.encode_checked(3)
    assert codec_for().encode_checked(3) == b"3"


# ── refused when declared ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "hint", [Item | Guarded, datetime | str, list[int] | set[int], dict[str, list[Item | dict[str, int]]], 5, "Item"]
)
def test_a_type_that_json_cannot_tell_apart_is_refused_at_once(hint: Any) -> None:
    """The definition fails, rather than the first value that would come back as something else."""
    with pytest.raises(InvalidInput, match=r"^signal 'pay': the type .* cannot be read from JSON: "):
        codec_for(hint, "signal 'pay'")


def test_a_name_that_is_nowhere_is_told_when_it_is_needed() -> None:
    """A class that was never defined is an error with advice, not a NameError from somewhere."""

    @dataclass
    class Lost:
        other: Nowhere  # type: ignore[name-defined]  # noqa: F821

    codec = codec_for(Lost, "signal 'lost'")

    with pytest.raises(InvalidInput, match=r"signal 'lost': .*cannot be resolved .*TYPE_CHECKING"):
        codec.decode(b"{}")
