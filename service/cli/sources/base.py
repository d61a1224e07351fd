"""What items are made of, and what comes of making them, from whichever source."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from service.collections import NewItem


class Fault(NamedTuple):
    """What could not be taken, and why."""

    id: str
    reason: str


Made = list[NewItem | Fault]


class Named(Protocol):
    """What an item is made of."""

    @property
    def id(self) -> str:
        """The item's id."""
        ...


T = TypeVar("T", bound=Named)
# Begins to make items; the function that it gives waits for them.
Start = Callable[[Sequence[T]], Callable[[], Made]]
