"""The parts of an item, and the result of making it, from whichever source."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from service.collections import NewItem


class RejectedInput(NamedTuple):
    """An input that could not be taken, and why."""

    id: str
    reason: str


Made = list[NewItem | RejectedInput]


class NamedItem(Protocol):
    """The parts of an item."""

    @property
    def id(self) -> str:
        """The item's id."""
        ...


T = TypeVar("T", bound=NamedItem)
# Begins to make items; the function that it gives waits for them.
Start = Callable[[Sequence[T]], Callable[[], Made]]
