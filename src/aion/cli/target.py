"""What `shop:fulfil` on a command line means: a module of the current directory, and one of its workflows."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from types import ModuleType
from typing import Any

from aion._flow.definitions import Workflow
from aion._flow.location import short_name
from aion.cli.failures import UserCodeFailed
from aion.errors import InvalidInput, NotFound

AnyWorkflow = Workflow[..., Any]


def load_target(target: str, wanted_type: str | None = None) -> tuple[ModuleType, AnyWorkflow]:
    """The module and the workflow that `module:workflow` names.

    The name behind the colon is the one in the module, or the registered one. Without it, the module's workflow of
    `wanted_type` is meant, or its only one.

    Raises:
        InvalidInput: the target is not written like one.
        NotFound: there is no such module, or no such workflow in it.
        UserCodeFailed: the module cannot be imported.
    """
    name, colon, workflow = target.partition(":")
    if name.endswith(".py"):
        raise InvalidInput(f"{target!r} names a file: write the module, as in {name[:-3].split('/')[-1]}:{workflow}")
    if not all(part.isidentifier() for part in name.split(".")) or (colon and not workflow):
        raise InvalidInput(f"{target!r} is not module:workflow: write shop:fulfil for `fulfil` in shop.py")
    module = _import(name)
    candidates = workflows_of(module)
    if not candidates:
        raise NotFound(f"module {name!r} has no workflow: decorate an async function with @aion.workflow")
    return module, _choose(name, candidates, workflow or None, wanted_type)


def workflows_of(module: ModuleType) -> dict[str, AnyWorkflow]:
    """The workflows of a module by the names they have there."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Workflow)}


def _choose(
    module: str, candidates: dict[str, AnyWorkflow], workflow: str | None, wanted_type: str | None
) -> AnyWorkflow:
    known = ", ".join(sorted(candidates))
    if workflow is not None:
        for name, candidate in candidates.items():
            if workflow in (name, candidate.name):
                return candidate
        raise NotFound(f"module {module!r} has no workflow {workflow!r}; it has: {known}")
    distinct = {id(candidate): candidate for candidate in candidates.values()}.values()
    fitting = [candidate for candidate in distinct if wanted_type in (None, candidate.name)]
    if len(fitting) == 1:
        return fitting[0]
    if wanted_type is not None:
        raise NotFound(f"module {module!r} has no workflow of type {wanted_type!r}; it has: {known}")
    raise InvalidInput(f"module {module!r} has several workflows: say which, as in {module}:{next(iter(candidates))}")


def _import(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is not None and (name == exc.name or name.startswith(f"{exc.name}.")):
            raise NotFound(f"there is no module {name!r} in {here}, nor among the installed ones") from exc
        raise _failed(name, exc) from exc
    except Exception as exc:
        # The user's own code, which may raise anything.
        raise _failed(name, exc) from exc


def _failed(name: str, exc: Exception) -> UserCodeFailed:
    """One sentence with the place in the user's code, which is what a traceback is read for."""
    place = ""
    if isinstance(exc, SyntaxError):
        place = f" ({os.path.basename(exc.filename or '')}:{exc.lineno})"
    else:
        frames = [f for f in traceback.extract_tb(exc.__traceback__) if not f.filename.startswith("<frozen ")]
        own = [frame for frame in frames if short_name(frame.filename) and frame.filename != importlib.__file__]
        if own:
            place = f" ({os.path.basename(own[-1].filename)}:{own[-1].lineno})"
    message = exc.msg if isinstance(exc, SyntaxError) else str(exc)
    return UserCodeFailed(f"module {name!r} cannot be imported: {type(exc).__name__}: {message}{place}")
