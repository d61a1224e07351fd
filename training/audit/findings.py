"""The findings of an audit: the schema of its `audit.json`, and the columns of its `audit.csv`."""

from datetime import datetime
from typing import Literal, get_args

from pydantic import Field

from models.manifest import Frozen, Sha256

Kind = Literal["leaks", "duplicates", "labels", "outliers", "unreadable"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Part = Literal["train", "test"]


class AuditFinding(Frozen):
    """One image to look at; `rank` counts from 1 within the kind, the clearest case first."""

    kind: Kind
    rank: int = Field(ge=1)
    id: str = Field(description="its path inside the data set")
    part: Part
    label: str = Field(description="as the folder has it")
    reason: str = Field(description="what was found, in words")
    score: float | None = Field(
        default=None,
        description="labels: probability of the label; leaks and duplicates: mean absolute "
        "difference of the pixels, of 255; outliers: mean distance to the nearest ten",
    )
    other: str | None = Field(default=None, description="leaks, duplicates: the image it copies")
    suggested: str | None = Field(default=None, description="labels: the class that it looks like")
    probable: bool = Field(
        default=True,
        description="false for images that are listed by rank alone: labels below 5 % of all that "
        "confident learning does not count as errors",
    )


class Counts(Frozen):
    """The probable findings of each kind."""

    leaks: int = Field(ge=0)
    duplicates: int = Field(ge=0)
    labels: int = Field(ge=0)
    outliers: int = Field(ge=0)
    unreadable: int = Field(ge=0)


class EmbeddingRecord(Frozen):
    """The vectors that labels and outliers were judged by."""

    model: str = Field(description="a published model or a run, as it was named")
    sha256: Sha256 = Field(description="of its ONNX file")
    dimension: int = Field(ge=1)
    accuracy: float = Field(
        ge=0,
        le=1,
        description="how often the probe, out of sample, agrees with the labels as they are: "
        "the lower, the less the order of labels means",
    )


class Audit(Frozen):
    """All that was found in a folder, and by what."""

    schema_version: Literal[1] = 1
    data: str
    sha256: Sha256 = Field(description="of every readable file's path and content, in order")
    classes: tuple[str, ...]
    train: int = Field(ge=0, description="readable images")
    test: int = Field(ge=0)
    searched: int = Field(ge=0, description="images of each part that were compared, at most")
    embedding: EmbeddingRecord
    counts: Counts
    findings: tuple[AuditFinding, ...]
    command: str
    created: datetime

    def of(self, kind: Kind) -> tuple[AuditFinding, ...]:
        """The findings of one kind, in order."""
        return tuple(one for one in self.findings if one.kind == kind)
