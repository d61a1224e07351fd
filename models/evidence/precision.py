"""The same model at another precision, beside the one in float32, on the same test images."""

from pydantic import Field

from models.evidence.classification import McNemar
from models.evidence.confidence import Calibration
from models.evidence.cost import Cost
from models.evidence.estimate import Estimate
from models.manifest import Frozen, Precision

LEAST_RECALL = 0.98
"""Of neighbors across precisions: from there on, vectors of both may stand in one collection."""
LARGEST_LOSS = 0.005
"""Of accuracy: a variant is published where the difference's interval lies above its negative."""


class PrecisionSection(Frozen):
    """The effect of a precision. Differences are this precision less float32."""

    precision: Precision
    published: bool = Field(
        description="whether the bundle has it: no loss of accuracy is detectable (McNemar's test "
        "at 5 %) and the difference's interval ends above -0.5 points"
    )
    n: int = Field(ge=1, description="test images")
    calibrated_on: int = Field(ge=1, description="training images that gave the ranges")
    float_convolutions: int = Field(ge=0, description="first convolutions left in float32")
    convolutions: int = Field(ge=1, description="of how many")
    calibration: Calibration = Field(description="of this precision, by the calibration split")
    accuracy: Estimate = Field(description="share of the test images that it classifies right")
    accuracy_difference: Estimate = Field(description="paired, on the same images")
    test: McNemar
    agreement: Estimate = Field(description="share of images that both put in the same class")
    ece: Estimate = Field(description="expected calibration error, as in the confidence section")
    ece_of_float32: Estimate
    cosine: float = Field(description="mean cosine of an image's two embeddings")
    least_cosine: float
    recall_in_float32: float = Field(
        ge=0,
        le=1,
        description="of the 10 nearest gallery images of a float32 query, the share that this "
        "precision's query finds among the same float32 vectors; mean over test images",
    )
    recall_by_float32: float = Field(
        ge=0,
        le=1,
        description="the same, where this precision made the gallery and float32 asks",
    )
    cost: Cost | None = Field(
        default=None, description="timed by `python -m training quantize --cost`; else null"
    )

    @property
    def may_mix(self) -> bool:
        """Return whether its vectors may stand beside those of float32."""
        return min(self.recall_in_float32, self.recall_by_float32) >= LEAST_RECALL
