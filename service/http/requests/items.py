"""The items that a request brings, before they are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from service.collections import CollectionSpec, Metadata
from service.collections.errors import TooManyItems
from service.collections.validation import item_problem
from service.errors import MalformedBody, TooManyImages
from service.http.requests.body import media_type
from service.http.requests.images import MULTIPART, from_base64, read_images
from service.http.requests.json_body import loaded, read_json
from service.http.requests.negotiation import JSON
from service.http.requests.vectors import InvalidValue, Vector, read_vector
from service.inference.pixel_budget import Encoded
from service.settings import Settings
from service.vectors.errors import InvalidItems

MAX_ITEMS = 10_000

_MEMBERS = {"items", "model_sha256"}
_OF_AN_ITEM = {"id", "image", "vector", "label", "metadata"}


class ItemQuery(BaseModel):
    """The query parameters of the one image that is the body."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str | None = Field(None, description="of an image/* body; a new one where absent")
    label: str | None = Field(None, description="of an image/* body")
    metadata: str | None = Field(None, description="of an image/* body: a JSON object")


@dataclass(frozen=True)
class ItemDraft:
    """An item as it was sent: an image or a vector."""

    id: str
    label: str | None
    metadata: Metadata
    image: Encoded | None
    vector: Vector | None


@dataclass(frozen=True)
class ItemBatch:
    """The items of one request, and the model that the client says made its vectors."""

    drafts: tuple[ItemDraft, ...]
    model_sha256: str | None = None

    @property
    def images(self) -> bool:
        """Return whether one of them is an image."""
        return any(draft.image is not None for draft in self.drafts)


async def read_items(
    request: Request, query: ItemQuery, spec: CollectionSpec, settings: Settings
) -> ItemBatch:
    """The items of the body, in order; one at least, each id once.

    Raises InvalidItems with every bad item, TooManyItems, and what `read_images` raises.
    """
    scope, receive = request.scope, request.receive
    media = media_type(scope)
    named = query.model_fields_set
    if named and media in (JSON, MULTIPART):
        faults = [{"loc": ("query", name), "msg": "is of a raw image"} for name in sorted(named)]
        raise RequestValidationError(faults)
    if media == JSON:
        parse = partial(_parse_json, spec, settings.max_images)
        return await read_json(scope, receive, settings.max_body_bytes, parse)
    images = await read_images(scope, receive, settings)
    if named:
        value = query.model_dump(exclude_unset=True) | _metadata_of(query)
        return ItemBatch(_drafts([value | {"image": images[0]}], spec))
    return ItemBatch(tuple(ItemDraft(_new_id(), None, {}, image, None) for image in images))


def _metadata_of(query: ItemQuery) -> dict[str, object]:
    try:
        if query.metadata is None:
            return {}
        return {"metadata": from_json(query.metadata, allow_inf_nan=False)}
    except ValueError as error:
        raise InvalidItems((0,), (f"metadata must be JSON: {error}",)) from None


def _parse_json(spec: CollectionSpec, max_images: int, body: bytes) -> ItemBatch:
    value = loaded(body)
    if not isinstance(value, dict) or not value.keys() <= _MEMBERS:
        raise MalformedBody('send {"items": […]}, and "model_sha256" if you like')
    items, model_sha256 = value.get("items"), value.get("model_sha256")
    if not isinstance(items, list) or not items:
        raise MalformedBody("items: a list of one item or more is expected")
    if not isinstance(model_sha256, str | None):
        raise MalformedBody("model_sha256: text is expected")
    if len(items) > MAX_ITEMS:
        raise TooManyItems(MAX_ITEMS)
    if sum("image" in item for item in items if isinstance(item, dict)) > max_images:
        raise TooManyImages(max_images)
    return ItemBatch(_drafts(items, spec), model_sha256)


def _drafts(values: Sequence[object], spec: CollectionSpec) -> tuple[ItemDraft, ...]:
    """The drafts of well-formed items. Raises InvalidItems with every other one."""
    drafts, faults, first = list[ItemDraft](), dict[int, str](), dict[str, int]()
    for i, value in enumerate(values):
        try:
            drafts.append(draft := _draft(value, spec))
        except InvalidValue as fault:
            faults[i] = str(fault)
            continue
        if first.setdefault(draft.id, i) != i:
            faults[i] = (
                f"id must be unique in the request (item {first[draft.id]} has {draft.id!r}, too)"
            )
    if faults:
        raise InvalidItems(tuple(faults), tuple(faults.values()))
    return tuple(drafts)


def _draft(value: object, spec: CollectionSpec) -> ItemDraft:
    if not isinstance(value, dict):
        raise InvalidValue("must be a JSON object")
    if strange := value.keys() - _OF_AN_ITEM:
        raise InvalidValue(
            f"unknown field {min(strange)!r:.80}; known: {', '.join(sorted(_OF_AN_ITEM))}"
        )
    if ("image" in value) == ("vector" in value):
        raise InvalidValue("must have either an image or a vector")
    label, metadata = value.get("label"), value.get("metadata")
    item_id = _new_id() if value.get("id") is None else value["id"]
    _unless(item_problem(item_id, label, {} if metadata is None else metadata))
    return ItemDraft(
        item_id,
        label,
        metadata or {},
        _image(value["image"]) if "image" in value else None,
        read_vector(value["vector"], spec.dimension, spec.metric) if "vector" in value else None,
    )


def _new_id() -> str:
    return uuid4().hex


def _unless(problem: str | None) -> None:
    if problem is not None:
        raise InvalidValue(problem)


def _image(value: object) -> Encoded:
    if isinstance(value, str):
        return from_base64(value)
    if isinstance(value, bytes):
        return value
    raise InvalidValue("image must be base64 or a data URI")
