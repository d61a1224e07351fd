"""An odd folder, as people have them: trained, published and served, by one command each."""

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from models.manifest import Preprocess
from models.report import Report
from models.store import Store
from tests.support.commands import training_here
from tests.support.odd_folders import write_class, write_folder
from tests.support.serving import ready
from training.checkpoints.run import RunFolder
from training.data.folder import load_folder

# triplet draws its batches by class, which is harder where classes are small.
LOSSES = ["triplet", pytest.param("arcface", marks=pytest.mark.trained)]
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


@pytest.fixture(scope="module", params=LOSSES)
def loss(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def home(odd: Path, loss: str) -> Path:
    """The run, the registry, and the terminal's output."""
    with redirect_stdout(StringIO()) as said:
        code = training_here(
            *("run", "--loss", loss, "--data", odd, "--epochs", "1", "--batch-size", "32"),
            *("--runs", odd.parent / "runs", "--registry", odd.parent / "registry"),
            *("--cache", odd.parent / loss / "cache"),
        )
    assert code == 0
    (odd.parent / "said.txt").write_text(said.getvalue())
    return odd.parent


def test_the_terminal_says_what_the_folder_held(home: Path) -> None:
    said = (home / "said.txt").read_text()
    for line in (
        "data: 3 classes, 161 training and 39 test images, drawn here: 20% of each class, seed 0",
        f"{RARE} 10; the largest class has 12",
        "skipped 2 images",
        "cat/broken.jpg",
        "horse/empty.png (the file is empty)",
        "data: images become 40 x 40 px",
    ):
        assert line in said


def test_the_record_keeps_the_list_and_the_size(home: Path, loss: str) -> None:
    record = RunFolder(home / "runs" / loss).record()
    assert record.inventory is not None
    skipped = [one.id for one in record.inventory.skipped]
    assert sorted(skipped) == ["cat/broken.jpg", "horse/empty.png"]
    assert (record.inventory.test_share, record.inventory.split_seed) == (0.2, 0)
    assert record.recipe.size_px == 40
    assert record.dataset.test == 39
    assert record.class_names == ("cat", RARE, "horse")


def test_it_is_published_with_its_labels_and_its_size(home: Path, loss: str) -> None:
    bundle = Store(home / "registry").load(loss)
    assert bundle.manifest.labels == ("cat", RARE, "horse")
    assert bundle.manifest.preprocess.size_px == 40
    report = Report.model_validate(json.loads((bundle.path / "report.json").read_bytes()))
    assert report.classification.n == 39
    assert all(one.support for one in report.classification.classes)


def test_it_is_served_as_its_report_says(home: Path, odd: Path, loss: str) -> None:
    report = Store(home / "registry").load(loss).report
    images = load_folder(odd, Preprocess(size_px=40), home / loss / "cache")
    assert report.classification.confusion is not None
    counts = np.zeros((3, 3), dtype=int)
    with ready(home / "registry") as client:
        for name, label in zip(images.test.ids, images.test.labels.tolist(), strict=True):
            file = {"image": (odd / name).read_bytes()}
            answer = client.post("/classify", params={"loss": loss}, files=file).json()
            counts[label, images.class_names.index(answer["predictions"][0]["label"])] += 1
    assert counts.tolist() == [list(row) for row in report.classification.confusion.counts]


def test_a_class_is_left_out_of_any_folder(
    home: Path, loss: str, capsys: pytest.CaptureFixture[str]
) -> None:
    of = ("unknowns", "--loss", loss, "--runs", home / "runs", "--cache", home / loss / "cache")
    assert training_here(*of, "--leave-out", RARE, "--epochs", "1") == 0
    (folder,) = RunFolder(home / "runs" / loss).unknown_rounds()
    assert folder.record().class_names == ("cat", "horse")
    assert training_here(*of, "--leave-out", "dog") == 1
    assert f"cat, {RARE}, horse" in capsys.readouterr().err


def test_small_classes_and_many_broken_files_are_refused_in_plain_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of = ("fit", "--loss", "softmax", "--runs", tmp_path, "--cache", tmp_path / "cache")
    write_folder(tmp_path / "few", cat=20, horse=9)
    assert training_here(*of, "--data", tmp_path / "few") == 1
    said = capsys.readouterr().err
    assert said.startswith("error: too few images in horse 9 (7 to train, 2 to test)")
    write_folder(tmp_path / "bad", cat=20, horse=20)
    (tmp_path / "bad/cat/x.jpg").touch()
    assert training_here(*of, "--data", tmp_path / "bad") == 1
    said = capsys.readouterr().err
    assert "1 of 41 image files (2.4%)" in said
    assert "cat/x.jpg: the file is empty" in said
