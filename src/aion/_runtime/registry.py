"""Which definitions this engine knows, by name."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from aion._flow.definitions import Activity, Workflow
from aion.errors import InvalidInput, NotRegistered


class Registry:
    """Workflows and activities by name. Registering a name again replaces its definition."""

    def __init__(self) -> None:
        self.workflows: dict[str, Workflow[..., Any]] = {}
        self.activities: dict[str, Activity[..., Any]] = {}

    def register(self, things: Iterable[object]) -> set[str]:
        """Add definitions, or all that modules contain; the names of the workflows that are new or changed.

        Raises:
            InvalidInput: something is neither, or one call holds two definitions of one name.
        """
        workflows: dict[str, Workflow[..., Any]] = {}
        activities: dict[str, Activity[..., Any]] = {}
        for thing in things:
            for definition in _definitions_of(thing):
                # Names in type hints that cannot be resolved are found here, before anything is recorded.
                definition.signature.resolve()
                kind: dict[str, Any] = workflows if isinstance(definition, Workflow) else activities
                present = kind.setdefault(definition.name, definition)
                if present is not definition:
                    raise InvalidInput(
                        f"two definitions are named {definition.name!r}: {_origin(present)} and {_origin(definition)}; "
                        "give one of them another name=..."
                    )
        changed = {
            name for name, new in workflows.items() if (old := self.workflows.get(name)) is None or old.code != new.code
        }
        self.workflows.update(workflows)
        self.activities.update(activities)
        return changed

    def code_of(self, type: str) -> str | None:
        """The hash of the code that a workflow type has now."""
        definition = self.workflows.get(type)
        return None if definition is None else definition.code

    def check_workflow(self, definition: Workflow[..., Any]) -> None:
        """Raises `NotRegistered` for a workflow whose name this engine does not know."""
        if definition.name not in self.workflows:
            known = ", ".join(sorted(self.workflows)) or "none"
            raise NotRegistered(
                f"workflow {definition.name!r} is not registered with this engine (registered: {known}): "
                "pass it in register=[...] or call engine.register(...)"
            )


def _origin(definition: Workflow[..., Any] | Activity[..., Any]) -> str:
    return f"{definition.fn.__module__}.{definition.fn.__qualname__}"


def _definitions_of(thing: object) -> list[Workflow[..., Any] | Activity[..., Any]]:
    if isinstance(thing, Workflow | Activity):
        return [thing]
    if isinstance(thing, ModuleType):
        found: dict[int, Workflow[..., Any] | Activity[..., Any]] = {}
        for value in vars(thing).values():
            if isinstance(value, Workflow | Activity):
                found[id(value)] = value
        return list(found.values())
    raise InvalidInput(f"cannot register {thing!r}: expected a workflow, an activity, or a module that contains some")
