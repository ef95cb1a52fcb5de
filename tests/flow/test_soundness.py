"""Looking through values: what is found, what is passed over, and what is left as it was."""

from __future__ import annotations

import copy
import enum
import math
import os
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aion._flow.foreign import to_json
from aion._flow.soundness import holds_sets, refusal, refuse_long_integers, with_sorted_sets
from aion.errors import InvalidInput


class Frozen(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A struct that cannot be assigned to, under other names in JSON."""

    the_names: frozenset[str] = frozenset()
    rest: Any = None


@dataclass(frozen=True, slots=True)
class Slotted:
    """A dataclass without a `__dict__` that cannot be assigned to."""

    names: set[str]
    made: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.made.append(1)


@dataclass
class Cached:
    """A dataclass with values that are not fields of an instance."""

    shared: ClassVar[float] = math.nan
    value: int = 0


class Limit(enum.Enum):
    """An enum with a member that JSON cannot hold."""

    NONE = math.inf


@dataclass
class Mass:
    """A dataclass that is mixed into other types."""

    kilos: float


class Planet(Mass, enum.Enum):
    """An enum whose members have fields, though they are written by value."""

    EARTH = 5.9e24


@dataclass
class Listed(list[Any]):
    """A list with fields, which are not written."""

    ratio: float = math.nan
    names: frozenset[str] = frozenset("ab")

    def __post_init__(self) -> None:
        self.append(1)


def test_a_type_of_two_kinds_is_looked_at_as_it_is_written() -> None:
    """An enum is its value and a list its members, whatever fields they have besides."""
    value = [Planet.EARTH, Listed(), {3, 1, 2}]

    assert holds_sets(value, "value") is True
    assert to_json(with_sorted_sets(value)) == to_json([Planet.EARTH, Listed(), [1, 2, 3]])
    assert holds_sets(value[:2], "value") is False


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (1, False),
        ([1, "a", None, 2.0], False),
        ({"a": [{"b": (1,)}]}, False),
        (set(), False),
        ({1}, False),
        ({1, 2}, True),
        ([{"a": (frozenset("ab"),)}], True),
        (Frozen(frozenset("ab")), True),
        (Frozen(), False),
        (Slotted({"a", "b"}), True),
        ({frozenset("ab")}, True),
    ],
)
def test_a_set_is_found_if_its_order_matters(value: object, answer: bool) -> None:
    """One of a single member has no order."""
    assert holds_sets(value, "value") is answer


def test_only_fields_are_looked_at() -> None:
    """What is not written cannot harm: class variables, and what a property has stored."""
    cached = Cached()
    cached.__dict__["expensive"] = math.nan

    assert to_json(cached) == b'{"value":0}'
    assert holds_sets([cached], "value") is False


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (math.nan, r"\$"),
        ([0.0] * 100 + [math.inf], r"\$\[100\]"),
        ([1, "a", [-math.inf]], r"\$\[2\]\[0\]"),
        ({"a-b": {"c": math.nan}}, r"\$\['a-b'\]\.c"),
        (Frozen(rest=math.nan), r"\$\.rest"),
        ([Slotted({"a"}), {1.0, math.nan}], r"\$\[1\]\[\.\.\.\]"),
        ([Limit.NONE], r"\$\[0\]"),
    ],
)
def test_an_infinite_number_is_refused_with_its_place(value: object, place: str) -> None:
    """The path leads to it through objects of any kind."""
    with pytest.raises(InvalidInput, match=rf"^order: {place} is "):
        holds_sets(value, "order")


def test_sorting_the_sets_leaves_the_value_alone() -> None:
    """The user's objects are not touched, and no code of theirs runs; only what is written is in order."""
    value = {"f": Frozen(frozenset("cab"), [{3, 1, 2}]), "s": Slotted(set("zyx"))}
    before = copy.deepcopy(value)

    assert (
        to_json(with_sorted_sets(value))
        == b'{"f":{"theNames":["a","b","c"],"rest":[[1,2,3]]},"s":{"names":["x","y","z"],"made":[1]}}'
    )
    assert value == before


MIXED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.frozensets(inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=12,
)


@given(MIXED)
def test_sorting_the_sets_keeps_every_member(value: Any) -> None:
    """The bytes are those of the value in another order, so there are as many; a second time changes nothing."""
    ordered = with_sorted_sets(value)

    assert sorted(to_json(ordered)) == sorted(to_json(value))
    assert to_json(with_sorted_sets(ordered)) == to_json(ordered)


def test_an_error_that_is_not_the_values_fault_is_no_refusal() -> None:
    """Out of stack, for a flat value, is the caller's trouble."""
    assert refusal([[1]], RecursionError(), "value") is None


class Flaky(os.PathLike[str]):
    """A path that can be written only from the second time on."""

    tries = 0

    def __fspath__(self) -> str:
        self.tries += 1
        if self.tries == 1:
            raise ValueError("not yet")
        return "path"


def test_what_fails_only_once_is_refused_for_what_it_was() -> None:
    """When the reason is gone on a second look, the whole is named, with the first error."""
    value = {"a": Flaky()}
    with pytest.raises(ValueError, match="not yet") as caught:
        to_json(value)

    found = refusal(value, caught.value, "order")

    assert "which cannot be recorded: not yet" in str(found)


def test_the_first_bad_key_is_named() -> None:
    """Good keys before it are passed over."""
    found = refusal({"a": 1, (1, 2): 3, (4, 5): 6}, TypeError(), "order")

    assert str(found).startswith("order: $ has the key (1, 2) of type tuple")


def test_an_infinite_number_is_found_beside_what_is_too_deep() -> None:
    """Looking for it goes no deeper than it must."""
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]

    with pytest.raises(InvalidInput, match=r"^order: \$\[1\] is nan"):
        holds_sets([deep, math.nan], "order")


def test_a_field_without_a_value_is_left_out() -> None:
    """An attribute that was deleted is not written, with sets or without."""
    value = Slotted({"a", "b"})
    object.__delattr__(value, "made")

    assert to_json(with_sorted_sets(value)) == b'{"names":["a","b"]}'


def test_long_integers_are_found_in_every_place() -> None:
    """Only those of more digits than can be read are refused."""
    refuse_long_integers({"a": [10**4300 - 1, 1 - 10**4300]}, "value")

    with pytest.raises(InvalidInput, match=r"^value: \$\.a\.rest is an integer"):
        refuse_long_integers({"a": Frozen(rest=-(10**4300))}, "value")
