"""Answers to changed test images: noise, blur, light, JPEG, size and turn."""

from pydantic import Field

from models.evidence.estimate import Estimate
from models.manifest import Frozen


class Answered(Frozen):
    """The model's answers to the same images, changed in one way."""

    n: int = Field(ge=1, description="test images")
    accuracy: Estimate = Field(
        description="share of images with the right class, in 0..1; interval as for the "
        "classification section's accuracy"
    )
    ece: float = Field(description="expected calibration error as served, 15 equal-width bins")
    mean_confidence: float = Field(description="mean of the highest probability as served")


class Changed(Answered):
    """One change at one strength."""

    change: str = Field(description="its name, such as gaussian-noise")
    title: str = Field(description="the same for people")
    strength: float
    unit: str = Field(description="of the strength; empty where it is not measured in any")


class Robustness(Frozen):
    """Test images changed after decoding, at the size of the model's input, and answered again.

    Each change at each strength is made with random numbers of its own, from `seed`, its name and
    its strength; all models see the same images. Values are rounded and cut to 0..255.
    """

    images: int = Field(
        ge=1, description="test images: all, or the first so many in a random order by `seed`"
    )
    of: int = Field(ge=1, description="test images of the data set")
    seed: int
    unchanged: Answered
    changed: tuple[Changed, ...]

    def at(self, change: str, strength: float) -> Changed | None:
        """The row of that change at that strength; None where it was not measured."""
        rows = (one for one in self.changed if (one.change, one.strength) == (change, strength))
        return next(rows, None)

    def kept(self, row: Changed) -> float | None:
        """The accuracy that is left, as a share of that on unchanged images."""
        before = self.unchanged.accuracy.value
        return row.accuracy.value / before if before else None
