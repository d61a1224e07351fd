"""A command loads its data set once, whatever its steps and losses."""

from argparse import Namespace
from pathlib import Path

import pytest

from models.manifest import Preprocess
from tests.support.followed import record_of
from tests.support.odd_folders import write_folder
from tests.support.tiny_runs import tiny_recipe
from training import data
from training.__main__ import parser
from training.checkpoints.run import RunFolder
from training.cli import runs
from training.cli.datasets import DataSets
from training.data.dataset import Dataset
from training.errors import InvalidRun

Loads = list[tuple[str, int]]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    """Source and size of each load."""
    seen: Loads = []
    whole = data.load

    def load(source: str, spec: Preprocess, cache: Path) -> Dataset:
        seen.append((source, spec.size_px))
        return whole(source, spec, cache)

    monkeypatch.setattr(data, "load", load)
    return seen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "data", cat=20, ship=20)


def test_run_loads_it_once_for_its_four_steps(
    folder: Path, tmp_path: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(options: Namespace, sets: DataSets) -> None:
        sets.load(options.data, Preprocess(size_px=16))

    for name in ("_fit", "_export", "_evaluate", "_publish"):
        monkeypatch.setattr(runs, name, step)
    runs.run_all(parser().parse_args(["run", f"--data={folder}", f"--cache={tmp_path}"]))
    assert loads == [(str(folder), 16)]


def test_another_size_is_loaded_anew(folder: Path, tmp_path: Path, loads: Loads) -> None:
    sets, specs = DataSets(tmp_path), [Preprocess(size_px=size) for size in (16, 24)]
    for spec in (specs[0], specs[0], specs[1]):
        assert sets.load(str(folder), spec).train.images.shape[1] == spec.size_px
    assert [size for _, size in loads] == [16, 24]


def test_a_run_is_not_read_with_data_that_changed_since(folder: Path, tmp_path: Path) -> None:
    sets, recipe = DataSets(tmp_path / "cache"), tiny_recipe("softmax", size_px=16)
    dataset = sets.load(str(folder), recipe.preprocess)
    record = record_of(recipe).model_copy(update={"source": str(folder)})
    now = record.dataset.model_copy(update={"sha256": dataset.sha256})
    for name, kept in (("same", now), ("changed", record.dataset)):
        run = RunFolder(tmp_path / name)
        run.begin(record.model_copy(update={"dataset": kept}), {})
    assert sets.of(RunFolder(tmp_path / "same")) is dataset
    with pytest.raises(InvalidRun):
        sets.of(RunFolder(tmp_path / "changed"))
