"""The bodies that the routes of collections take, and how OpenAPI describes them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from models.manifest import Metric
from service.collections import Kind, Metadata
from service.collections.validation import (
    ID_CHARACTERS,
    KEYS,
    LABEL_CHARACTERS,
    METADATA_BYTES,
)
from service.http.requests.images import IMAGES_CONTENT
from service.http.requests.negotiation import JSON
from service.http.requests.neighbors import NeighborsBody
from service.http.requests.parameters import Whole

MOST_COPIED = 1_000
REFERENCES = "#/components/schemas/{model}"


class CollectionBody(BaseModel):
    """The definition of a collection; an existing one is compared with the fields that are set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: str | None = Field(None, description="a model's name; the default model where absent")
    version: Whole | None = Field(
        None, ge=1, description="a published version; by default the one that answers"
    )
    metric: Metric | None = Field(
        None,
        description="cosine (every vector is brought to unit length) or l2; the model's own where "
        "absent",
    )
    index: Kind = Field("auto", description="auto chooses by size")
    keep_images: bool = Field(True, description="whether the images are kept as they were sent")

    def said(self) -> dict[str, Any]:
        """Return the choices that the body makes."""
        return self.model_dump(exclude_none=True, include=self.model_fields_set)


class NewItemBody(BaseModel):
    """An item to put: an image or a vector."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(
        None,
        min_length=1,
        max_length=ID_CHARACTERS,
        description="replaces the item of the same id; a new one where absent",
    )
    image: str | None = Field(None, description="base64 or a data URI")
    vector: list[float] | str | None = Field(
        None, description="numbers, or base64 of little-endian float32"
    )
    label: str | None = Field(None, min_length=1, max_length=LABEL_CHARACTERS)
    metadata: Metadata = Field(
        {}, description=f"{KEYS} members and {METADATA_BYTES:,} bytes at most"
    )


class ItemsBody(BaseModel):
    """The JSON form of a batch of items."""  # `service.http.requests.items` reads it

    model_config = ConfigDict(extra="forbid")

    items: list[NewItemBody] = Field(min_length=1, description="each id once")
    model_sha256: str | None = Field(
        None,
        description="of the model.onnx that made the vectors; refused with 409 where it is another "
        "than the collection's",
    )


class LabelBody(BaseModel):
    """The label that an item is to have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str | None = Field(
        min_length=1, max_length=LABEL_CHARACTERS, description="null takes the label away"
    )


class CopyBody(BaseModel):
    """The items that are to be copied, and the collection that has them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(description="a collection of the same model")
    ids: list[str] = Field(min_length=1, max_length=MOST_COPIED, description="each id once")


def _described(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=REFERENCES)
    schema.pop("$defs", None)  # `service.http.responses.openapi` has them
    return {"schema": schema}


COLLECTION_BODY: dict[str, Any] = {
    "requestBody": {"required": False, "content": {JSON: _described(CollectionBody)}}
}
LABEL_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {JSON: _described(LabelBody)}}
}
COPY_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {JSON: _described(CopyBody)}}
}
ITEMS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {**IMAGES_CONTENT, JSON: _described(ItemsBody)},
    }
}
NEIGHBORS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {**IMAGES_CONTENT, JSON: _described(NeighborsBody)},
    }
}
