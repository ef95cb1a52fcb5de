"""Classes whose values the tests of the converter write and read, or have refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Colour(Enum):
    """An enum of texts."""

    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    """A named tuple with a default."""

    x: int
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Item:
    """A class with a set."""

    price: float
    tags: frozenset[str] = frozenset()


@dataclass
class Box(Generic[T]):
    """A generic class, which holds anything."""

    content: T
