"""Which definitions an engine knows."""

from __future__ import annotations

import types

import pytest

import aion
from aion._runtime.registry import Registry
from aion.errors import InvalidInput, NotRegistered


@aion.workflow(name="order")
async def order() -> None:
    """An order."""


@aion.workflow(name="order")
async def order_again() -> None:
    """Another order."""
    await charge()


@aion.activity
async def charge() -> None:
    """Charge."""


def test_registering_tells_what_is_new_or_changed() -> None:
    """The same code again is neither; activities are no workflows."""
    registry = Registry()

    assert registry.register([order, charge]) == {"order"}
    assert registry.register([order]) == set()
    assert registry.register([order_again]) == {"order"}
    assert registry.workflows == {"order": order_again}
    assert registry.activities == {"charge": charge}


def test_a_workflow_and_an_activity_may_share_a_name() -> None:
    """They are told apart by what they are."""

    @aion.activity(name="order")
    async def same_name() -> None:
        """An activity."""

    registry = Registry()
    registry.register([order, same_name])

    assert (registry.workflows["order"], registry.activities["order"]) == (order, same_name)


def test_one_definition_under_several_names_is_registered_once() -> None:
    """A module may import it, and it may be listed twice."""
    module = types.ModuleType("shop")
    vars(module).update(order=order, again=order, charge=charge, other=3)
    registry = Registry()
    registry.register([module, order])

    assert (list(registry.workflows), list(registry.activities)) == (["order"], ["charge"])


def test_two_definitions_of_one_name_leave_the_registry_as_it_was() -> None:
    """Also when they come from two modules."""
    one, two = types.ModuleType("one"), types.ModuleType("two")
    vars(one)["order"], vars(two)["order"] = order, order_again
    registry = Registry()
    for things in ([order, order_again], [one, two], [charge, order_again, one]):
        with pytest.raises(InvalidInput, match=r"two definitions are named 'order': .*order and .*order|order_again"):
            registry.register(things)

    assert (registry.workflows, registry.activities) == ({}, {})


def test_an_unknown_workflow_is_refused_with_what_is_known() -> None:
    """And with how to make it known."""
    registry = Registry()
    with pytest.raises(NotRegistered, match=r"\(registered: none\).*engine\.register"):
        registry.check_workflow(order)
    registry.register([order])
    registry.check_workflow(order_again)

    assert (registry.code_of("order"), registry.code_of("nope")) == (order.code, None)


def test_hints_that_cannot_be_resolved_are_found_when_registering() -> None:
    """Before anything is recorded under them."""

    @aion.workflow(name="unresolved")
    async def unresolved(value: NoSuchType) -> None:  # type: ignore[name-defined]  # noqa: F821
        """Never runs."""

    with pytest.raises(InvalidInput, match="NoSuchType"):
        Registry().register([unresolved])
