"""The map's routes, over real HTTP: columns that NumPy reads, pictures, confusions, positions."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.image_map import NOT_SAID
from models.store import Store
from service.http.responses.maps import ListedImages, MapDescription, Positions
from tests.support.bundles import LABELS, Recipe, picture, probe_images, publish
from tests.support.report_sections import RULE
from tests.support.serving import ready

TESTS = 40


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models of the same test images; one of others, and one from before there were maps."""
    root = tmp_path_factory.mktemp("mapped")
    publish(root, "arcface", Recipe(seed=5))
    publish(root, "arcface", Recipe(unknown=RULE))
    publish(root, "center", Recipe(metric="l2"))  # of the same weights, so that it ranks alike
    publish(root, "softmax", Recipe(seed=12))  # agrees with these now and then
    publish(root, "cosface", Recipe(seed=3, tests=20))
    publish(root, "triplet", Recipe(seed=4, tests=None))
    return root


@pytest.fixture(scope="module")
def service(registry: Path) -> Iterator[httpx.Client]:
    with ready(registry) as client:
        yield client


def described(client: httpx.Client, loss: str, **query: Any) -> MapDescription:
    answer = client.get(f"/report/{loss}/map", params=query)
    assert answer.status_code == 200, answer.text
    return MapDescription.model_validate(answer.json())


def columns(client: httpx.Client, about: MapDescription) -> dict[str, NDArray[Any]]:
    data = client.get(about.points.address).content
    assert len(data) == about.points.bytes
    return {
        column.name: np.frombuffer(data, np.dtype(column.dtype).newbyteorder("<"), about.count, at)
        for column in about.points.columns
        for at in [column.offset]
    }


@pytest.mark.parametrize(("loss", "version"), [("arcface", 1), ("arcface", 2), ("center", 1)])
def test_the_points_are_the_bundles(
    service: httpx.Client, registry: Path, loss: str, version: int
) -> None:
    about = described(service, loss, version=version)
    bundle = Store(registry).load(loss, version)
    stored, gallery = bundle.image_map(), bundle.gallery()
    assert stored is not None
    found = columns(service, about)
    labels = np.concatenate([probe_images(TESTS).labels, gallery.labels])
    for name, expected in (
        ("x", stored.x),
        ("y", stored.y),
        ("confidence", stored.confidence),
        ("prediction", stored.prediction),
        ("unknown", stored.unknown),
        ("label", labels),
    ):
        np.testing.assert_array_equal(found[name], expected, err_msg=name)
    assert about.ids == [*probe_images(TESTS).ids, *gallery.ids]
    assert (about.tests, about.gallery, about.classes) == (TESTS, 30, list(LABELS))
    assert (about.trustworthiness, about.continuity, about.k) == (0.75, 0.625, 15)
    assert about.bounds.left == found["x"].min()
    assert about.bounds.top == found["y"].max()
    for column in about.points.columns:
        assert column.offset % np.dtype(column.dtype).itemsize == 0


def test_what_is_asked_for_by_content_may_be_kept_for_good(service: httpx.Client) -> None:
    about = described(service, "arcface")
    kept, newest = service.get(about.points.address), service.get("/report/arcface/points")
    assert "immutable" in kept.headers["cache-control"]
    assert newest.headers["cache-control"] == "no-cache"
    assert kept.content == newest.content
    for path in (about.points.address, "/report/arcface/points", "/report/arcface/map"):
        tag = service.get(path).headers["etag"]
        again = service.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
    other = service.get("/report/arcface/points", params={"version": 1}).headers["etag"]
    assert other != newest.headers["etag"]
    stale = about.points.address.replace("version=2", "version=1")
    assert service.get(stale).json()["code"] == "unknown_map"


def test_every_test_image_has_its_tile(service: httpx.Client) -> None:
    about = described(service, "softmax")
    sheets = [service.get(address) for address in about.sheets.addresses]
    assert all("immutable" in one.headers["cache-control"] for one in sheets)
    opened = [np.asarray(Image.open(io.BytesIO(one.content))).astype(int) for one in sheets]
    side, per_sheet = about.sheets.tile_px, about.sheets.columns * about.sheets.rows
    for row in range(about.tests):
        sheet, place = divmod(row, per_sheet)
        top, left = (part * side for part in divmod(place, about.sheets.columns))
        tile = opened[sheet][top : top + side, left : left + side]
        expected = np.asarray(Image.open(io.BytesIO(picture(1000 + row, (8, 8))))).astype(int)
        assert np.abs(tile - expected).mean() < 12, row
    assert described(service, "arcface").sheets == about.sheets
    answer = service.get(
        about.sheets.addresses[0], headers={"If-None-Match": sheets[0].headers["etag"]}
    )
    assert answer.status_code == 304


def test_confusions_are_the_points_of_their_cell(service: httpx.Client) -> None:
    about = described(service, "arcface")
    found = columns(service, about)
    labels, said = found["label"][:TESTS], found["prediction"][:TESTS]
    seen = 0
    for true, name in enumerate(LABELS):
        for predicted, other in enumerate(LABELS):
            cell = service.get(f"/report/arcface/confusions/{name}/{other}").json()
            listed = ListedImages.model_validate(cell)
            rows = np.flatnonzero((labels == true) & (said == predicted)).tolist()
            assert sorted(one.row for one in listed.images) == rows
            assert listed.total == len(rows)
            order = [(not one.probably_mislabeled, -one.probability) for one in listed.images]
            assert order == sorted(order)
            seen += len(rows)
    assert seen == TESTS


def test_the_others_are_those_of_the_same_test_images(service: httpx.Client) -> None:
    maps = {loss: columns(service, described(service, loss)) for loss in ("center", "softmax")}
    label = LABELS[columns(service, described(service, "arcface"))["label"][0]]
    rows = [
        image
        for other in LABELS
        for image in service.get(f"/report/arcface/confusions/{label}/{other}").json()["images"]
    ]
    assert rows
    for image in rows:
        assert [one["loss"] for one in image["opinions"]] == ["center", "softmax"]
        for one in image["opinions"]:
            mine = maps[one["loss"]]
            assert one["label"] == LABELS[mine["prediction"][image["row"]]]
            assert one["probability"] == pytest.approx(mine["confidence"][image["row"]])


def test_mislabeled_is_where_all_agree_against_the_label(service: httpx.Client) -> None:
    maps = [columns(service, described(service, one)) for one in ("arcface", "center", "softmax")]
    said = np.stack([one["prediction"][:TESTS] for one in maps])
    labels = maps[0]["label"][:TESTS]
    rows = np.flatnonzero((said == said[0]).all(axis=0) & (said[0] != labels))
    assert len(rows) > 1, "the tiny models never agree; choose other seeds"
    maps.append(columns(service, described(service, "arcface", version=1)))  # votes, too
    evidence = np.zeros(TESTS)
    for one in maps:
        predicted, sure = one["prediction"][:TESTS], one["confidence"][:TESTS].astype(float)
        evidence += (sure * (predicted == said[0]) - sure * (predicted == labels)) / len(maps)
    listed = service.get("/report/arcface/mislabeled").json()
    assert [one["row"] for one in listed["images"]] == rows[np.argsort(-evidence[rows])].tolist()
    assert [one["evidence"] for one in listed["images"]] == pytest.approx(
        sorted(evidence[rows], reverse=True), abs=1e-4
    )
    assert listed["votes"] == len(maps)
    assert all(one["probably_mislabeled"] for one in listed["images"])
    assert listed["asked"] == ["arcface", "center", "softmax"]
    second = service.get("/report/arcface/mislabeled", params={"limit": 1, "offset": 1}).json()
    assert second["images"] == listed["images"][1:2]
    assert second["total"] == len(rows)
    alone = service.get("/report/cosface/mislabeled").json()
    assert (alone["total"], alone["asked"]) == (0, ["cosface"])


def test_a_picture_lies_among_its_neighbors(service: httpx.Client) -> None:
    about = described(service, "arcface")
    points = columns(service, about)
    files = [("image", picture(1, kind="PNG")), ("image", picture(2, kind="PNG"))]
    answer = service.post("/report/arcface/position", params={"k": 3}, files=files)
    placed = Positions.model_validate(answer.json())
    near = service.post("/neighbors", params={"loss": "arcface", "k": 3}, files=files).json()
    assert len(placed.positions) == 2
    for one, neighbors in zip(placed.positions, near["neighbors"], strict=True):
        assert [each.id for each in one.neighbors] == [each["id"] for each in neighbors]
        assert [about.ids[each.point] for each in one.neighbors] == [
            each.id for each in one.neighbors
        ]
        rows = [each.point for each in one.neighbors]
        distances = np.sqrt([2 * (1 - each.score) for each in one.neighbors])
        weights = (1 / distances) / (1 / distances).sum()
        assert one.x == pytest.approx(weights @ points["x"][rows], rel=1e-3, abs=1e-4)
        assert one.y == pytest.approx(weights @ points["y"][rows], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/report/nobody/map", "unknown_model"),
        ("/report/arcface/points?version=9", "unknown_model"),
        ("/report/triplet/map", "unknown_map"),
        ("/report/triplet/points", "unknown_map"),
        ("/report/triplet/mislabeled", "unknown_map"),
        ("/report/arcface/confusions/unicorn/cat", "unknown_class"),
        ("/report/arcface/confusions/cat/unicorn", "unknown_class"),
        (f"/report/sheets/{'0' * 64}/0.jpg", "unknown_sheet"),
        ("/report/sheets/..%2f..%2fx/0.jpg", "not_found"),
    ],
)
def test_what_is_not_there_is_named(service: httpx.Client, path: str, code: str) -> None:
    answer = service.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, code)


def test_a_sheet_beyond_the_last_and_a_gallery_are_no_sheets(
    service: httpx.Client, registry: Path
) -> None:
    manifest = Store(registry).load("arcface").manifest
    for digest, index in ((manifest.test_images, 3), (manifest.thumbnails, 0)):
        answer = service.get(f"/report/sheets/{digest}/{index}.jpg")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_sheet")


@pytest.mark.parametrize(
    "path",
    [
        "/report/arcface/map?versoin=1",
        "/report/arcface/mislabeled?limit=0",
        "/report/arcface/points?x=1",
    ],
)
def test_parameters_that_are_not_known_are_refused(service: httpx.Client, path: str) -> None:
    answer = service.get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")


@pytest.mark.parametrize(("version", "said"), [(1, {NOT_SAID}), (2, {0, 1})])
def test_unknown_is_said_where_there_is_a_rule(
    service: httpx.Client, version: int, said: set[int]
) -> None:
    about = described(service, "arcface", version=version)
    assert set(columns(service, about)["unknown"].tolist()) == said
    assert about.unknown == (NOT_SAID not in said)


def test_the_map_is_behind_the_key(registry: Path) -> None:
    with ready(registry, api_key="secret") as client:
        digest = Store(registry).load("arcface").manifest.test_images
        for path in ("map", "points", "mislabeled", "confusions/cat/dog"):
            assert client.get(f"/report/arcface/{path}").status_code == 401
        assert client.get(f"/report/sheets/{digest}/0.jpg").status_code == 401
        key = {"Authorization": "Bearer secret"}
        assert client.get(f"/report/sheets/{digest}/0.jpg", headers=key).status_code == 200


def test_the_document_describes_the_routes(service: httpx.Client) -> None:
    paths = json.loads(service.get("/openapi.json").content)["paths"]
    points = paths["/report/{loss}/points"]["get"]["responses"]
    assert list(points["200"]["content"]) == ["application/octet-stream"]
    assert {"304", "404", "409", "422", "503"} <= set(points)
