"""anyio's cancel scopes keep their order in workflows, whenever anyio is imported."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import anyio._backends
import pytest

from aion._flow import anyio_order, guards
from tests.flow.toy_loop import run

guards.install()


class Scope:
    """As much of a cancel scope as is amended."""

    def __init__(self, shield: bool = False) -> None:
        self.shield = shield
        self._child_scopes: Any = set()


def scopes_inside() -> Any:
    """The inner scopes of a scope that is made now, after some coming and going."""
    inner = Scope(shield=True)._child_scopes
    for number in (5, 1, 9, 3):
        inner.add(number)
    inner.add(5)
    inner.remove(1)
    inner.discard(9)
    inner.discard(77)
    inner.add(1)
    with pytest.raises(KeyError):
        inner.remove(77)
    return inner


async def scopes_in_a_task() -> Any:
    """The same, of a scope that is made in a task."""
    return scopes_inside()


def test_inner_scopes_stay_in_order_in_a_workflow_only() -> None:
    """Elsewhere anyio has the set that it made."""
    anyio_order.amend(SimpleNamespace(CancelScope=Scope))

    assert list(run(scopes_in_a_task())) == [5, 3, 1]
    assert type(asyncio.run(scopes_in_a_task())) is set
    assert type(scopes_inside()) is set


def test_the_finder_amends_the_module_when_it_has_been_loaded() -> None:
    """Another copy of it, here; the module that programs use is not touched."""
    finder = anyio_order._Finder()
    assert finder.find_spec("anyio._backends._trio", list(anyio._backends.__path__)) is None

    spec = finder.find_spec(anyio_order.BACKEND, list(anyio._backends.__path__))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert module.CancelScope.__init__.__wrapped__.__module__ == anyio_order.BACKEND
    assert "class CancelScope" in inspect.getsource(module)


def test_what_anyio_keeps_of_a_task_can_be_let_go() -> None:
    """And there is nothing to let go of while anyio is not loaded."""
    states = {"task": "scope", "other": "scope"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, anyio_order.BACKEND, SimpleNamespace(_task_states=states))
        anyio_order.forget("task")
        anyio_order.forget("unknown")
        patch.delitem(sys.modules, anyio_order.BACKEND)
        anyio_order.forget("other")

    assert states == {"other": "scope"}


def test_a_module_that_comes_later_is_waited_for() -> None:
    """By a finder that stands before all others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "meta_path", [*sys.meta_path])
        patch.setitem(sys.modules, anyio_order.BACKEND, SimpleNamespace(CancelScope=Scope))
        anyio_order.install()
        assert not isinstance(sys.meta_path[0], anyio_order._Finder)
        patch.delitem(sys.modules, anyio_order.BACKEND)
        anyio_order.install()
        assert isinstance(sys.meta_path[0], anyio_order._Finder)


def test_without_anyio_nothing_is_found() -> None:
    """The finder finds what others find, and no more."""
    finder = anyio_order._Finder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "meta_path", [finder])
        found = finder.find_spec(anyio_order.BACKEND, None)

    assert found is None


PROGRAM = """
{before}
import sys
from aion._flow import guards
guards.install()
assert {loaded} == ("anyio._backends._asyncio" in sys.modules)
from tests.flow.toy_loop import ToyLoop
async def main():
    import anyio
    with anyio.CancelScope() as scope:
        await anyio.sleep(1)
    return type(scope._child_scopes).__name__
print(ToyLoop().run(main()))
import anyio.to_thread
"""


@pytest.mark.parametrize(
    ("before", "loaded"), [("", False), ("import anyio", False), ("import anyio._backends._asyncio", True)]
)
def test_anyio_is_amended_when_it_is_loaded(before: str, loaded: bool) -> None:
    """Before the guards, after them, or in the middle of a workflow."""
    program = PROGRAM.format(before=before, loaded=loaded)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("_InOrder\n", "")
