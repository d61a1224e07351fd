"""Published models evaluated again: the same model, sections anew, no run folder."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from models.bundle import MAP, Bundle
from models.manifest import Manifest
from models.store import Store
from tests.support.tiny_runs import SAMPLE
from training import data
from training.__main__ import parser
from training.cli.reevaluate import reevaluate
from training.data.folder import load_folder
from training.errors import InvalidRun
from training.export.onnx import open_session, run
from training.recipes.recipe import Recipe

REGISTRY = Path(__file__).parents[4] / "models" / "registry"


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """Version 1 of two published models."""
    for name in ("softmax", "arcface"):
        shutil.copytree(REGISTRY / name / "1", tmp_path / "registry" / name / "1")
    return tmp_path / "registry"


@pytest.fixture(scope="module")
def of_the_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as if they had been trained on the committed sample, and beside them the cache."""
    home = tmp_path_factory.mktemp("claimed")
    for name in ("softmax", "arcface"):
        shutil.copytree(REGISTRY / name / "1", home / "registry" / name / "1")
        _claimed(home / "registry", Store(home / "registry").load(name, 1))
    return home


@pytest.fixture
def claimed(of_the_sample: Path, tmp_path: Path) -> Path:
    """A copy, with the images that are decoded already."""
    return shutil.copytree(of_the_sample, tmp_path / "claimed") / "registry"


BOTH = ("softmax", "arcface")


def again(registry: Path, *options: str, names: tuple[str, ...] = ("arcface",)) -> None:
    """Evaluate the models of these names; softmax beside them is the baseline in any case."""
    models = [str(registry / name / "1") for name in names]
    cache = str(registry.parent / "cache")
    reevaluate(
        parser().parse_args(
            ["reevaluate", "--model", *models, "--data", str(SAMPLE), "--cache", cache, *options]
        )
    )


def _claimed(registry: Path, bundle: Bundle) -> None:
    sample = load_folder(SAMPLE, bundle.manifest.preprocess, registry.parent / "cache")
    published = bundle.report.provenance
    dataset = published.dataset.model_copy(update={"sha256": sample.sha256})
    provenance = published.model_copy(update={"dataset": dataset})
    report = bundle.report.model_copy(update={"provenance": provenance})

    train = data.prepare(sample, Recipe.model_validate(published.recipe))[1].train
    embeddings, _ = run(open_session(bundle.model_path), train.images.numpy())

    def fill(folder: Path) -> Manifest:
        (folder / "report.json").write_text(report.model_dump_json())
        (folder / MAP).unlink(missing_ok=True)
        labels, ids = train.labels.numpy(), np.array(train.ids)
        np.savez(folder / "gallery.npz", embeddings=embeddings, labels=labels, ids=ids)
        here = {"gallery_size": len(train), "thumbnails": None, "test_images": None}
        return bundle.manifest.model_copy(update=here)

    Store(registry).replace(bundle.manifest.name, 1, fill)


def test_sections_are_new_and_the_model_and_its_history_stay(claimed: Path) -> None:
    before = Store(claimed).load("arcface", 1)
    old = before.report
    again(claimed, "--robustness-images", "20", "--note", "What a reader has to know.")
    after = Store(claimed).load("arcface", 1)
    new = after.report
    assert after.manifest.files["model.onnx"] == before.manifest.files["model.onnx"]
    assert new.classification.n == 100
    assert new.classification.majority is not None
    assert new.classification.majority.accuracy == pytest.approx(0.1)
    assert new.classification.against_softmax is not None
    assert new.robustness is not None
    assert (new.robustness.images, new.robustness.of) == (20, 100)
    assert new.leaks is not None
    assert new.provenance.notes == ("What a reader has to know.",)
    for kept in ("geometry", "feature_space", "learning_curve", "cost", "findings"):
        assert getattr(new, kept) == getattr(old, kept)
    names = {figure.name for figure in new.figures}
    assert names == {figure.name for figure in old.figures} | {"robustness"}
    assert all(f"figures/{name}.svg" in after.manifest.files for name in names)
    again(claimed, "--only", "classification")
    assert Store(claimed).load("arcface", 1).report.provenance.notes == new.provenance.notes


def test_other_images_are_refused_and_nothing_changes(registry: Path) -> None:
    before = (registry / "softmax" / "1" / "manifest.json").read_bytes()
    with pytest.raises(InvalidRun, match="sha256"):
        again(registry, names=BOTH)
    assert (registry / "softmax" / "1" / "manifest.json").read_bytes() == before
    assert [path.name for path in (registry / "softmax").iterdir()] == ["1"]


def test_another_model_cannot_take_its_place(registry: Path) -> None:
    store = Store(registry)
    manifest = store.load("softmax", 1).manifest

    def fill(folder: Path) -> Manifest:
        (folder / "model.onnx").write_bytes(b"another")
        return manifest

    with pytest.raises(ValueError, match=r"model\.onnx"):
        store.replace("softmax", 1, fill)
    assert store.load("softmax", 1).manifest == manifest
    assert [path.name for path in (registry / "softmax").iterdir()] == ["1"]


def test_only_the_sections_that_are_asked_for_are_new(claimed: Path) -> None:
    old = Store(claimed).load("arcface", 1).report
    again(claimed, "--robustness-images", "20", "--only", "classification", "robustness")
    new = Store(claimed).load("arcface", 1).report
    assert new.robustness is not None
    assert new.robustness.images == 20
    for kept in ("confidence", "unknowns", "retrieval", "verification", "leaks"):
        assert getattr(new, kept) == getattr(old, kept)


def test_maps_are_of_the_same_images_and_the_report_stays(claimed: Path) -> None:
    before = [Store(claimed).load(name, 1).manifest.files for name in ("softmax", "arcface")]
    again(claimed, "--only", "map", names=BOTH)
    softmax, arcface = (Store(claimed).load(name, 1) for name in ("softmax", "arcface"))
    first, second = softmax.image_map(), arcface.image_map()
    assert first is not None
    assert second is not None
    assert first.images_sha256 == second.images_sha256
    assert "laid onto" in second.method
    images = arcface.test_images()
    assert images is not None
    assert softmax.manifest.test_images == arcface.manifest.test_images
    sample = load_folder(SAMPLE, arcface.manifest.preprocess, claimed.parent / "cache")
    assert images.ids == sample.test.ids
    _, probabilities = run(open_session(arcface.model_path), sample.test.images.numpy())
    assert (second.prediction[: second.tests] == probabilities.argmax(axis=1)).all()
    assert second.confidence[: second.tests] == pytest.approx(probabilities.max(axis=1), abs=1e-3)
    for bundle, files in zip((softmax, arcface), before, strict=True):
        kept = {name: record for name, record in bundle.manifest.files.items() if name != MAP}
        assert kept == {name: record for name, record in files.items() if name != MAP}


def test_a_calibration_that_a_small_split_does_not_favor_is_taken_out(claimed: Path) -> None:
    """The sample's calibration split has 10 images: too few for the published map."""
    before = Store(claimed).load("arcface", 1)
    assert before.report.confidence.calibration.confidence_map is not None
    again(claimed, "--recalibrate", "--only", "classification", "confidence")
    after = Store(claimed).load("arcface", 1)
    fitted = after.report.confidence.calibration
    assert fitted.n < 100
    assert (fitted.confidence_map, fitted.map_check) == (None, None)
    assert after.manifest.temperature == pytest.approx(fitted.temperature)
    assert after.manifest.files["model.onnx"] != before.manifest.files["model.onnx"]
    assert (after.golden().embedding == before.golden().embedding).all()
    assert after.report.confidence.after.nll == pytest.approx(
        after.report.confidence.tempered.nll, abs=1e-5
    )
    again(claimed, "--recalibrate", "--only", "confidence")
    assert (
        Store(claimed).load("arcface", 1).manifest.files["model.onnx"]
        == (after.manifest.files["model.onnx"])
    )
