"""The baseline of every model: always naming the most frequent class."""

from collections.abc import Mapping

from pydantic import Field

from models.manifest import Frozen


class Majority(Frozen):
    """The accuracy of always naming the class that most test images are of."""

    label: str
    accuracy: float = Field(description="share of the test images that are of it, in 0..1")


def majority(images: Mapping[str, int]) -> Majority:
    """The baseline of a test set with so many `images` of each class, at least one in all.

    The first of equally frequent classes.
    """
    label = max(images, key=lambda name: images[name])
    return Majority(label=label, accuracy=images[label] / sum(images.values()))
