"""What an evaluation says: the schema that `GET /report/{loss}` returns."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from models.manifest import Frozen, Name, Sha256


class DatasetRecord(Frozen):
    """The images that the model saw, and how they were split."""

    name: str
    edition: str = Field(description="what distinguishes these files, such as JPEG compression")
    sha256: Sha256 = Field(description="of every file's path and content, in order")
    train: int = Field(ge=1, description="images that the weights were fitted on")
    tuning: int = Field(ge=0, description="training images held out to choose by")
    calibration: int = Field(ge=0, description="training images held out to fit the temperature")
    test: int = Field(ge=1, description="test images; read by the evaluation alone")


class Provenance(Frozen):
    """Enough to run it again and to know what may differ."""

    dataset: DatasetRecord
    recipe: dict[str, object]
    seed: int
    command: str
    commit: str | None = Field(description="git commit of the code, with + if it was modified")
    versions: dict[str, str]
    hardware: str
    training_seconds: float = Field(ge=0)
    evaluated: datetime


class ClassMetrics(Frozen):
    """One class against the rest on the test set. Rates are in 0..1; undefined ones are 0."""

    label: str
    support: int
    precision: float
    recall: float
    f1: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


class Confusion(Frozen):
    """Counts: `counts[i][j]` test images of class i were predicted as class j."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class ClassDifference(Frozen):
    """One class's errors beside the baseline's; negative differences are fewer errors."""

    label: str
    false_positives: int
    baseline_false_positives: int
    false_positives_difference: int
    false_negatives: int
    baseline_false_negatives: int
    false_negatives_difference: int


class Comparison(Frozen):
    """This model against a baseline, on the same test images."""

    baseline: str
    baseline_accuracy: float
    accuracy_difference: float
    classes: tuple[ClassDifference, ...]


class Calibration(Frozen):
    """The temperature, and the calibration split's mean NLL in nats before and after it."""

    temperature: float
    nll_before: float
    nll_after: float
    n: int


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

    schema_version: Literal[1] = 1
    name: Name
    loss: str
    test_images: int
    accuracy: float
    classes: tuple[ClassMetrics, ...]
    confusion: Confusion
    against_softmax: Comparison | None = Field(
        default=None, description="absent where no softmax model of the same test set was at hand"
    )
    calibration: Calibration
    learning_curve: tuple[Epoch, ...]
    figures: tuple[Figure, ...]
    provenance: Provenance
