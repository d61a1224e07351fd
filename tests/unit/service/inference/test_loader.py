import json
from pathlib import Path

import numpy as np
import pytest

from models.bundle import GALLERY, GOLDEN, REPORT, Bundle
from models.errors import BundleDamaged, BundleNotFound
from models.files import sha256_of
from models.store import Store
from service.inference.device import CPU
from service.inference.loader import Loader
from service.inference.session import Outputs, Session
from service.inference.work import Pixels
from tests.support.bundles import Recipe, publish


def loader(root: Path) -> Loader:
    return Loader(Store(root), CPU, threads=1)


def rewrite(bundle: Bundle, name: str, content: dict[str, np.ndarray] | str) -> None:
    """Change a file and let the manifest agree, so that only its meaning is wrong."""
    file, described = bundle.path / name, bundle.path / "manifest.json"
    if isinstance(content, str):
        file.write_text(content)
    else:
        np.savez(file, **content)  # type: ignore[arg-type]  # only names of arrays
    manifest = json.loads(described.read_text())
    manifest["files"][name] = {"sha256": sha256_of(file), "size_bytes": file.stat().st_size}
    described.write_text(json.dumps(manifest))


def test_a_good_bundle_loads_whole(tmp_path: Path) -> None:
    publish(tmp_path, "arcface", Recipe(gallery=12))
    model = loader(tmp_path).load("arcface", 1)
    assert (len(model.index), len(model.gallery.ids)) == (12, 12)
    assert model.thumbnails is not None
    assert len(model.thumbnails) == 12


def test_thumbnails_are_held_once_for_all_models(tmp_path: Path) -> None:
    for name in ("arcface", "softmax"):
        publish(tmp_path, name)
    one = loader(tmp_path)
    assert one.load("arcface", 1).thumbnails is one.load("softmax", 1).thumbnails


def test_an_unknown_version_is_not_found(tmp_path: Path) -> None:
    publish(tmp_path)
    with pytest.raises(BundleNotFound):
        loader(tmp_path).load("arcface", 2)


@pytest.mark.parametrize("name", ["embedding", "probabilities"])
@pytest.mark.parametrize(("shift", "same"), [(5e-5, True), (2e-4, False)])
def test_the_golden_batch_must_come_back_within_1e_4(
    tmp_path: Path, name: str, shift: float, same: bool
) -> None:
    bundle = publish(tmp_path)
    arrays = dict(vars(bundle.golden()))
    arrays[name] = arrays[name] + np.float32(shift)
    rewrite(bundle, GOLDEN, arrays)
    if same:
        assert loader(tmp_path).load("arcface", 1)
        return
    with pytest.raises(BundleDamaged, match=f"golden batch gives another {name}"):
        loader(tmp_path).load("arcface", 1)


class WrongInFours(Session):
    """As a GPU whose recorded graph for batches of 4 does not read its input."""

    sizes = (1, 2, 4, 8)

    def run(self, images: Pixels) -> Outputs:
        return super().run(np.zeros_like(images) if len(images) == 4 else images)


def test_every_batch_size_must_give_the_golden_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.inference.loader.Session", WrongInFours)
    publish(tmp_path)  # its golden batch is of 5
    with pytest.raises(BundleDamaged, match="golden batch gives another embedding"):
        loader(tmp_path).load("arcface", 1)
    monkeypatch.setattr(WrongInFours, "sizes", (1, 2, 8))
    assert loader(tmp_path).load("arcface", 1)


def test_a_gallery_of_another_size_is_damage(tmp_path: Path) -> None:
    bundle = publish(tmp_path)
    gallery = bundle.gallery()
    arrays: dict[str, np.ndarray] = {
        "embeddings": gallery.embeddings[:-1],
        "labels": gallery.labels[:-1],
    }
    rewrite(bundle, GALLERY, {**arrays, "ids": np.array(gallery.ids[:-1])})
    with pytest.raises(BundleDamaged, match="gallery is not of the size"):
        loader(tmp_path).load("arcface", 1)


def test_a_gallery_with_unknown_labels_is_damage(tmp_path: Path) -> None:
    bundle = publish(tmp_path)
    gallery = bundle.gallery()
    arrays: dict[str, np.ndarray] = {
        "embeddings": gallery.embeddings,
        "labels": gallery.labels + 1,
        "ids": np.array(gallery.ids),
    }
    rewrite(bundle, GALLERY, arrays)
    with pytest.raises(BundleDamaged, match="labels that its manifest does not list"):
        loader(tmp_path).load("arcface", 1)


def test_a_report_that_is_none_is_damage(tmp_path: Path) -> None:
    rewrite(publish(tmp_path), REPORT, "{}")
    with pytest.raises(BundleDamaged, match="report"):
        loader(tmp_path).load("arcface", 1)
