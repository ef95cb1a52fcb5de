"""Types the JSON library does not know: written as what they stand for, read back as themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import pydantic
import pytest

from aion._flow.converter import codec_for, encode
from aion._flow.foreign import from_plain, is_model, model_fields, to_plain
from aion.errors import InvalidInput


class Sku(str):
    """A text with a type of its own."""


class Cents(int):
    """A number with a type of its own."""


class Ratio(float):
    """A float with a type of its own."""


class Tag(pydantic.BaseModel, frozen=True):
    """A model that can be in a set."""

    name: str


class Order(pydantic.BaseModel):
    """A model with what models have: aliases, sets, other models, strict types."""

    model_config = pydantic.ConfigDict(strict=True, extra="allow")

    id: str = pydantic.Field(alias="orderId")
    at: datetime
    amount: Decimal | None = None
    tags: set[Tag] = set()
    groups: dict[str, list[frozenset[str]]] = {}
    parent: Order | None = None


class Numbers(pydantic.RootModel[set[str]]):
    """A model that is a set."""


class Named(pydantic.RootModel[dict[str, set[str]]]):
    """A model that is a dict of sets."""


ID = b'"orderId":"17","at":"2026-01-02T00:00:00Z"'


def order(**more: Any) -> Order:
    """An order with what every order has."""
    return Order(orderId="17", at=datetime(2026, 1, 2, tzinfo=UTC), **more)


@pytest.mark.parametrize(
    ("hint", "value", "data"),
    [
        (Sku, Sku("a"), b'"a"'),
        (Cents, Cents(5), b"5"),
        (Ratio, Ratio(-0.0), b"-0.0"),
        (Path, Path("a/b"), b'"a/b"'),
        (PurePosixPath | None, PurePosixPath("/"), b'"/"'),
        (dict[str, Path], {"a": Path("b")}, b'{"a":"b"}'),
        (Tag, Tag(name="x"), b'{"name":"x"}'),
        (list[Tag], [Tag(name="x")], b'[{"name":"x"}]'),
        (Tag | None, None, b"null"),
        (
            Order,
            order(amount=Decimal("1.50"), parent=order()),
            b'{%s,"amount":"1.50","tags":[],"groups":{},"parent":{%s,"amount":null,"tags":[],"groups":{},"parent":null}}'
            % (ID, ID),
        ),
    ],
)
def test_a_foreign_value_comes_back_as_its_own_type(hint: Any, value: Any, data: bytes) -> None:
    """Subclasses of text and numbers, paths and models are written plainly and read back by the hint."""
    codec = codec_for(hint)

    assert codec.encode(value) == data
    assert (codec.decode(data), type(codec.decode(data))) == (value, type(value))


def test_a_set_within_a_model_of_any_kind_is_sorted() -> None:
    """A model that stands for its root is looked through as well."""
    assert to_plain(Named({"b": {"z", "y", "x"}, "a": set()})) == {"b": ["x", "y", "z"], "a": []}
    assert to_plain(Numbers({"z", "y", "x"})) == ["x", "y", "z"]
    assert to_plain(order(parent=order(tags={Tag(name="b"), Tag(name="a")})))["parent"]["tags"] == [
        {"name": "a"},
        {"name": "b"},
    ]


SETS = """
import sys
from tests.flow.test_foreign import Named, Numbers, Order, Tag, encode, order
tags = {Tag(name=c) for c in "abcde"}
value = order(tags=tags, groups={"x": [frozenset("xyz")]}, parent=order(tags=tags), more={"p", "q", "r"})
sys.stdout.buffer.write(encode([value, Numbers({"k", "l", "m"}), Named({"root": {"t", "s"}})]))
"""


def test_the_sets_of_a_model_have_the_same_bytes_in_every_process() -> None:
    """A model dumps its sets in the order that hashing gives; what is recorded must not show it."""
    outputs = set()
    for seed in ("1", "2", "3"):
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        outputs.add(subprocess.run([sys.executable, "-c", SETS], env=env, capture_output=True, check=True).stdout)

    tags = b'[{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"},{"name":"e"}]'
    start = b"{" + ID + b',"amount":null,"tags":' + tags
    assert outputs == {
        b"[" + start + b',"groups":{"x":[["x","y","z"]]},"parent":' + start + b',"groups":{},"parent":null},'
        b'"more":["p","q","r"]},["k","l","m"],{"root":["s","t"]}]'
    }


@pytest.mark.parametrize("bad", [order(ratio=float("nan")), Ratio("nan"), [order(deep=[{"x": float("inf")}])]])
def test_no_infinite_number_hides_in_a_foreign_value(bad: Any) -> None:
    """Models and subclasses are looked through like everything else."""
    with pytest.raises(InvalidInput, match="which JSON cannot hold"):
        encode(bad)


def test_a_model_that_refuses_is_told_with_its_place() -> None:
    """The model's own message is kept, with the place in the whole."""
    with pytest.raises(InvalidInput, match=r"(?s)^order: .*orderId.*Field required.* - at `\$\[0\]`"):
        codec_for(list[Order], "order").decode(b'[{"at":"2026-01-02T00:00:00Z"}]')


def test_a_model_that_holds_something_live_is_refused() -> None:
    """What the model cannot dump cannot be recorded."""
    with pytest.raises(InvalidInput, match=r"^order: \$\.parent"):
        encode({"parent": order(more=object())}, what="order")


def test_a_model_that_contains_itself_is_refused() -> None:
    """A cycle of models has no end either."""
    first = order()
    first.parent = first

    with pytest.raises(InvalidInput, match=r"^value: "):
        encode(first)


def test_a_union_of_models_is_refused_when_it_is_declared() -> None:
    """Which of them a value is could not be told from JSON."""
    with pytest.raises(InvalidInput, match="cannot be read from JSON"):
        codec_for(Order | Tag)


@pytest.mark.parametrize("value", [object(), True, 1j, {1}.__iter__(), type])
def test_what_stands_for_nothing_is_not_written(value: object) -> None:
    """There is no guess at what a strange value may mean; True as a key would come back as 1."""
    with pytest.raises(TypeError, match="is not supported"):
        to_plain(value)


@pytest.mark.parametrize(
    ("hint", "plain"), [(Cents, "5"), (Cents, True), (Sku, 5), (Path, 5), (complex, 1), (list[int], "a"), (Ratio, None)]
)
def test_what_does_not_fit_is_not_read(hint: Any, plain: object) -> None:
    """A type is made only from what its values are written as."""
    with pytest.raises(TypeError, match=r"^Expected `"):
        from_plain(hint, plain)


def test_models_are_known_by_what_they_can_do() -> None:
    """A class and an instance of pydantic are told from everything else; the fields have their names in JSON."""
    assert [is_model(kind) for kind in (Order, Numbers, dict, Path, str)] == [True, True, False, False, False]
    assert [(key, name) for key, (name, _) in model_fields(Order).items()][:2] == [("orderId", "id"), ("at", "at")]
