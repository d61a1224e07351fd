import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle import MAP
from models.errors import BundleDamaged
from models.image_map import InvalidMap, read_map, sha256_of_ids, write_map
from models.store import Store
from models.test_images import InvalidTestImages, read_test_images, write_test_images
from service.inference.device import CPU
from service.inference.loader import Loader
from tests.support.bundles import LABELS, Recipe, probe_images, publish
from tests.support.report_sections import RULE


def test_a_map_comes_back_as_it_was_written(tmp_path: Path) -> None:
    made = publish(tmp_path, "arcface", Recipe(unknown=RULE)).image_map()
    assert made is not None
    write_map(tmp_path / "again.npz", made)
    found = read_map(tmp_path / "again.npz")
    span = float(np.ptp(np.stack([made.x, made.y]), axis=1).max())
    np.testing.assert_allclose(found.x, made.x, atol=span / 60_000)
    np.testing.assert_allclose(found.y, made.y, atol=span / 60_000)
    np.testing.assert_allclose(found.confidence, made.confidence, atol=1 / 60_000)
    np.testing.assert_array_equal(found.prediction, made.prediction)
    np.testing.assert_array_equal(found.unknown, made.unknown)
    for name in ("tests", "quality", "method", "model_sha256", "images_sha256", "rule"):
        assert getattr(found, name) == getattr(made, name)


def test_many_classes_and_one_place_are_written(tmp_path: Path) -> None:
    made = publish(tmp_path, "arcface").image_map()
    assert made is not None
    zeros = np.zeros(len(made), np.float32)
    wide = replace(made, x=zeros, y=zeros, prediction=np.full(len(made), 300))
    write_map(tmp_path / "wide.npz", wide)
    found = read_map(tmp_path / "wide.npz")
    assert set(found.prediction.tolist()) == {300}
    assert not found.x.any()


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut"])
def test_what_is_no_map_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InvalidMap):
        read_map(tmp_path / "x.npz")
    with pytest.raises(InvalidTestImages):
        read_test_images(tmp_path / "x.npz")


def test_test_images_come_back_and_are_the_same_bytes(tmp_path: Path) -> None:
    images = probe_images(40)
    for name in "ab":
        write_test_images(tmp_path / name, images)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    found = read_test_images(tmp_path / "a")
    assert (found.ids, found.grid, found.sheets) == (images.ids, images.grid, images.sheets)
    np.testing.assert_array_equal(found.labels, images.labels)


def test_ids_in_another_order_are_other_images() -> None:
    assert sha256_of_ids(["a", "b"]) != sha256_of_ids(["b", "a"])


def test_a_bundle_without_a_map_loads(tmp_path: Path) -> None:
    bundle = publish(tmp_path, "arcface", Recipe(tests=None))
    assert (bundle.image_map(), bundle.test_images()) == (None, None)
    assert Loader(Store(tmp_path), CPU, 1).load("arcface", 1).plane is None


def test_an_altered_map_or_missing_test_images_are_damage(tmp_path: Path) -> None:
    bundle = publish(tmp_path, "arcface")
    loader = Loader(Store(tmp_path), CPU, 1)
    shutil.copytree(tmp_path, away := tmp_path.with_name("away"))
    (bundle.path / MAP).write_bytes(b"other")
    with pytest.raises(BundleDamaged, match=MAP):
        loader.load("arcface", 1)
    (away / "thumbnails" / f"{bundle.manifest.test_images}.npz").unlink()
    with pytest.raises(BundleDamaged, match="missing"):
        Loader(Store(away), CPU, 1).load("arcface", 1)


@pytest.mark.parametrize(
    "change",
    [
        {"tests": 39},
        {"prediction": np.full(70, len(LABELS))},
        {"unknown": np.full(70, 7, np.uint8)},
        {"model_sha256": "0" * 64},
        {"x": np.full(70, np.nan, np.float32)},
    ],
)
def test_a_map_of_something_else_is_damage(tmp_path: Path, change: dict[str, object]) -> None:
    bundle = publish(tmp_path, "arcface")
    made = bundle.image_map()
    assert made is not None

    def fill(folder: Path) -> object:
        with np.errstate(invalid="ignore"):
            write_map(folder / MAP, replace(made, **change))  # type: ignore[arg-type]  # one field
        return bundle.manifest

    Store(tmp_path).replace("arcface", 1, fill)  # type: ignore[arg-type]  # a Manifest
    with pytest.raises(BundleDamaged, match=MAP):
        Loader(Store(tmp_path), CPU, 1).load("arcface", 1)
