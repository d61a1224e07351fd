"""Published models evaluated again: the same model, sections anew, no run folder."""

import shutil
from pathlib import Path

import pytest

from models.bundle import Bundle
from models.manifest import Manifest
from models.store import Store
from tests.support.tiny_runs import SAMPLE
from training.__main__ import parser
from training.cli.reevaluate import reevaluate
from training.data.folder import load_folder
from training.errors import InvalidRun

REGISTRY = Path(__file__).parents[4] / "models" / "registry"


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """Version 1 of two published models, as if they had been trained on the committed sample."""
    for name in ("softmax", "arcface"):
        shutil.copytree(REGISTRY / name / "1", tmp_path / "registry" / name / "1")
    return tmp_path / "registry"


def again(registry: Path, *options: str) -> None:
    models = [str(registry / name / "1") for name in ("softmax", "arcface")]
    cache = str(registry.parent / "cache")
    reevaluate(
        parser().parse_args(
            ["reevaluate", "--model", *models, "--data", str(SAMPLE), "--cache", cache, *options]
        )
    )


def of_the_sample(registry: Path) -> None:
    for name in ("softmax", "arcface"):
        _claimed(registry, Store(registry).load(name, 1))


def _claimed(registry: Path, bundle: Bundle) -> None:
    sample = load_folder(SAMPLE, bundle.manifest.preprocess, registry.parent / "cache")
    told = bundle.report.provenance
    dataset = told.dataset.model_copy(update={"sha256": sample.sha256})
    provenance = told.model_copy(update={"dataset": dataset})
    report = bundle.report.model_copy(update={"provenance": provenance})

    def fill(folder: Path) -> Manifest:
        (folder / "report.json").write_text(report.model_dump_json())
        return bundle.manifest

    Store(registry).replace(bundle.manifest.name, 1, fill)


def test_sections_are_new_and_the_model_and_its_history_stay(registry: Path) -> None:
    of_the_sample(registry)
    before = Store(registry).load("arcface", 1)
    old = before.report
    again(registry, "--robustness-images", "20", "--note", "What a reader has to know.")
    after = Store(registry).load("arcface", 1)
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
    again(registry, "--robustness-images", "20")
    assert Store(registry).load("arcface", 1).report.provenance.notes == new.provenance.notes


def test_other_images_are_refused_and_nothing_changes(registry: Path) -> None:
    before = (registry / "softmax" / "1" / "manifest.json").read_bytes()
    with pytest.raises(InvalidRun, match="sha256"):
        again(registry)
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


def test_only_the_sections_that_are_asked_for_are_new(registry: Path) -> None:
    of_the_sample(registry)
    old = Store(registry).load("arcface", 1).report
    again(registry, "--robustness-images", "20", "--only", "classification", "robustness")
    new = Store(registry).load("arcface", 1).report
    assert new.robustness is not None
    assert new.robustness.images == 20
    for kept in ("confidence", "unknowns", "retrieval", "verification", "leaks"):
        assert getattr(new, kept) == getattr(old, kept)


def test_a_calibration_that_a_small_split_does_not_favor_is_taken_out(registry: Path) -> None:
    """The sample's calibration split has 10 images: too few for the published map."""
    of_the_sample(registry)
    before = Store(registry).load("arcface", 1)
    assert before.report.confidence.calibration.confidence_map is not None
    again(registry, "--recalibrate", "--only", "classification", "confidence")
    after = Store(registry).load("arcface", 1)
    fitted = after.report.confidence.calibration
    assert fitted.n < 100
    assert (fitted.confidence_map, fitted.map_check) == (None, None)
    assert after.manifest.temperature == pytest.approx(fitted.temperature)
    assert after.manifest.files["model.onnx"] != before.manifest.files["model.onnx"]
    assert (after.golden().embedding == before.golden().embedding).all()
    assert after.report.confidence.after.nll == pytest.approx(
        after.report.confidence.tempered.nll, abs=1e-5
    )
    again(registry, "--recalibrate", "--only", "confidence")
    assert (
        Store(registry).load("arcface", 1).manifest.files["model.onnx"]
        == (after.manifest.files["model.onnx"])
    )
