"""Training images that are copies of test images: left out, recorded, and found again by record."""

import shutil
from argparse import Namespace
from pathlib import Path

import pytest
from PIL import Image

from models.manifest import Preprocess
from tests.support.tiny_runs import SAMPLE
from training.__main__ import parser
from training.checkpoints.run import RunFolder
from training.cli import runs
from training.cli.datasets import DataSets
from training.cli.options import say_once
from training.data.copies import find_leaks, leaking_rows
from training.data.dataset import Dataset, split
from training.data.drop_leaks import drop_leaks
from training.data.folder import load_folder
from training.errors import InvalidDataset, InvalidRun

SPEC = Preprocess(size_px=32)
LEAKS = ("train/cat/a.jpg", "train/cat/b.png", "train/ship/c.png", "train/ship/d.jpg")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cats and ships; two test images lie in training twice: as they are, re-encoded, mirrored."""
    root = tmp_path_factory.mktemp("leaking")
    for part in ("train", "test"):
        for name in ("cat", "ship"):
            shutil.copytree(SAMPLE / part / name, root / part / name)
    cat, ship = (sorted((root / "test" / name).iterdir())[0] for name in ("cat", "ship"))
    shutil.copyfile(cat, root / LEAKS[0])
    with Image.open(cat) as image:
        image.save(root / LEAKS[1])
    with Image.open(ship) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / LEAKS[2])
        image.save(root / LEAKS[3], quality=60)
    return root


@pytest.fixture(scope="module")
def leaking(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_folder(folder, SPEC, tmp_path_factory.mktemp("cache"))


def test_every_copy_of_a_test_image_is_left_out_and_nothing_else(
    leaking: Dataset, tmp_path: Path
) -> None:
    kept = drop_leaks(leaking, tmp_path)
    assert kept.dropped == LEAKS
    assert set(leaking.train.ids) - set(kept.train.ids) == set(LEAKS)
    assert kept.test is leaking.test
    assert kept.sha256 != leaking.sha256
    assert find_leaks(kept.train, kept.test) == ()


def test_a_search_names_one_copy_at_a_time_and_is_repeated(leaking: Dataset) -> None:
    assert len(find_leaks(leaking.train, leaking.test)) == 2
    assert len(leaking_rows(leaking.train, leaking.test, near=True)) == len(LEAKS)


def test_near_copies_stay_where_exact_ones_are_asked_for(leaking: Dataset, tmp_path: Path) -> None:
    assert drop_leaks(leaking, tmp_path, "exact").dropped == LEAKS[:2]
    assert drop_leaks(leaking, tmp_path).dropped == LEAKS  # kept apart


def test_the_search_is_made_once(
    leaking: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = drop_leaks(leaking, tmp_path)
    monkeypatch.setattr("training.data.drop_leaks.leaking_rows", None)
    assert drop_leaks(leaking, tmp_path).sha256 == first.sha256


def test_a_data_set_without_leaks_stays_the_same(leaking: Dataset, tmp_path: Path) -> None:
    clean = leaking.without(LEAKS)
    assert drop_leaks(clean, tmp_path) is clean
    assert leaking.without(()) is leaking
    assert clean.without(LEAKS) is clean  # they are not there: it is another data set


def test_a_class_that_is_leaks_alone_is_refused(leaking: Dataset, tmp_path: Path) -> None:
    cats = tuple(name for name in leaking.train.ids if "/cat/" in name)
    with pytest.raises(InvalidDataset):
        split(leaking.without(cats), holdout=0.1, seed=0)


@pytest.mark.parametrize("step", ["fit", "run", "tune", "compare"])
def test_each_step_that_trains_on_a_folder_offers_it(step: str) -> None:
    command = [step, "--data=x", "--drop-leaks"]
    command += ["--loss=softmax"] if step in ("fit", "tune") else []
    assert parser().parse_args(command).drop_leaks


def test_a_run_records_what_was_left_out_and_reads_the_same_images_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say_once.cache_clear()
    runs.fit_runs(_options(folder, tmp_path))
    run = RunFolder(tmp_path / "runs" / "softmax")
    record = run.record()
    assert record.dataset.dropped == LEAKS
    said = capsys.readouterr().out
    assert all(name in said for name in LEAKS)
    again = DataSets(tmp_path / "cache").of(run)
    assert again.sha256 == record.dataset.sha256
    assert not set(LEAKS) & set(again.train.ids)
    assert len(DataSets(tmp_path / "cache").splits_of(run).train) == record.dataset.train


def test_such_a_run_is_not_read_with_other_images(
    folder: Path, tmp_path: Path, leaking: Dataset
) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / LEAKS[0]).unlink()
    runs.fit_runs(_options(other, tmp_path))
    run = RunFolder(tmp_path / "runs" / "softmax")
    assert run.record().dataset.dropped == LEAKS[1:]
    shutil.copyfile(other / LEAKS[1], other / "train" / "ship" / "new.png")
    with pytest.raises(InvalidRun):
        DataSets(tmp_path / "cache").of(run)


def _options(folder: Path, tmp_path: Path) -> Namespace:
    return parser().parse_args(
        [
            *("fit", "--loss=softmax", f"--data={folder}", "--epochs=1", "--batch-size=16"),
            *("--backbone=compact", "--size-px=32", "--device=cpu", "--drop-leaks"),
            *(f"--runs={tmp_path / 'runs'}", f"--cache={tmp_path / 'cache'}"),
        ]
    )
