"""anyio's task groups cancel in order of creation inside workflows.

anyio keeps the scopes inside a scope in a set, and a scope hashes by its place in memory: when a group is cancelled,
its tasks are cancelled in another order each time. In a workflow they are kept in the order in which they came. anyio
may never be imported, or late: its module is amended when it is loaded, and nothing is imported for it.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

from aion._flow.running import workflow_loop

BACKEND = "anyio._backends._asyncio"


def install() -> None:
    """Amend anyio, now or when it is loaded; `guards.install` sees to it that this happens once."""
    loaded = sys.modules.get(BACKEND)
    if loaded is not None:
        amend(loaded)
    else:
        sys.meta_path.insert(0, _Finder())


def amend(module: Any) -> None:
    """Let the cancel scopes that are made in workflows keep their inner scopes in order."""
    scope = module.CancelScope
    plain = scope.__init__

    @functools.wraps(plain)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        if workflow_loop() is not None:
            self._child_scopes = _InOrder()

    scope.__init__ = __init__


def forget(task: Any) -> None:
    """Let go of what anyio keeps of a task that is dropped: a scope that was not left would keep the task for ever."""
    loaded = sys.modules.get(BACKEND)
    if loaded is not None:
        # It is private to anyio, and may be gone in another version.
        getattr(loaded, "_task_states", {}).pop(task, None)


class _InOrder(dict[Any, None]):
    """What anyio does with a set, in order of arrival."""

    def add(self, member: Any) -> None:
        self[member] = None

    def remove(self, member: Any) -> None:
        del self[member]

    def discard(self, member: Any) -> None:
        self.pop(member, None)


class _Finder:
    """Finds one module, as the others do, and amends it when it has been loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != BACKEND:
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((found for found in others if found is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = cast(Loader, _AmendingLoader(spec.loader))
        return spec


class _AmendingLoader:
    """Loads a module as another loader does, and amends it. That one may load others too, and stays as it is."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        amend(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
