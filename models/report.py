"""The report of an evaluation: the schema that `GET /report/{loss}` returns."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from models.evidence.classification import Classification
from models.evidence.confidence import Confidence
from models.evidence.cost import Cost
from models.evidence.feature_space import FeatureSpace
from models.evidence.finding import Finding
from models.evidence.geometry import GeometrySection
from models.evidence.leaks import Leaks
from models.evidence.pairs import PairsSection
from models.evidence.precision import PrecisionSection
from models.evidence.retrieval import RetrievalSection, VerificationSection
from models.evidence.robustness import Robustness
from models.evidence.transfer import TransferSection
from models.evidence.unknowns import UnknownsSection
from models.manifest import Frozen, Name, Sha256


class DatasetRecord(Frozen):
    """The images that the model saw, and how they were split."""

    name: str
    edition: str = Field(description="what distinguishes these files, such as JPEG compression")
    sha256: Sha256 = Field(
        description="of every file's path and content, in order; and of what was dropped"
    )
    train: int = Field(ge=1, description="images that the weights were fitted on")
    tuning: int = Field(ge=0, description="training images held out to choose by")
    calibration: int = Field(ge=0, description="training images held out to fit the temperature")
    test: int = Field(ge=1, description="test images; no weight and no choice depends on them")
    dropped: tuple[str, ...] = Field(
        default=(),
        description="training images that were left out as copies of test images (--drop-leaks)",
    )


class Provenance(Frozen):
    """Enough to run it again and to know what may differ."""

    dataset: DatasetRecord
    recipe: dict[str, object]
    seed: int
    command: str
    commit: str | None = Field(description="git commit of the code, with + if it was modified")
    versions: dict[str, str]
    hardware: str
    training_seconds: float = Field(
        ge=0, description="of this run alone; what it started from took its own time"
    )
    notes: tuple[str, ...] = Field(
        default=(), description="what a reader has to know of how the model came to be"
    )
    evaluated: datetime


class Epoch(Frozen):
    """One epoch of the learning curve."""

    epoch: int
    loss: float
    tuning_accuracy: float
    seconds: float
    diagnostics: dict[str, float] = Field(description="what the loss says of its own health")


class Figure(Frozen):
    """An SVG in the bundle's `figures/` folder."""

    name: Name
    title: str
    caption: str


class Report(Frozen):
    """The evaluation of one model on its test set."""

    schema_version: Literal[2] = 2
    name: Name
    loss: str
    classification: Classification
    confidence: Confidence
    unknowns: UnknownsSection
    geometry: GeometrySection
    retrieval: RetrievalSection
    verification: VerificationSection
    pairs: PairsSection | None = Field(
        default=None, description="absent in reports from before pairs were calibrated"
    )
    robustness: Robustness | None = Field(
        default=None, description="absent in reports from before it was measured"
    )
    transfer: TransferSection | None = Field(
        default=None, description="absent in reports from before it was measured"
    )
    precisions: tuple[PrecisionSection, ...] = Field(
        default=(), description="the model at other precisions, published or refused"
    )
    leaks: Leaks | None = Field(
        default=None, description="absent in reports from before copies were looked for"
    )
    feature_space: FeatureSpace
    cost: Cost
    learning_curve: tuple[Epoch, ...]
    findings: tuple[Finding, ...] = Field(description="what the loss doctor said of the training")
    figures: tuple[Figure, ...]
    provenance: Provenance
