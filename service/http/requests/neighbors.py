"""The query of a neighbor search: images, vectors, or stored items."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import from_json

from service.collections.errors import TooManyItems
from service.errors import MalformedBody, NoImage, TooManyImages
from service.http.requests.body import media_type
from service.http.requests.images import from_base64, read_images
from service.http.requests.json_body import read_json, validated
from service.http.requests.json_shape import QUERIES
from service.http.requests.negotiation import JSON
from service.http.requests.parameters import Whole
from service.inference.gallery import COLLECTION
from service.inference.pixel_budget import Encoded
from service.settings import Settings
from service.vectors.errors import InvalidFilter
from service.vectors.filters import Where, parse_filter
from service.vectors.query import Search

MAX_QUERIES = 1_000
_NUMBERS_OR_BASE64 = {
    "type": "array",
    "items": {"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}]},
}


class NeighborsQuery(BaseModel):
    """The number of neighbors, and the query."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: str | None = Field(
        None,
        description="a model's name; where absent the default model, or the collection's own",
    )
    version: Whole | None = Field(
        None,
        description="a published version; where absent the newest, or the collection's own",
    )
    k: int = Field(10, ge=1, le=100, description="neighbors listed for each query")
    collection: str = Field(COLLECTION, description="where to search")
    filter: str | None = Field(
        None,
        description='a JSON object that hits must meet: {"species": "cat", "year": {"gte": 2020}}',
    )
    min_score: float | None = Field(
        None, allow_inf_nan=False, description="hits below it are left out"
    )

    def search(self, asked: "Queries") -> Search:
        """Make the search. Raises InvalidFilter, and RequestValidationError for two filters."""
        if self.filter is not None and asked.where is not None:
            fault = {"loc": ("query", "filter"), "msg": "is in the body too"}
            raise RequestValidationError([fault])
        where = self._where() if asked.where is None else asked.where
        return Search(self.k, where, self.min_score, asked.ids)

    def _where(self) -> Where:
        if self.filter is None:
            return ()
        try:
            return parse_filter(from_json(self.filter, allow_inf_nan=False))
        except ValueError as error:
            raise InvalidFilter(f"not JSON: {error}") from None


class NeighborsBody(BaseModel):
    """The JSON form of a request: images, vectors or ids."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[str], Field(fail_fast=True)] | None = Field(
        None, description="each one base64 or a data URI"
    )
    vectors: Annotated[list[Any], WithJsonSchema(_NUMBERS_OR_BASE64)] | None = Field(
        None, description="each one numbers, or base64 of little-endian float32"
    )
    ids: Annotated[list[str], Field(fail_fast=True)] | None = Field(
        None, description="items of the collection; each is left out of its own neighbors"
    )
    filter: dict[str, Any] | None = Field(
        None, description="what hits must meet, as in the parameter of that name"
    )
    model_sha256: str | None = Field(
        None,
        description="of the model.onnx that made the vectors; refused with 409 where another one "
        "made the collection",
    )


@dataclass(frozen=True)
class Queries:
    """The queries of one request, all of one kind."""

    images: tuple[Encoded, ...] = ()
    vectors: tuple[object, ...] = ()
    ids: tuple[str, ...] = ()
    where: Where | None = None
    model_sha256: str | None = None


async def read_queries(request: Request, settings: Settings) -> Queries:
    """The queries of the body, in order; one at least.

    Raises what `read_images` raises, TooManyItems and InvalidFilter.
    """
    scope, receive = request.scope, request.receive
    if media_type(scope) != JSON:
        return Queries(tuple(await read_images(scope, receive, settings)))
    parse = partial(_parse, settings.max_images)
    return await read_json(scope, receive, settings.max_body_bytes, parse)


def _parse(max_images: int, body: bytes) -> Queries:
    said = validated(body, NeighborsBody, QUERIES)
    given = {name for name in ("images", "vectors", "ids") if getattr(said, name) is not None}
    if len(given) != 1:
        raise MalformedBody("send one of images, vectors and ids")
    images, vectors, ids = said.images or (), said.vectors or (), said.ids or ()
    if not (images or vectors or ids):
        raise NoImage if given == {"images"} else MalformedBody(f"{min(given)}: the list is empty")
    if len(images) > max_images:
        raise TooManyImages(max_images)
    if len(vectors) + len(ids) > MAX_QUERIES:
        raise TooManyItems(MAX_QUERIES)
    where = None if said.filter is None else parse_filter(said.filter)
    return Queries(
        tuple(map(from_base64, images)), tuple(vectors), tuple(ids), where, said.model_sha256
    )
