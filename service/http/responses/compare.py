"""Answers of POST /compare; the same models document them in OpenAPI."""

from pydantic import Field

from models.manifest import Precision
from service.http.responses.schemas import ModelState, NeighborItem, Prediction, Schema


class Opinion(Prediction):
    """The answer of one loss about one image."""

    loss: str
    version: int
    precision: Precision = Field(description="which of the model's graphs answered")
    neighbors: list[NeighborItem] = Field(description="its nearest items, nearest first")


class Agreement(Schema):
    """The agreement of the losses about one image."""

    label: str = Field(
        description="the class that most losses name; of two with as many, the one that they give "
        "more probability to"
    )
    losses: int = Field(description="how many name it")
    of: int = Field(description="how many were asked")
    unknown: int | None = Field(
        description="how many call the image unknown; null where none of them can say"
    )


class ComparedImage(Schema):
    """One image as each loss sees it, in the order of `losses`."""

    agreement: Agreement
    opinions: list[Opinion]


class CompareResponse(Schema):
    """Every loss's prediction and neighbors for the same images, images in order."""

    losses: list[str] = Field(description="who answered: as they were named, else by name")
    images: list[ComparedImage]
    unavailable: list[ModelState] = Field(
        description="models that cannot answer now, where none was named"
    )
