"""Answers of the routes of the map; the same models document them in OpenAPI."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from pydantic import Field

from models.image_map import NOT_SAID
from service.http.responses.schemas import Schema
from service.inference.engine import Engine
from service.inference.mapped_models import MappedModel, MappedModels
from service.inference.model_map import ModelMap


class PointsColumn(Schema):
    """One column: `count` little-endian values from byte `offset` on, aligned to their size."""

    name: Literal["x", "y", "confidence", "label", "prediction", "unknown"]
    dtype: Literal["float32", "uint16", "uint8"]
    offset: int


class Points(Schema):
    """The columns of the points: their places, and how they are to be read."""

    address: str = Field(description="kept by caches for good: it names its content")
    bytes: int
    columns: list[PointsColumn]


class Bounds(Schema):
    """The smallest and largest coordinates."""

    left: float
    right: float
    bottom: float
    top: float


class Sheets(Schema):
    """The test images as JPEG sheets of tiles, row by row from the top left.

    Image i is on sheet `i // (columns * rows)`; with `j = i % (columns * rows)`, its tile's left
    edge is at `j % columns * tile_px` and its top at `j // columns * tile_px`.
    """

    addresses: list[str] = Field(description="kept by caches for good: they name their content")
    tile_px: int
    columns: int
    rows: int = Field(description="of a full sheet; the last one may have fewer")


class MapDescription(Schema):
    """The map of one model: its points, and what belongs to them."""

    loss: str
    version: int
    count: int = Field(description="points: the test images, then the gallery")
    tests: int
    gallery: int
    classes: list[str] = Field(description="what `label` and `prediction` number")
    points: Points
    bounds: Bounds
    method: str = Field(description="how the plane was made")
    trustworthiness: float = Field(
        description="share in which neighbors on the plane are neighbors in the embedding, in "
        "0..1 (Venna and Kaski 2001)"
    )
    continuity: float = Field(
        description="share in which neighbors in the embedding are neighbors on the plane, in 0..1"
    )
    k: int = Field(description="neighbors that these two are about")
    images_sha256: str = Field(
        description="planes with the same one have the same images in the same order, and were "
        "laid onto each other"
    )
    test_images: str = Field(description="models with the same one have the same test images")
    unknown: bool = Field(
        description=f"whether the column `unknown` says anything; else it is {NOT_SAID} throughout"
    )
    sheets: Sheets
    thumbnails: str | None = Field(
        description="address of a gallery image's JPEG, `{row}` being its point less `tests`"
    )
    ids: list[str] = Field(description="of the points: each file's path inside the data set")


class SaidOfImage(Schema):
    """One model's prediction for a test image."""

    loss: str
    version: int
    label: str
    probability: float = Field(description="calibrated")


class ListedImage(Schema):
    """A test image and what every model says of it."""

    row: int = Field(description="its point on the map, and its tile on the sheets")
    id: str
    label: str
    prediction: str
    probability: float = Field(description="calibrated, of the model that is asked about")
    probably_mislabeled: bool = Field(
        description="whether all models name the same class, and it is not the label"
    )
    evidence: float = Field(
        description="mean confidence of all versions in `prediction`, less that in the label; -1..1"
    )
    opinions: list[SaidOfImage] = Field(description="of the other models")


class ListedImages(Schema):
    """Test images of one model, and where their pictures are."""

    loss: str
    version: int
    total: int = Field(description="how many there are; the list may be shorter")
    asked: list[str] = Field(description="the losses that agree or not, this one first")
    votes: int = Field(description="versions, of all losses, that `evidence` is the mean of")
    sheets: Sheets
    images: list[ListedImage]


class NearPoint(Schema):
    """A gallery image near the picture."""

    id: str
    label: str
    score: float
    point: int = Field(description="its point on the map")


class Position(Schema):
    """The place of a picture: the mean of its neighbors' positions, the nearer the heavier."""

    x: float
    y: float
    neighbors: list[NearPoint]


class Positions(Schema):
    """One position for each image, in order."""

    loss: str
    version: int
    positions: list[Position]


def describe_map(engine: Engine, plane: ModelMap) -> MapDescription:
    """The description of a model's map."""
    manifest, points = engine.manifest, plane.points
    here = f"version={manifest.version}"
    thumbnails = f"/models/{manifest.name}/thumbnails/{{row}}.jpg?{here}"
    return MapDescription(
        loss=manifest.name,
        version=manifest.version,
        count=len(plane),
        tests=plane.tests,
        gallery=len(plane) - plane.tests,
        classes=list(manifest.labels),
        points=Points(
            address=f"/report/{manifest.name}/points?{here}&sha256={plane.data_sha256}",
            bytes=len(plane.data),
            columns=[PointsColumn.model_validate(vars(column)) for column in plane.columns],
        ),
        bounds=_bounds(plane),
        method=points.method,
        trustworthiness=points.quality.trustworthiness,
        continuity=points.quality.continuity,
        k=points.quality.k,
        images_sha256=points.images_sha256,
        test_images=plane.test_images,
        unknown=points.rule is not None,
        sheets=show_sheets(plane),
        thumbnails=thumbnails if engine.gallery.has_thumbnails else None,
        ids=list(plane.ids),
    )


def show_sheets(plane: ModelMap) -> Sheets:
    """Return the places of the pictures of the map's test images."""
    grid, digest = plane.grid, plane.test_images
    count = -(-plane.tests // grid.per_sheet)
    return Sheets(
        addresses=[f"/report/sheets/{digest}/{index}.jpg" for index in range(count)],
        tile_px=grid.tile_px,
        columns=grid.columns,
        rows=grid.rows,
    )


def show_images(panel: MappedModels, rows: Iterable[int], total: int) -> dict[str, Any]:
    """`ListedImages` of these rows."""
    own, suspects = panel.own, panel.suspects()
    shown = []
    for row in rows:
        said = [_opinion(voice, row) for voice in panel.voices]
        shown.append(
            {
                "row": row,
                "id": own.plane.ids[row],
                "label": own.labels[own.plane.labels[row]],
                "prediction": said[0]["label"],
                "probability": said[0]["probability"],
                "probably_mislabeled": bool(suspects[row]),
                "evidence": round(float(panel.evidence[row]), 4),
                "opinions": said[1:],
            }
        )
    return {
        "loss": own.loss,
        "version": own.version,
        "total": total,
        "asked": [voice.loss for voice in panel.voices],
        "votes": len(panel.votes),
        "sheets": show_sheets(own.plane).model_dump(),
        "images": shown,
    }


def _opinion(voice: MappedModel, row: int) -> dict[str, Any]:
    points = voice.plane.points
    return {
        "loss": voice.loss,
        "version": voice.version,
        "label": voice.labels[points.prediction[row]],
        "probability": float(points.confidence[row]),
    }


def _bounds(plane: ModelMap) -> Bounds:
    x, y = plane.points.x, plane.points.y
    if not len(plane):
        return Bounds(left=0, right=0, bottom=0, top=0)
    low, high = np.array([x, y]).min(axis=1).tolist(), np.array([x, y]).max(axis=1).tolist()
    return Bounds(left=low[0], right=high[0], bottom=low[1], top=high[1])
