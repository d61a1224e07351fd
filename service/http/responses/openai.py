"""OpenAI's shapes for embeddings and models, with images in the place of text."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from models.errors import UndecodableImage
from service.http.requests.base64_text import is_data_uri
from service.http.requests.images import from_base64
from service.http.requests.parameters import Whole
from service.http.responses.schemas import Schema
from service.inference.pixel_budget import Encoded

_EXPECTED = "images are expected, each as a data URI (data:image/png;base64,…), not text or tokens"


class EmbeddingsBody(BaseModel):
    """The body that OpenAI's clients send.

    Anything else is ignored, as OpenAI's servers and its proxies have it: clients add members of
    their own (`input_type`, `truncate`, `extra_body`, `metadata`, `drop_params`, …).
    """

    model_config = ConfigDict(extra="ignore")

    model: str = Field(description="a model's name, or name/version")
    input: str | Annotated[list[str], Field(fail_fast=True)] = Field(
        description="one image or several, each as a data URI"
    )
    encoding_format: Literal["float", "base64"] | None = Field("float", description="null is float")
    dimensions: Whole | None = Field(None, description="none but the model's own is taken")
    user: str | None = Field(None, description="ignored")

    @field_validator("input", mode="before")
    @classmethod
    def _holds_no_tokens(cls, given: object) -> object:
        items = given if isinstance(given, list) else [given]
        if not all(isinstance(item, str) for item in items):
            raise PydanticCustomError("no_image", _EXPECTED)
        return given

    @property
    def images(self) -> list[Encoded]:
        """The images, in order; an UndecodableImage where there is none."""
        uris = [self.input] if isinstance(self.input, str) else self.input
        return [
            from_base64(uri) if is_data_uri(uri) else UndecodableImage(_EXPECTED) for uri in uris
        ]


class OpenAIEmbedding(Schema):
    """One embedding, as OpenAI has it."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(
        description="numbers, or with encoding_format=base64 base64 of little-endian float32"
    )


class OpenAIUsage(Schema):
    """Images have no tokens, so these are 0."""

    prompt_tokens: int
    total_tokens: int


class OpenAIEmbeddings(Schema):
    """One embedding for each image, in order."""

    object: Literal["list"] = "list"
    data: list[OpenAIEmbedding]
    model: str = Field(description="as the request named it")
    usage: OpenAIUsage


class OpenAIModel(Schema):
    """One model, as OpenAI has it."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="when it was published, in seconds since 1970")
    owned_by: str = "lossatlas"


class OpenAIModels(Schema):
    """The models that are ready."""

    object: Literal["list"] = "list"
    data: list[OpenAIModel]
