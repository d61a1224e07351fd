"""An odd folder, as people have them: trained, evaluated and published by one command each."""

import json
from pathlib import Path

import pytest

from models.report import Report
from models.store import Store
from tests.e2e.conftest import training
from tests.support.odd_folders import write_class, write_folder
from training.checkpoints.run import RunFolder

LOSSES = ("arcface", "triplet")
RARE = "grüne Frösche"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """202 images in many sizes and modes; three uneven classes; two files are broken."""
    root = write_folder(tmp_path_factory.mktemp("odd") / "animals", cat=150, horse=38)
    write_class(root / RARE, "frog", 12)
    (root / "cat" / "broken.jpg").write_bytes(b"no image")
    (root / "horse" / "empty.png").touch()
    (root / "notes.txt").write_text("about the animals")
    return root


@pytest.fixture(scope="module")
def home(odd: Path) -> Path:
    """Where the two runs and the registry are."""
    for loss in LOSSES:
        done = training(
            *("run", "--loss", loss, "--data", odd, "--epochs", "1", "--batch-size", "32"),
            *("--runs", odd.parent / "runs", "--registry", odd.parent / "registry"),
            *("--cache", odd.parent / "cache"),
        )
        assert done.returncode == 0, done.stderr
        (odd.parent / f"{loss}.txt").write_text(done.stdout)
    return odd.parent


@pytest.mark.parametrize("loss", LOSSES)
def test_the_terminal_says_what_the_folder_held(home: Path, loss: str) -> None:
    said = (home / f"{loss}.txt").read_text()
    for line in (
        "data: 3 classes, 161 training and 39 test images, drawn here: 20% of each class, seed 0",
        f"{RARE} 10; the largest class has 12",
        "skipped 2 images",
        "cat/broken.jpg",
        "horse/empty.png (the file is empty)",
        "data: images become 40 x 40 px",
    ):
        assert line in said


@pytest.mark.parametrize("loss", LOSSES)
def test_the_record_keeps_the_list_and_the_size(home: Path, loss: str) -> None:
    record = RunFolder(home / "runs" / loss).record()
    assert record.inventory is not None
    skipped = [one.id for one in record.inventory.skipped]
    assert sorted(skipped) == ["cat/broken.jpg", "horse/empty.png"]
    assert (record.inventory.test_share, record.inventory.split_seed) == (0.2, 0)
    assert record.recipe.size_px == 40
    assert record.dataset.test == 39
    assert record.class_names == ("cat", RARE, "horse")


@pytest.mark.parametrize("loss", LOSSES)
def test_it_is_published_with_its_labels_and_its_size(home: Path, loss: str) -> None:
    bundle = Store(home / "registry").load(loss)
    assert bundle.manifest.labels == ("cat", RARE, "horse")
    assert bundle.manifest.preprocess.size_px == 40
    report = Report.model_validate(json.loads((bundle.path / "report.json").read_bytes()))
    assert report.classification.n == 39
    assert all(one.support for one in report.classification.classes)


def test_a_class_is_left_out_of_any_folder(home: Path) -> None:
    options = ("--runs", home / "runs", "--cache", home / "cache")
    done = training("unknowns", "--loss", "arcface", "--leave-out", RARE, "--epochs", "1", *options)
    assert done.returncode == 0, done.stderr
    (folder,) = RunFolder(home / "runs" / "arcface").unknown_rounds()
    assert folder.record().class_names == ("cat", "horse")
    refused = training("unknowns", "--loss", "arcface", "--leave-out", "dog", *options)
    assert refused.returncode == 1
    assert f"there is: cat, {RARE}, horse" in refused.stderr


def test_small_classes_and_many_broken_files_are_refused_in_plain_words(
    odd: Path, tmp_path: Path
) -> None:
    write_folder(tmp_path / "few", cat=20, horse=9)
    answer = training("fit", "--loss", "softmax", "--data", tmp_path / "few", "--runs", tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: too few images in horse 9 (7 to train, 2 to test)")
    write_folder(tmp_path / "bad", cat=20, horse=20)
    (tmp_path / "bad/cat/x.jpg").touch()
    answer = training(
        *("fit", "--loss", "softmax", "--data", tmp_path / "bad", "--runs", tmp_path),
        *("--cache", tmp_path / "cache"),
    )
    assert answer.returncode == 1
    assert "1 of 41 image files (2.4%)" in answer.stderr
    assert "cat/x.jpg: the file is empty" in answer.stderr
