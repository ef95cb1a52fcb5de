"""What a loop can do elsewhere and not in a workflow: refused by name, with what to do instead."""

from __future__ import annotations

import asyncio

import pytest

from aion._flow.forbidden import FORBIDDEN_METHODS, forbidden_method
from aion._flow.loop import WorkflowLoop
from aion.errors import ForbiddenInWorkflow


@pytest.mark.parametrize("name", FORBIDDEN_METHODS)
def test_what_reaches_outside_is_refused_and_says_what_to_do_instead(name: str) -> None:
    """Threads, sockets, processes, signals, files: each names itself and the way to do it."""
    method = getattr(WorkflowLoop(0), name)

    with pytest.raises(ForbiddenInWorkflow, match=rf"loop\.{name}\(\) reaches outside the workflow: \w+"):
        method(1, 2, key=3)
    assert method.__name__ == name


def test_only_methods_that_loops_have_are_refused() -> None:
    """A typing error in the table would leave the real method open."""
    unknown = [name for name in FORBIDDEN_METHODS if not hasattr(asyncio.BaseEventLoop, name)]
    standard = asyncio.new_event_loop()
    standard.close()

    assert [name for name in unknown if not hasattr(standard, name)] == []


def test_a_refusing_method_says_so_in_its_documentation() -> None:
    """Help on the loop shows what is not to be used."""
    method = forbidden_method("sing", "hum instead")

    assert method.__doc__ == "Forbidden: hum instead."
