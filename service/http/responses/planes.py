"""Answers of the routes of a collection's map; the same models document them in OpenAPI."""

from typing import Literal

from pydantic import Field

from service.collections import CollectionSpec
from service.collections.planes.plane import CollectionPlane, Layout
from service.collections.planes.shelf import PlaneState, Progress
from service.http.responses.maps import Bounds
from service.http.responses.schemas import Schema


class PlaneColumn(Schema):
    """One column: `count` little-endian values from byte `offset` on, aligned to their size."""

    name: Literal["row", "x", "y", "label"]
    dtype: Literal["float64", "float32", "uint16", "uint8"]
    offset: int


class PlanePoints(Schema):
    """The columns of the points: their places, and how they are to be read."""

    address: str
    bytes: int
    columns: list[PlaneColumn]


class PlaneDescription(Schema):
    """The map of a collection in one layout."""

    collection: str
    loss: str
    version: int
    layout: Layout
    state: Progress = Field(
        description="computing: it is being made, ask again; `points` are those of the one before, "
        "or null"
    )
    sequence: int | None = Field(description="of the collection, that the points are of")
    count: int
    classes: list[str] = Field(description="what `label` numbers; their count stands for no label")
    points: PlanePoints | None
    bounds: Bounds
    method: str | None = Field(description="how the plane was made")
    trustworthiness: float | None = Field(
        description="share in which neighbors on the plane are neighbors of the vectors, in 0..1 "
        "(Venna and Kaski 2001)"
    )
    k: int | None = Field(description="neighbors that it is about")
    sample: int | None = Field(description="points, chosen by chance, that it was measured among")


class ItemIds(Schema):
    """Rows and ids of some items, by rows."""

    rows: list[int] = Field(description="as the column `row` of the map has them")
    ids: list[str]
    next: int | None = Field(description="`after` of the next part; null where this is the last")


def columns_of(plane: CollectionPlane) -> tuple[list[PlaneColumn], bytes]:
    """Describe the columns, and give their bytes."""
    columns, parts, offset = list[PlaneColumn](), list[bytes](), 0
    for name, dtype, values in plane.columns():
        columns.append(PlaneColumn.model_validate({"name": name, "dtype": dtype, "offset": offset}))
        parts.append(values)
        offset += len(values)
    return columns, b"".join(parts)


def describe_plane(spec: CollectionSpec, layout: Layout, shown: PlaneState) -> PlaneDescription:
    """Describe what there is of the map."""
    plane, nothing = shown.plane, Bounds(left=0, right=0, bottom=0, top=0)
    described = PlaneDescription(
        collection=spec.name, loss=spec.loss, version=spec.version, layout=layout,
        state=shown.state, sequence=None, count=0, classes=[], points=None, bounds=nothing,
        method=None, trustworthiness=None, k=None, sample=None,
    )  # fmt: skip
    if plane is None:
        return described
    columns, data = columns_of(plane)
    query = f"layout={layout}&sequence={plane.sequence}"
    address = f"/collections/{spec.name}/points?{query}"
    bounds = nothing
    if len(plane.rows):
        bounds = Bounds(
            left=float(plane.x.min()),
            right=float(plane.x.max()),
            bottom=float(plane.y.min()),
            top=float(plane.y.max()),
        )
    quality = plane.quality
    return described.model_copy(
        update={
            "sequence": plane.sequence,
            "count": len(plane.rows),
            "classes": list(plane.labels),
            "points": PlanePoints(address=address, bytes=len(data), columns=columns),
            "bounds": bounds,
            "method": plane.method,
            "trustworthiness": quality.trustworthiness,
            "k": quality.k,
            "sample": quality.sample,
        }
    )
