"""The composition root: settings in, a wired engine out. The only place that names concrete stores."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from aion._core.duration import Duration
from aion._core.ids import check_id
from aion._flow.definitions import WorkflowCall
from aion._runtime.clock import Clock, SystemClock
from aion._runtime.engine import CoreEngine
from aion._runtime.entropy import Entropy, SystemEntropy
from aion._runtime.failpoints import Failpoints
from aion._runtime.registry import Registry
from aion._runtime.runner import ThreadRunner
from aion._runtime.settings import Settings
from aion.errors import InvalidInput, InvalidState
from aion.stores.base import Store
from aion.stores.memory import MemoryStore
from aion.stores.sqlite import SqliteStore

R = TypeVar("R")

_SQLITE = "sqlite:///"


def check_store(url: str | Store) -> str | Store:
    """The store as given, if it is a store or names one. Nothing is opened.

    Raises:
        InvalidInput: the scheme is unknown, or the URL has no path.
    """
    if isinstance(url, Store) or url == "memory:":
        return url
    if not isinstance(url, str):
        raise InvalidInput(f"a store is a URL or a Store object, not {url!r}")
    if not url.startswith(_SQLITE):
        raise InvalidInput(f"store {url!r} is of no known kind: expected 'memory:' or 'sqlite:///path.db'")
    if url == _SQLITE:
        raise InvalidInput(f"store {url!r} has no path: write sqlite:///file.db, or sqlite:////absolute/file.db")
    return url


def open_store(url: str | Store, *, read_only: bool = False, failpoints: Failpoints | None = None) -> Store:
    """The store that a URL names: `memory:`, `sqlite:///relative.db`, `sqlite:////absolute.db`.

    Raises:
        InvalidInput: the scheme is unknown, or the URL has no path.
        StoreError: the store cannot be opened; the message says why and what to do.
    """
    checked = check_store(url)
    if isinstance(checked, Store):
        return checked
    if checked == "memory:":
        return MemoryStore(shard_count=1)
    reach = None if failpoints is None else failpoints.reach
    return SqliteStore.open(checked[len(_SQLITE) :], read_only=read_only, failpoint=reach)


class Engine(CoreEngine):
    """A durable workflow engine on a store, embedded in this process.

    ```python
    async with aion.Engine("sqlite:///shop.db", register=[fulfil, charge]) as engine:
        run = await engine.start(fulfil(order), id="order-17")
        print(await run.result())
    ```

    `store` is a URL or a `Store` object; `register` are workflows, activities, or modules that contain them;
    `namespace` keeps its workflows apart from others in the same store. Further keywords are the fields of
    `Settings`.

    The store is opened when the engine is, not before.

    Raises:
        InvalidInput: the store's scheme is unknown, or two definitions share a name.
    """

    def __init__(
        self,
        store: str | Store,
        *,
        register: Iterable[object] = (),
        namespace: str = "default",
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        failpoints: Failpoints | None = None,
        **settings: Any,
    ) -> None:
        if not __debug__:
            raise InvalidState("Aion's own checks are assertions: run Python without -O")
        registry = Registry()
        registry.register(register)
        super().__init__(
            functools.partial(open_store, check_store(store), failpoints=failpoints),
            registry,
            clock or SystemClock(),
            entropy or SystemEntropy(),
            make_settings(namespace, settings),
            ThreadRunner(),
            failpoints,
        )


def make_settings(namespace: str, changes: dict[str, Any]) -> Settings:
    """Settings with some changed.

    Raises:
        InvalidInput: there is no such setting.
    """
    known = {field.name for field in dataclasses.fields(Settings)}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise InvalidInput(f"there is no engine setting {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    return Settings(namespace=check_id(namespace, "namespace"), **changes)


def run(call: WorkflowCall[R], *, store: str | Store = "memory:", id: str | None = None, grace: Duration = "10s") -> R:
    """Run one workflow to its end and return its result: for scripts. Must not be called from async code.

    With an id, a run that was interrupted goes on, and one that has finished gives its result again.
    """

    async def main() -> R:
        engine = Engine(store, register=[call.definition, sys.modules[call.definition.__module__]])
        await engine.start_serving()
        try:
            handle = await engine.start(call, id=id, on_conflict="attach")
            return await handle.result()
        finally:
            await engine.close(grace)

    return asyncio.run(main())
