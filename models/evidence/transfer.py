"""The worth of a model's embeddings on classes of another data set."""

from pydantic import Field

from models.evidence.estimate import Estimate
from models.manifest import Frozen, Sha256


class TransferSet(Frozen):
    """Another data set, whose classes a linear probe of the frozen embeddings learned."""

    name: str = Field(description="such as digits, or a folder's name")
    sha256: Sha256 = Field(description="of what its images are made from")
    classes: int = Field(ge=2)
    train: int = Field(ge=1, description="images that the probe was fitted on, at most 2,000")
    test: int = Field(ge=1, description="other images that it was asked about, at most 2,000")
    accuracy: Estimate = Field(
        description="share of those given the right class, in 0..1; modified Wilson 95 % interval "
        "over the test images, with the probe held fixed"
    )
    majority: float = Field(
        ge=0, le=1, description="accuracy of always naming their most frequent class"
    )


class TransferSection(Frozen):
    """A linear probe of frozen embeddings: logistic regression, standardized, L2 strength C = 1.

    Nothing is searched or tuned.
    """

    sets: tuple[TransferSet, ...] = Field(min_length=1)
