"""What the routes answer; the same models document them in OpenAPI."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.manifest import Manifest


class Schema(BaseModel):
    """A value in an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EmbedResponse(Schema):
    """One embedding for each image, in order."""

    loss: str
    version: int
    dimension: int = Field(description="d, the length of one embedding")
    embeddings: list[list[float]] | list[str] = Field(
        description="numbers, or with encoding_format=base64 each one base64 of d little-endian "
        "float32"
    )


class ClassScore(Schema):
    """A class and its calibrated probability."""

    label: str
    probability: float


class Prediction(ClassScore):
    """The likeliest class of one image, and the `top_k` likeliest."""

    top: list[ClassScore]


class ClassifyResponse(Schema):
    """One prediction for each image, in order."""

    loss: str
    version: int
    predictions: list[Prediction]


class NeighborItem(Schema):
    """An item near the image; a higher score is nearer."""

    id: str
    label: str
    score: float = Field(description="cosine, or for an l2 model the negative squared distance")
    thumbnail: str | None = Field(description="address of a small JPEG, where there is one")


class NeighborsResponse(Schema):
    """The nearest items of each image, nearest first, images in order."""

    loss: str
    version: int
    collection: str
    neighbors: list[list[NeighborItem]]


class ModelState(Schema):
    """One version of one model."""

    name: str
    version: int
    state: Literal["published", "loading", "ready", "damaged"] = Field(
        description="published: an older version, loaded when it is first asked for"
    )
    reason: str | None = Field(description="what is damaged")
    provider: str | None = Field(description="what runs it in onnxruntime, once it is ready")


class ModelDetail(ModelState):
    """One version of one model and its manifest."""

    versions: list[int] = Field(description="every published version, newest first")
    manifest: Manifest | None = Field(description="absent until the model is ready")


class ModelList(Schema):
    """The newest version of every model."""

    default: str = Field(description="the model that answers where none is named")
    models: list[ModelDetail]


class Readiness(Schema):
    """Whether every model that is not damaged has answered its golden batch."""

    status: Literal["ready", "loading", "unavailable"]
    models: list[ModelState]


class Liveness(Schema):
    """The process answers."""

    status: Literal["live"] = "live"


class LossSummary(Schema):
    """The headline of one model's report."""

    name: str
    version: int
    loss: str
    test_images: int
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    nll: float = Field(description="calibration split's mean negative log-likelihood, in nats")
    temperature: float
    backbone: str
    dimension: int
    parameters: int
    training_seconds: float
    dataset_sha256: str = Field(description="models of the same images share it")
    recipe: dict[str, object] = Field(description="what the training was told")
    f1: dict[str, float] = Field(description="by class")
    report: str = Field(description="address of the whole report")


class ReportOverview(Schema):
    """The losses side by side."""

    losses: list[LossSummary]
    unavailable: list[ModelState] = Field(description="models that cannot be reported on now")


class Fault(Schema):
    """One parameter that is not allowed."""

    parameter: str
    message: str


class Problem(BaseModel):
    """An error, as RFC 9457 describes it; further members are facts such as `index`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:lossatlas:problem:undecodable_image"])
    title: str
    status: int
    detail: str
    code: str = Field(description="what to branch on", examples=["undecodable_image"])
    request_id: str | None = Field(description="also in X-Request-ID and in the service's log")
    limit: int | None = Field(None, description="the limit that was passed")
    index: int | None = Field(None, description="the first bad image, counted from 0")
    indexes: list[int] | None = Field(None, description="every bad image")
    available: list[str] | None = Field(None, description="the names that exist")
    errors: list[Fault] | None = None
