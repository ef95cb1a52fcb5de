"""Calls and results as payloads: what is written, what is read back, and what survives a change of the function."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aion._flow.signature import CallSignature, Parameter
from aion.errors import InvalidInput, PayloadTooLarge

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass
class Order:
    """An argument of a declared class."""

    id: str
    amount: int = 1


def nothing() -> None:
    """No parameter."""


def one(order: Order) -> str:
    """One parameter."""
    return order.id


def optional(order: Order | None = None) -> None:
    """One parameter with a default."""


def keyword(*, order: Order) -> None:
    """One parameter that is given by name."""


def several(order: Order, currency: str, rate: float = 1.0, *, on: date | None = None, note: str = "") -> list[Order]:
    """Parameters of each kind."""
    return []


def untyped(a, b=2):  # type: ignore[no-untyped-def]
    """No hints at all."""
    return a, b


def self_named(copy: int, __struct_fields__: str, p0: int = 0) -> None:
    """Parameters with the names of other things."""


class Cart:
    """A class whose method is recorded."""

    async def run(self, sku: str, count: int = 1) -> int:
        """A method of two parameters beside self."""
        return count

    async def empty(self) -> None:
        """A method without a parameter."""


# ── written ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fn", "args", "kwargs", "payload", "named"),
    [
        (nothing, (), {}, b"{}", True),
        (one, (Order("17"),), {}, b'{"id":"17","amount":1}', False),
        (one, (), {"order": Order("17")}, b'{"id":"17","amount":1}', False),
        (optional, (), {}, b"{}", True),
        (optional, (None,), {}, b"null", False),
        (keyword, (), {"order": Order("17")}, b'{"id":"17","amount":1}', False),
        (several, (Order("1"), "EUR"), {}, b'{"order":{"id":"1","amount":1},"currency":"EUR"}', True),
        (several, (Order("1"),), {"currency": "EUR"}, b'{"order":{"id":"1","amount":1},"currency":"EUR"}', True),
        (
            several,
            (),
            {"note": "x", "on": date(2026, 1, 2), "currency": "EUR", "order": Order("1")},
            b'{"order":{"id":"1","amount":1},"currency":"EUR","on":"2026-01-02","note":"x"}',
            True,
        ),
        (several, (1, 2, 1.0), {}, b'{"order":1,"currency":2,"rate":1.0}', True),
        (untyped, (1, 2), {}, b'{"a":1,"b":2}', True),
    ],
)
def test_a_call_is_one_value_or_named_arguments(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], payload: bytes, named: bool
) -> None:
    """One parameter that was given is the payload; otherwise names are, in their order, without the defaults."""
    assert CallSignature(fn).encode_call(args, kwargs) == (payload, named)


@given(st.integers(0, 4), st.sets(st.sampled_from(["order", "currency", "rate", "on", "note", "other"])))
def test_a_call_is_refused_exactly_when_python_refuses_it(count: int, names: set[str]) -> None:
    """Missing, unexpected and doubled arguments raise TypeError; everything else is encoded."""
    args, kwargs = tuple(range(count)), dict.fromkeys(sorted(names), 0)
    signature = CallSignature(several)
    try:
        several(*args, **kwargs)  # type: ignore[arg-type]
    except TypeError:
        with pytest.raises(TypeError, match=r"^several\(\) "):
            signature.encode_call(args, kwargs)
    else:
        payload, named = signature.encode_call(args, kwargs)
        assert (payload.count(b":"), named) == (count + len(names), True)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "several() missing a required argument: 'order'"),
        ((1, 2), {"price": 3}, "several() got an unexpected keyword argument 'price'"),
        ((1, 2, 3, 4), {}, "several() too many positional arguments"),
        ((1, 2), {"order": 3}, "several() multiple values for argument 'order'"),
    ],
)
def test_a_wrong_call_is_told_like_python_does(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    """The function and the argument are named."""
    with pytest.raises(TypeError) as caught:
        CallSignature(several).encode_call(args, kwargs)

    assert str(caught.value) == message


def test_an_argument_that_cannot_be_written_is_refused_with_its_name() -> None:
    """The message leads from the function to the part of the argument."""
    with pytest.raises(InvalidInput, match=r"^arguments of several\(\): \$\.order\.amount is nan"):
        CallSignature(several).encode_call((Order("1", math.nan), "EUR"), {})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"^argument 'order' of one\(\): \$\.amount is nan"):
        CallSignature(one).encode_call((Order("1", math.nan),), {})  # type: ignore[arg-type]


def test_arguments_have_one_limit_together() -> None:
    """It is the payload that is bounded, in bytes."""
    signature = CallSignature(several)

    assert len(signature.encode_call(("x", "y" * 100), {}, 127)[0]) == 127
    with pytest.raises(PayloadTooLarge, match=r"^arguments of several\(\) is 128 bytes"):
        signature.encode_call(("x", "y" * 101), {}, 127)


# ── read ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fn", "payload", "named", "args", "kwargs"),
    [
        (nothing, b"{}", True, (), {}),
        (nothing, b"null", True, (), {}),
        (nothing, b"null", False, (), {}),
        (one, b'{"id":"17"}', False, (Order("17"),), {}),
        (one, b'{"order":{"id":"17"}}', True, (Order("17"),), {}),
        (optional, b"{}", True, (), {}),
        (optional, b"null", False, (None,), {}),
        (keyword, b'{"id":"17"}', False, (), {"order": Order("17")}),
        (several, b'{"currency":"EUR","order":{"id":"1"}}', True, (Order("1"), "EUR"), {}),
        (
            several,
            b'{"order":{"id":"1"},"currency":"EUR","rate":2,"on":"2026-01-02"}',
            True,
            (Order("1"), "EUR", 2.0),
            {"on": date(2026, 1, 2)},
        ),
        (several, b'{"order":{"id":"1"},"currency":"EUR","note":"x"}', True, (Order("1"), "EUR"), {"note": "x"}),
        (untyped, b'{"a":[1]}', True, ([1],), {}),
        (self_named, b'{"copy":1,"__struct_fields__":"x","p0":3}', True, (1, "x", 3), {}),
    ],
)
def test_a_payload_gives_the_arguments_of_the_call(
    fn: Callable[..., Any], payload: bytes, named: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """They are of the declared types; what was left out is left out again, so that the default applies."""
    assert CallSignature(fn).decode_call(payload, named) == (args, kwargs)


ORDERS = st.builds(Order, st.text(st.characters(codec="utf-8")), st.integers())
CALLS = st.fixed_dictionaries(
    {"order": ORDERS, "currency": st.text(st.characters(codec="utf-8"))},
    optional={"rate": st.floats(allow_nan=False, allow_infinity=False), "on": st.dates(), "note": st.just("n")},
)


@given(CALLS, st.integers(0, 3))
def test_a_call_comes_back_as_it_was_made(given_by_name: dict[str, Any], positional: int) -> None:
    """However it was written, by position or by name, the function gets the same."""
    order = ["order", "currency", "rate"]
    args = tuple(given_by_name[name] for name in order[:positional] if name in given_by_name)
    kwargs = {name: value for name, value in given_by_name.items() if name not in order[: len(args)]}
    signature = CallSignature(several)

    read_args, read_kwargs = signature.decode_call(*signature.encode_call(args, kwargs))

    assert signature.signature.bind(*read_args, **read_kwargs).arguments == given_by_name


def grown(order: Order, currency: str = "EUR", *, on: date | None = None) -> None:
    """What `one` became."""


def regrown(order: Order, currency: str) -> None:
    """What `one` became, with a parameter that must be given."""


def test_old_payloads_fit_a_function_that_got_parameters() -> None:
    """From one parameter to several, and from several to more, if what is new has a default."""
    payload, named = CallSignature(one).encode_call((Order("17"),), {})

    assert CallSignature(grown).decode_call(payload, named) == ((Order("17"),), {})
    with pytest.raises(InvalidInput, match=r"needs 'currency' as well: give a parameter that is new a default"):
        CallSignature(regrown).decode_call(payload, named)


def test_a_gap_among_positional_arguments_is_bridged_by_name() -> None:
    """A default in the middle stays a default."""

    def middle(a: int, b: int = 2, c: int = 3, *, d: int = 4) -> None: ...

    signature = CallSignature(middle)

    assert signature.decode_call(b'{"a":1,"c":9,"d":8}', True) == ((1,), {"c": 9, "d": 8})


@pytest.mark.parametrize(
    ("fn", "payload", "named", "message"),
    [
        (one, b"3", False, "argument 'order' of one(): Expected `object`, got `int`"),
        (
            one,
            b'{"id":"1","amount":"x"}',
            False,
            "argument 'order' of one(): Expected `int`, got `str` - at `$.amount`",
        ),
        (several, b'{"currency":"EUR"}', True, "arguments of several(): Object missing required field `order`"),
        (
            several,
            b'{"order":{"id":3},"currency":"EUR"}',
            True,
            "arguments of several(): Expected `str`, got `int` - at `$.order.id`",
        ),
        (
            several,
            b'{"order":{"id":"1"},"currency":"EUR","colour":1}',
            True,
            "arguments of several(): Object contains unknown field `colour`",
        ),
        (nothing, b'{"a":1}', True, "arguments of nothing(): Object contains unknown field `a`"),
        (nothing, b"17", False, "arguments of nothing(): one value was given, but nothing() takes no argument"),
        (several, b"[1]", True, "arguments of several(): Expected `object`, got `array`"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused_with_its_place(
    fn: Callable[..., Any], payload: bytes, named: bool, message: str
) -> None:
    """Wrong types, missing and unknown arguments are told by name."""
    with pytest.raises(InvalidInput) as caught:
        CallSignature(fn).decode_call(payload, named)

    assert str(caught.value) == message


# ── results ──────────────────────────────────────────────────────────────────────────────────────


def test_a_result_comes_back_as_declared() -> None:
    """The hint after the arrow is what the caller gets."""
    signature = CallSignature(several)

    assert signature.decode_result(signature.encode_result([Order("1")])) == [Order("1")]
    assert CallSignature(nothing).encode_result(None) == b"null"
    assert CallSignature(nothing).decode_result(b"null") is None
    assert CallSignature(untyped).decode_result(b'{"a":1}') == {"a": 1}


def test_a_result_that_does_not_fit_is_refused() -> None:
    """When it is written, if it would not come back; when it is read, or checked, if it is of another type."""
    signature = CallSignature(one)

    with pytest.raises(InvalidInput, match=r"^result of one\(\): \$\[0\] is inf"):
        signature.encode_result([math.inf])
    with pytest.raises(PayloadTooLarge, match=r"^result of one\(\) is 5 bytes"):
        signature.encode_result("abc", 4)
    with pytest.raises(InvalidInput, match=r"^result of one\(\): Expected `str`, got `int`"):
        signature.decode_result(b"3")
    with pytest.raises(InvalidInput, match=r"^result of one\(\): Expected `str`, got `int`"):
        signature.result.encode_checked(3)


# ── declared ─────────────────────────────────────────────────────────────────────────────────────


def variadic(*orders: Order) -> None:
    """Any number of arguments."""


def options(**values: int) -> None:
    """Any names of arguments."""


def by_position(order: Order, /) -> None:
    """An argument without a name."""


def two_sorts(payment: Order | Cart | dict[str, int]) -> None:
    """An argument whose type JSON cannot tell."""


def comment(amount: int) -> None:
    """A function with prose where a type should be."""


comment.__annotations__["amount"] = "in cents"


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (variadic, r"variadic\(\) cannot be recorded with \*orders"),
        (options, r"options\(\) cannot be recorded with \*\*values"),
        (by_position, r"by_position\(\) cannot be recorded with the positional-only parameter 'order'"),
        (two_sorts, r"argument 'payment' of two_sorts\(\): the type .* cannot be read from JSON"),
        (comment, r"comment\(\): its type hints cannot be read: SyntaxError"),
    ],
)
def test_a_function_that_cannot_be_recorded_is_refused_when_it_is_declared(
    fn: Callable[..., Any], message: str
) -> None:
    """The parameter is named, long before the first call."""
    with pytest.raises(InvalidInput, match=message):
        CallSignature(fn)


def test_a_method_is_recorded_without_self() -> None:
    """`skip_first` leaves the instance out of payload and parameters."""
    signature = CallSignature(Cart.run, skip_first=True)

    assert signature.encode_call(("a", 2), {}) == (b'{"sku":"a","count":2}', True)
    assert signature.parameters == (Parameter("sku", str, True, True), Parameter("count", int, False, True))
    assert CallSignature(Cart.empty, skip_first=True).encode_call((), {}) == (b"{}", True)


def test_types_of_the_function_around_are_found() -> None:
    """Tests define their classes beside the functions that use them."""

    @dataclass
    class Local:
        value: int

    def use(local: Local) -> Local:
        return local

    signature = CallSignature(use)

    assert signature.decode_call(b'{"value":3}', False) == ((Local(3),), {})
    assert signature.result.hint is Local


def later(item: Item) -> Item:
    """A function above the class it uses."""
    return item


above = CallSignature(later)


@dataclass
class Item:
    """A class below the function that uses it."""

    value: int


def test_types_defined_further_down_are_looked_up_later() -> None:
    """The order of definitions in a module does not matter."""
    above.resolve()

    assert above.decode_call(b'{"value":3}', False) == ((Item(3),), {})


def hidden(part: Fraction) -> None:
    """A function with a type that exists for type checkers only."""


def test_a_type_that_is_not_there_at_run_time_is_told() -> None:
    """The message says where to import it; calls that could never be read are found by `resolve`."""
    signature = CallSignature(hidden)

    with pytest.raises(InvalidInput, match=r"^hidden\(\): the type 'Fraction' cannot be resolved .*TYPE_CHECKING"):
        signature.resolve()


class Adder:
    """An object that is called like a function."""

    def __call__(self, order: Order) -> None:
        """Take an order."""


def test_wrapped_and_partial_functions_show_their_own_parameters() -> None:
    """What a decorator or partial leaves open is what is recorded."""

    @functools.wraps(one)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return one(*args, **kwargs)

    assert CallSignature(wrapper).decode_call(b'{"id":"17"}', False) == ((Order("17"),), {})
    assert CallSignature(Adder()).decode_call(b'{"id":"17"}', False) == ((Order("17"),), {})
    partial = CallSignature(functools.partial(several, Order("1")), name="in_euro")
    assert partial.encode_call(("EUR",), {}) == (b'{"currency":"EUR"}', True)


def test_a_default_of_none_allows_none() -> None:
    """`note: str = None` is read as it is meant."""

    def sloppy(note: str = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

    assert CallSignature(sloppy).decode_call(b"null", False) == ((None,), {})


def test_whether_a_payload_from_outside_is_one_value_is_known() -> None:
    """Exactly one parameter takes the payload itself."""
    assert [CallSignature(fn).takes_value for fn in (nothing, one, optional, several)] == [False, True, True, False]


def test_a_function_that_never_returns_has_any_result() -> None:
    """The hint says something about the code, not about a value."""

    def forever() -> NoReturn:
        raise AssertionError

    assert CallSignature(forever).decode_result(b"[1]") == [1]
