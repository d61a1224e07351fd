"""Pictures of the embedding space, with what tells how far they can be believed."""

from pydantic import Field

from models.manifest import Frozen


class Projection(Frozen):
    """A 2-D picture of embeddings, and how much of their neighborhoods it keeps."""

    method: str
    images: int = Field(ge=1, description="test images shown")
    neighbours: int = Field(ge=1, description="k of the two measures below")
    trustworthiness: float | None = Field(
        description="Venna and Kaski 2001, by scikit-learn: 1 where the k nearest in the picture "
        "are near in the embedding space too; null with too few images"
    )
    neighbour_agreement: float | None = Field(
        description="mean share of an image's k nearest embeddings that are among its k nearest "
        "in the picture"
    )
    picture_accuracy: float | None = Field(
        description="share of images of whose k nearest in the picture more than half are of "
        "their class"
    )


class Plane(Frozen):
    """A model of the same loss with a true 2-D embedding, whose plot needs no projection."""

    test_images: int = Field(ge=1)
    accuracy: float = Field(description="on the test set, in 0..1")
    epochs: int = Field(ge=1)
    seed: int
    parameters: dict[str, float] = Field(description="the loss's own, after fitting to 2-D")
    largest_margin: float | None = Field(
        description="what this many classes in 2-D can hold, in the loss's own unit; null where "
        "the loss has no such bound"
    )
    separation_deg: float = Field(description="360 / classes: the angle that 2-D allows each class")


class FeatureSpace(Frozen):
    """Embeddings of the same test images before and after training, and in a true plane."""

    before: Projection
    after: Projection
    plane: Plane | None = Field(description="null where none was trained")
