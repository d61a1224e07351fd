"""The request of POST /verify: what is compared, and how the threshold is chosen."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from service.collections.errors import TooManyItems
from service.errors import MalformedBody, TooManyImages
from service.http.requests.body import media_type
from service.http.requests.images import IMAGES_CONTENT, from_base64, read_images
from service.http.requests.json_body import read_json, validated
from service.http.requests.json_shape import QUERIES
from service.http.requests.negotiation import JSON
from service.http.requests.neighbors import MAX_QUERIES
from service.http.requests.parameters import Whole
from service.inference.gallery import COLLECTION
from service.inference.pixel_budget import Encoded
from service.inference.verification import DEFAULT_FAR, Wanted
from service.settings import Settings

_FEWEST = 2
_NUMBERS_OR_BASE64 = {
    "type": "array",
    "items": {"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}]},
}
Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ThresholdQuery(BaseModel):
    """At most one way to choose a threshold for pairs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    far: Rate | None = Field(
        None,
        description="false-accept rate to keep: share of pairs of two classes that are called same",
    )
    frr: Rate | None = Field(
        None,
        description="false-reject rate to keep: share of pairs of one class that are not called "
        "same",
    )
    threshold: float | None = Field(
        None, allow_inf_nan=False, description="a score from which on a pair is called the same"
    )

    @model_validator(mode="after")
    def _one_at_most(self) -> "ThresholdQuery":
        given = [name for name in ("far", "frr", "threshold") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of far, frr and threshold (got {', '.join(given)})")
        return self

    @property
    def wanted(self) -> Wanted:
        """Return the way that was chosen."""
        return Wanted(self.far, self.frr, self.threshold)


class VerifyQuery(ThresholdQuery):
    """The model, the stored items, the threshold and the prior."""

    loss: str | None = Field(
        None,
        description="a model's name; where absent the default model, or the collection's own",
    )
    version: Whole | None = Field(
        None,
        description="a published version; where absent the newest, or the collection's own",
    )
    collection: str = Field(COLLECTION, description="where items are stored")
    id: tuple[str, ...] = Field(
        (), description="a stored item to compare with, repeated for several; after those in a body"
    )
    prior: float = Field(
        0.5,
        gt=0,
        lt=1,
        allow_inf_nan=False,
        description="share of the pairs that you ask about that show one class; `probability` "
        "depends on it, `score` and `same` do not",
    )


class VerifyBody(BaseModel):
    """Two or more images, vectors or stored items; the first is compared with each of the others.

    Images come before vectors, and vectors before ids.
    """

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[str], Field(fail_fast=True)] = Field(
        [], description="each one base64 or a data URI"
    )
    vectors: Annotated[list[Any], WithJsonSchema(_NUMBERS_OR_BASE64)] = Field(
        [], description="each one numbers, or base64 of little-endian float32"
    )
    ids: Annotated[list[str], Field(fail_fast=True)] = Field(
        [], description="items of the collection"
    )
    model_sha256: str | None = Field(
        None,
        description="of the model.onnx that made the vectors; refused with 409 where another one "
        "answers",
    )


@dataclass(frozen=True)
class Compared:
    """The parts of one request, in the order in which they are compared."""

    images: tuple[Encoded, ...] = ()
    vectors: tuple[object, ...] = ()
    ids: tuple[str, ...] = ()
    model_sha256: str | None = None


def _check_counts(images: int, others: int, max_images: int) -> None:
    if images > max_images:
        raise TooManyImages(max_images)
    if others > MAX_QUERIES:
        raise TooManyItems(MAX_QUERIES)
    if images + others < _FEWEST:
        raise MalformedBody(
            f"images, vectors and ids must be at least {_FEWEST} together (got {images + others}); "
            "the first is compared with each of the others"
        )


async def read_compared(request: Request, query: VerifyQuery, settings: Settings) -> Compared:
    """The parts of the body and of the query; two at least.

    Raises what `read_images` raises, MalformedBody for fewer than two, and TooManyItems.
    """
    scope, receive = request.scope, request.receive
    if media_type(scope) != JSON:
        images = tuple(await read_images(scope, receive, settings))
        _check_counts(len(images), len(query.id), settings.max_images)
        return Compared(images, ids=query.id)
    parse = partial(_parse, query, settings.max_images)
    return await read_json(scope, receive, settings.max_body_bytes, parse)


def _parse(query: VerifyQuery, max_images: int, body: bytes) -> Compared:
    said = validated(body, VerifyBody, QUERIES)
    images, vectors, ids = tuple(said.images), tuple(said.vectors), (*said.ids, *query.id)
    _check_counts(len(images), len(vectors) + len(ids), max_images)
    return Compared(tuple(map(from_base64, images)), vectors, ids, said.model_sha256)


VERIFY_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {**IMAGES_CONTENT, JSON: {"schema": VerifyBody.model_json_schema()}},
    }
}
DEFAULT = f"far={DEFAULT_FAR:g}"
