"""What workflow code must not do, with what to do instead; and the functions that no audit event tells of."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

from aion._flow.running import workflow_loop
from aion._flow.substitutes import Substitute
from aion._flow.trust import trusted
from aion.errors import ForbiddenInWorkflow

_ACTIVITY = "in an activity, a function decorated with @aion.activity, and await that"
FILES = f"do it {_ACTIVITY}"
NETWORK = f"talk to the network {_ACTIVITY}"
PROGRAMS = f"run the program {_ACTIVITY}"
DATABASE = f"use the database {_ACTIVITY}"
NATIVE = f"load and call native code {_ACTIVITY}"
THREADS = (
    "start tasks with asyncio.create_task() or asyncio.TaskGroup; for blocking work await an activity: "
    "a `def` decorated with @aion.activity runs in a thread"
)
INPUT = "wait for an aion.Signal, and send it from where somebody can answer"
SLEEP = "write `await asyncio.sleep(seconds)`, which is durable"

# Module and name → what it is called in the message, and what to do instead. Threads raise an audit event from Python
# 3.12 on; what `multiprocessing` uses to start a program raises none.
_FUNCTIONS = {
    ("_thread", "start_new_thread"): ("starting a thread", THREADS),
    ("_thread", "start_new"): ("starting a thread", THREADS),
    ("threading", "_start_new_thread"): ("starting a thread", THREADS),
    ("threading", "_start_joinable_thread"): ("starting a thread", THREADS),
    ("_posixsubprocess", "fork_exec"): ("starting a program", PROGRAMS),
}


def refusal(what: str, instead: str) -> ForbiddenInWorkflow:
    """The error to raise."""
    return ForbiddenInWorkflow(f"{what} reaches outside the workflow, where no replay could follow: {instead}")


def install() -> None:
    """Guard the functions without an audit event; `guards.install` sees to it that this happens once."""
    for (module, name), (what, instead) in _FUNCTIONS.items():
        guard(module, name, what, instead)
    # Every executor makes one for what it is given, also when the threads or processes run already.
    future: Any = importlib.import_module("concurrent.futures").Future
    made = future.__init__
    future.__init__ = functools.wraps(made)(_guarding(made, "giving work to an executor", THREADS))


def guard(module_name: str, name: str, what: str, instead: str) -> bool:
    """Refuse a function of a module in workflow code; whether this platform and this Python have it."""
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        return False
    plain = vars(module).get(name)
    if plain is None:
        return False
    setattr(module, name, Substitute(_guarding(plain, what, instead), module_name, name, plain))
    return True


def _guarding(plain: Callable[..., Any], what: str, instead: str) -> Callable[..., Any]:
    def guarding(*args: Any, **kwargs: Any) -> Any:
        loop = workflow_loop()
        if loop is not None and loop.guarded and not trusted(sys._getframe(1), type(loop).__module__):
            raise refusal(what, instead)
        return plain(*args, **kwargs)

    return guarding
