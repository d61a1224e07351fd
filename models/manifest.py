"""The manifest of a published model: the one page that both training and service read first."""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")

Metric = Literal["cosine", "l2"]
Scorer = Literal[
    "max_probability",
    "class_mean_distance",
    "knn_distance",
    "relative_mahalanobis",
    "principal_residual",
]
Precision = Literal["float32", "int8"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=_NAME.pattern)]
# inside the bundle: no part is empty or starts with a dot
RelativePath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)*$")]


def is_name(text: str) -> bool:
    """Return whether it may name a model or a figure; such a name is safe as a file's name."""
    return _NAME.fullmatch(text) is not None


class Frozen(BaseModel):
    """A value: immutable, strict about unknown fields, and without NaN, which JSON lacks."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Preprocess(Frozen):
    """The way from encoded bytes to the graph's input; see `models.preprocess.preprocess`."""

    size_px: int = Field(ge=1, description="height and width of the input, in pixels")
    resize: Literal["shorter-side-bilinear-antialias"] = "shorter-side-bilinear-antialias"
    crop: Literal["center"] = "center"
    half_scale: bool = Field(
        default=True,
        description="large JPEGs are decoded at half scale first; for models whose embeddings "
        "were seen to stay as they are (cosine of at least 0.999)",
    )


class FileRecord(Frozen):
    """One file of the bundle."""

    sha256: Sha256
    size_bytes: int = Field(ge=0)


class FirstWeights(Frozen):
    """Weights that a training started from, and that others made."""

    name: str = Field(description="what they are, and of which images")
    source: str = Field(description="where they come from")
    license: str = Field(description="SPDX identifier, such as Apache-2.0")
    sha256: Sha256 = Field(description="of the file that they were read from")


class Variant(Frozen):
    """The model at another precision: a graph of its own, proven beside the one in float32."""

    precision: Precision
    file: RelativePath = Field(description="its ONNX graph, of the same inputs and outputs")
    golden: RelativePath = Field(description="its golden batch, as golden.npz is float32's")
    gallery: RelativePath | None = Field(
        default=None, description="the gallery's embeddings by it, in the gallery's order, if any"
    )
    tolerance: float = Field(
        gt=0, le=0.1, description="largest difference from the golden batch, on any processor"
    )
    temperature: float = Field(gt=0, description="its own, inside its graph")
    may_mix: bool = Field(
        description="whether its vectors may stand beside those of float32: of an image's 10 "
        "nearest neighbors, 98 % at least are found across the two (the report has the figures)"
    )


class UnknownRule(Frozen):
    """The rule by which `/classify` calls an image unknown: its score is above the threshold.

    Scores, of which higher is more unknown (`models.open_set.scores`):
    `max_probability` is 1 - the highest probability; `class_mean_distance` the distance to the
    nearest class mean of the gallery; `knn_distance` the distance to the k-th nearest image of the
    gallery (Sun et al. 2022, arXiv 2204.06507). A distance is 1 - cosine where the manifest's
    metric is cosine, else Euclidean. `relative_mahalanobis` is the squared Mahalanobis distance to
    the nearest class of the gallery less that to all of it (Ren et al. 2021, arXiv 2106.09022), and
    may be negative; `principal_residual` the distance to the subspace of the gallery's largest
    variances, half of all dimensions (Wang et al. 2022, arXiv 2203.10807).
    """

    scorer: Scorer
    threshold: float = Field(description="unknown where score > threshold")
    k: int | None = Field(default=None, ge=1, description="of `knn_distance`; else none")
    accepts: float = Field(
        gt=0,
        le=1,
        description="the threshold is the least score that accepts at least this share of the "
        "calibration images, all of known classes",
    )


class Manifest(Frozen):
    """A published model.

    The ONNX graph takes `images` uint8 [b, h, w, 3] and gives `embedding` float32 [b, d]
    (unit length where `metric` is cosine) and `probabilities` float32 [b, c] (calibrated);
    everything after decoding is inside it.
    """

    schema_version: Literal[1] = 1
    name: Name
    version: int = Field(ge=1)
    loss: str = Field(description="the training loss, by its name in training.losses")
    metric: Metric = Field(description="the distance that the embedding space was trained for")
    dimension: int = Field(ge=1, description="d, the length of one embedding")
    labels: tuple[str, ...] = Field(min_length=2, description="class names, in output order")
    preprocess: Preprocess
    temperature: float = Field(
        gt=0, description="divides the head's scores before softmax; already inside the graph"
    )
    unknown: UnknownRule | None = Field(
        default=None, description="when an image is called unknown; null where it never is"
    )
    backbone: str
    first_weights: FirstWeights | None = Field(
        default=None,
        description="what the backbone was trained from, however many trainings ago; null for "
        "random weights, and where nobody knows",
    )
    parameters: int = Field(ge=1, description="trainable parameters of backbone and head")
    created: datetime
    gallery_size: int = Field(ge=0, description="items in gallery.npz")
    thumbnails: Sha256 | None = Field(
        default=None, description="names registry/thumbnails/<sha256>.npz, shared between models"
    )
    variants: tuple[Variant, ...] = Field(
        default=(), description="the model at other precisions, one each"
    )
    test_images: Sha256 | None = Field(
        default=None,
        description="names registry/thumbnails/<sha256>.npz, the images of map.npz that are not "
        "in the gallery, shared between models",
    )
    files: dict[RelativePath, FileRecord] = Field(
        description="every other file of the bundle, by path"
    )
