"""Parameters that several routes have."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field


class NoQuery(BaseModel):
    """The address takes no parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


NoParameters = Annotated[NoQuery, Query()]
ItemId = Annotated[
    str, Path(alias="id", description="an item's id, which may hold slashes; percent-encoded")
]


class ItemNamed(BaseModel):
    """An item by its id, whatever that is: also one that a path cannot carry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(description="an item's id")
