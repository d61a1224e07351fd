"""Answers of the routes; the same models document them in OpenAPI."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.comparison import ComparisonReport
from models.evidence.baseline import Majority
from models.evidence.bounds import CONFIDENCE
from models.evidence.estimate import Estimate
from models.evidence.selective import Choice
from models.manifest import Manifest, Name, Precision, Sha256
from reports.across import Across


class Schema(BaseModel):
    """A value in an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EmbedResponse(Schema):
    """One embedding for each image, in order."""

    loss: str
    version: int
    precision: Precision = Field(description="which of the model's graphs answered")
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

    unknown: bool | None = Field(
        description="whether the image looks like none of the model's classes, by the rule "
        "`unknown` of the manifest; null where it has no rule, or no measurement chose it "
        "(`unknowns` of the report)"
    )
    top: list[ClassScore]


class ClassifyResponse(Schema):
    """One prediction for each image, in order."""

    loss: str
    version: int
    precision: Precision = Field(description="which of the model's graphs answered")
    predictions: list[Prediction]


class NeighborItem(Schema):
    """An item near the image; a higher score is nearer."""

    id: str
    label: str
    score: float = Field(description="cosine, or for an l2 model the negative squared distance")
    thumbnail: str | None = Field(description="address of a small JPEG, where there is one")


class Hit(Schema):
    """An item near the query; a higher score is nearer."""

    id: str
    label: str | None
    score: float = Field(description="cosine, or with metric l2 the negative squared distance")
    thumbnail: str | None = Field(description="address of a small JPEG, where there is one")
    metadata: dict[str, Any] = Field(description="empty in a gallery")


class NeighborsResponse(Schema):
    """The nearest items of each query, nearest first, queries in order."""

    loss: str
    version: int
    precision: Precision = Field(description="of the collection's vectors")
    collection: str
    neighbors: list[list[Hit]]


class ModelState(Schema):
    """One version of one model."""

    name: str
    version: int
    state: Literal["published", "loading", "ready", "damaged"] = Field(
        description="published: an older version, loaded when it is first asked for"
    )
    reason: str | None = Field(description="what is damaged")
    provider: str | None = Field(description="what runs it in onnxruntime, once it is ready")
    precision: Precision | None = Field(
        description="which of its graphs answers, once it is ready; by the setting `precision`"
    )


class ModelDetail(ModelState):
    """One version of one model and its manifest."""

    versions: list[int] = Field(description="every published version, newest first")
    batch_limit: int | None = Field(
        description="images that one batch takes in this worker, once the model is ready: "
        "on a processor as many as run in 50 ms, learned from the batches that it runs"
    )
    queue_limit: int | None = Field(
        description="images that may wait or run in this worker now, by the time that they take"
    )
    manifest: Manifest | None = Field(description="absent until the model is ready")


class ComparisonSummary(Schema):
    """One published comparison, in a line."""

    name: Name
    damage: str | None = Field(description="what is damaged; then nothing else is known of it")
    dataset: str | None
    dataset_sha256: Sha256 | None
    backbone: str | None
    epochs: int | None = Field(description="of each final run")
    seeds: int | None = Field(description="final runs of each loss")
    losses: tuple[str, ...]
    runs: int | None = Field(description="all of them: final ones, and those that left classes out")
    converged_runs: int | None = Field(
        description="runs whose loss had stopped gaining at their end; null where that was not "
        "recorded"
    )
    evaluated: datetime | None
    report: str = Field(description="address of the overview with the whole comparison")


class ModelList(Schema):
    """The version of every model that answers where a request names none."""

    default: str = Field(description="the model that answers where none is named")
    models: list[ModelDetail]
    comparisons: list[ComparisonSummary] = Field(
        default=[], description="the comparisons of the losses that are published beside them"
    )


class Readiness(Schema):
    """The state of loading: has every model that is not damaged answered its golden batch?"""

    status: Literal["ready", "loading", "unavailable"]
    models: list[ModelState]


class Reloaded(Schema):
    """The models after a reload."""

    answering: dict[str, int] = Field(
        description="the version of each model that answers where a request names none"
    )


class Liveness(Schema):
    """The process answers."""

    status: Literal["live"] = "live"


class LossSummary(Schema):
    """The headline of one model's report; of one training run, which ranks nothing."""

    name: str
    version: int
    loss: str
    test_images: int
    accuracy: Estimate = Field(description="share of test images with the right class")
    majority: Majority | None = Field(
        description="what an accuracy has to beat: always naming the most frequent class of the "
        "test set; null in reports from before it was stated"
    )
    macro_f1: float
    nll: float = Field(description="mean negative log-likelihood of the test images, in nats")
    ece: Estimate = Field(description="expected calibration error as served, in 0..1")
    adaptive_ece: Estimate = Field(description="the same over bins of equally many images")
    aurc: float = Field(description="area under the risk-coverage curve")
    unknown_auroc: float | None = Field(
        description="of the rule's scorer, mean over the rounds; null without such rounds"
    )
    recall_at_1: Estimate | None = Field(description="null where no image has another to find")
    map_at_r: Estimate | None = Field(description="null where no image has another to find")
    eer: Estimate | None = Field(description="equal error rate; null where pairs lack")
    temperature: float
    backbone: str
    dimension: int
    parameters: int
    model_bytes: int
    training_seconds: float
    dataset_sha256: str = Field(description="models of the same images share it")
    recipe: dict[str, object] = Field(description="the recipe of the training")
    report: str = Field(description="address of the whole report")


class ReportOverview(Schema):
    """The losses compared over several seeds, and the published models side by side."""

    comparison: ComparisonReport | None = Field(
        description="all losses under one protocol: the one that was asked for, or the one "
        "published without a name, or the headline of those with one; null where none is "
        "published, or it is damaged"
    )
    comparison_damage: str | None = Field(description="what is damaged about the comparison")
    comparisons: list[ComparisonSummary] = Field(
        default=[],
        description="every published one; `?comparison=` puts one of them into `comparison`",
    )
    across: list[Across] = Field(
        default=[],
        description="the verdicts of all comparisons side by side, and where they contradict each "
        "other; one entry for each set of losses",
    )
    losses: list[LossSummary]
    unavailable: list[ModelState] = Field(description="models that cannot be reported on now")


class ThresholdAnswer(Schema):
    """The confidence to ask for, so that no more than a share of the answers is wrong."""

    loss: str
    version: int
    max_error: float = Field(description="the share of wrong answers that was named, in 0..1")
    choice: Choice | None = Field(
        description="the threshold that accepts most images of those whose error is held at "
        "`max_error`, and what it does on the calibration split and on the test set; null where "
        "no threshold can be said to"
    )
    bound: float | None = Field(
        description="with this `confidence`, at most this share of the answers that it accepts is "
        "wrong, in 0..1, however many thresholds were looked at; null without a choice"
    )
    confidence: float = Field(
        default=CONFIDENCE, description="in how many draws of the images the bound holds, in 0..1"
    )
    bound_from: Literal["calibration", "test"] = Field(
        description="the split whose errors bound it: the calibration split, or the test set of a "
        "model whose calibration split was read for something else, too"
    )
    sentence: str = Field(description="the same in words")


class Fault(Schema):
    """One parameter that is not allowed."""

    parameter: str
    message: str


class OpenAIError(Schema):
    """The same error where OpenAI's clients look for it."""

    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: None = None
    code: str


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
    error: OpenAIError | None = Field(None, description="below /v1 alone")
