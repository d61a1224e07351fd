"""Parameters that several routes have."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError


class NoQuery(BaseModel):
    """The address takes no parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _no_bool(given: object) -> object:
    if isinstance(given, bool):  # an int to Python and pydantic, though not to JSON
        raise PydanticCustomError("no_number", "a number is expected, not true or false")
    return given


def _of_64_bits(number: int) -> int:
    if not -(2**63) <= number < 2**63:  # answers, and SQLite, could not carry it
        raise PydanticCustomError("beyond_64_bits", "the integer is beyond 64 bits")
    return number


Whole = Annotated[int, BeforeValidator(_no_bool), AfterValidator(_of_64_bits)]
NoParameters = Annotated[NoQuery, Query()]
ItemId = Annotated[
    str, Path(alias="id", description="an item's id, which may hold slashes; percent-encoded")
]


class ItemNamed(BaseModel):
    """An item by its id, whatever that is: also one that a path cannot carry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(description="an item's id")
