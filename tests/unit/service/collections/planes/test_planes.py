"""Planes of small collections: what they hold, how near they come, when they are made anew."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from service.collections import Collection, Library, NewItem
from service.collections.planes.child import is_fresh, make
from service.collections.planes.neighborly import lay_out
from service.collections.planes.plane import CollectionPlane, read, write
from service.collections.planes.principal import principal
from service.collections.planes.quality import trustworthiness
from service.collections.planes.shelf import FOLDER, PlaneShelf
from tests.support.small_collections import DIMENSION, spec_of

GROUPS, EACH = 4, 30


def grouped(collection: Collection) -> np.ndarray:
    """Items about four centers, in alternation, each labeled by its own but for every tenth."""
    draw = np.random.default_rng(3)
    centers = np.eye(DIMENSION)[:GROUPS] * 5
    vectors = np.tile(centers, (EACH, 1)) + draw.normal(0, 0.4, (GROUPS * EACH, DIMENSION))
    collection.put(
        [
            NewItem(f"{i}", vector, None if i % 10 == 9 else f"group {i % GROUPS}")
            for i, vector in enumerate(vectors.astype(np.float32))
        ]
    )
    return vectors


@pytest.fixture
def points(library: Library) -> Collection:
    return library.create(spec_of("points", "l2"))[0]


@pytest.fixture
def folder_of(folder: Path) -> Callable[[str], Path]:
    return lambda name: folder / name


def test_principal_components_are_those_of_the_vectors(points: Collection) -> None:
    vectors = grouped(points)
    plane = points.see(lambda database: principal(database, points.spec))
    centered = vectors - vectors.mean(axis=0)
    _, singular, axes = np.linalg.svd(centered, full_matrices=False)
    scale = np.sqrt((singular[:2] ** 2).sum() / len(vectors))
    for found, axis in zip((plane.x, plane.y), axes, strict=False):
        expected = centered @ axis / scale
        np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-3)
        assert len({*np.sign(found * expected)}) == 1


def test_rows_and_labels_are_the_items(points: Collection) -> None:
    grouped(points)
    points.delete("0")
    plane = points.see(lambda database: principal(database, points.spec))
    items = points.page(0, 1000).items
    assert plane.rows.tolist() == [item.row for item in items]
    named = [*plane.labels, None]
    assert [named[one] for one in plane.label] == [item.label for item in items]
    assert plane.sequence == points.facts().sequence


def test_trustworthiness_is_its_definition() -> None:
    draw = np.random.default_rng(0)
    vectors, plane = draw.normal(size=(40, 5)), draw.normal(size=(40, 2))
    k, total = 6, 0
    for i in range(40):
        real = np.argsort(np.linalg.norm(vectors - vectors[i], axis=1))
        rank = {int(j): place for place, j in enumerate(real)}  # 0 is the point itself
        flat = np.argsort(np.linalg.norm(plane - plane[i], axis=1))[1 : k + 1]
        total += sum(max(0, rank[int(j)] - k) for j in flat)
    expected = 1 - 2 * total / (40 * k * (2 * 40 - 3 * k - 1))
    assert trustworthiness(vectors, plane, k).trustworthiness == pytest.approx(expected)
    assert trustworthiness(plane, plane, k).trustworthiness == 1


def test_neighbors_stay_together_better_than_by_chance(points: Collection) -> None:
    vectors = grouped(points).astype(np.float32)
    start = np.random.default_rng(0).normal(size=(len(vectors), 2))
    laid = lay_out(vectors, start)
    assert np.isfinite(laid).all()
    assert trustworthiness(vectors, laid).trustworthiness > 0.9
    assert trustworthiness(vectors, start).trustworthiness < 0.7
    np.testing.assert_array_equal(laid, lay_out(vectors, start))


def test_what_is_no_landmark_lies_among_its_own(
    points: Collection, folder_of: Callable[[str], Path]
) -> None:
    grouped(points)
    plane = make(folder_of("points"), landmarks=40)
    assert len(plane.rows) == GROUPS * EACH
    group = (plane.rows - 1) % GROUPS
    places = np.stack([plane.x, plane.y], axis=1)
    centers = np.array([np.median(places[group == one], axis=0) for one in range(GROUPS)])
    nearest = np.linalg.norm(places[:, None] - centers, axis=2).argmin(axis=1)
    assert (nearest == group).mean() > 0.9
    assert "40 landmarks" in plane.method


@pytest.mark.parametrize("items", [0, 1, 2, 3])
def test_very_few_items_have_planes_too(
    points: Collection, folder_of: Callable[[str], Path], items: int
) -> None:
    points.put([NewItem(str(i), np.full(DIMENSION, i, np.float32)) for i in range(items)])
    for plane in (
        points.see(lambda database: principal(database, points.spec)),
        make(folder_of("points")),
    ):
        assert len(plane.rows) == len(plane.x) == len(plane.label) == items
        assert np.isfinite(plane.x).all()


def test_a_plane_is_made_anew_where_the_items_changed_and_only_then(points: Collection) -> None:
    grouped(points)
    shelf = PlaneShelf()
    first = shelf.plane(points, "principal").plane
    path = points.folder / FOLDER / "principal.npz"
    written = path.stat().st_mtime_ns
    assert shelf.plane(points, "principal").plane is not None
    assert path.stat().st_mtime_ns == written
    points.relabel("3", "another")
    second = shelf.plane(points, "principal").plane
    assert first is not None
    assert second is not None
    assert "another" in second.labels
    assert second.sequence == first.sequence + 1


def test_neighbors_are_laid_out_in_the_background(points: Collection) -> None:
    grouped(points)
    shelf = PlaneShelf()
    assert shelf.plane(points, "neighbors").state == "computing"
    for _ in range(600):
        shown = shelf.plane(points, "neighbors")
        if shown.state != "computing":
            break
        time.sleep(0.1)
    assert shown.state == "ready"
    assert shown.plane is not None
    assert shown.plane.quality.trustworthiness > 0.8
    points.delete("0")
    stale = shelf.plane(points, "neighbors")
    assert (stale.state, stale.plane is not None) == ("computing", True)
    shelf.close()


def test_a_plane_of_an_earlier_collection_of_the_name_is_not_shown(
    points: Collection, library: Library
) -> None:
    grouped(points)
    path = points.folder / FOLDER / "principal.npz"
    plane = PlaneShelf().plane(points, "principal").plane
    assert plane is not None
    write(path, CollectionPlane(**{**vars(plane), "key": "another"}))
    assert PlaneShelf().stored(points, "principal") is None
    path.write_bytes(b"damaged")
    assert read(path) is None
    assert PlaneShelf().plane(points, "principal").state == "ready"


def test_a_second_worker_does_not_make_what_another_made(
    points: Collection, folder_of: Callable[[str], Path]
) -> None:
    grouped(points)
    target = points.folder / FOLDER / "neighbors.npz"
    assert not is_fresh(folder_of("points"), target)
    write(target, make(folder_of("points")))
    assert is_fresh(folder_of("points"), target)
    points.relabel("3", "another")
    assert not is_fresh(folder_of("points"), target)
