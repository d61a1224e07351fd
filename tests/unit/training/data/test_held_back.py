"""Calibration images are out of reach of whoever trains, tunes or chooses."""

import ast
from pathlib import Path

import pytest
import torch

from tests.support.tiny_runs import tiny_recipe, tiny_splits, tiny_trainer
from tests.unit.training.loop.test_fit import record
from training.calibration.calibrate import calibrate
from training.checkpoints import networks
from training.checkpoints.run import RunFolder
from training.data.dataset import CalibrationSplit, Dataset, Splits, split
from training.errors import CalibrationImagesRead
from training.loop.fit import fit
from training.loop.trainer import Trainer

ROOT = Path(__file__).parents[4]
READERS = {
    "training/data/copies.py",
    "training/evaluation/reevaluation.py",
    "training/calibration/calibrate.py",
    "training/cli/reevaluate.py",  # fits the calibration of one published model anew
    "training/comparison/run_result.py",  # a threshold of changed images, judged on test images
    "training/evaluation/evaluation.py",  # reports on the calibrated graph
    "training/publishing/precision.py",  # fits the calibration of the int8 graph
    "training/evaluation/leave_out_rounds.py",  # does so for the runs without some classes
}


@pytest.fixture
def splits() -> Splits:
    return tiny_splits()


@pytest.mark.parametrize("what", ["images", "labels", "ids", "take", "named"])
def test_nothing_but_their_number_is_in_reach(splits: Splits, what: str) -> None:
    assert len(splits.calibration) == 16
    with pytest.raises(CalibrationImagesRead, match="tuning split"):
        getattr(splits.calibration, what)


def test_one_finished_run_brings_them_into_reach_and_a_second_takes_them_away(
    splits: Splits, tmp_path: Path
) -> None:
    """Networks are calibrated by them, and not compared."""
    for name in ("one", "two"):
        folder = RunFolder(tmp_path / name)
        fit(tiny_trainer("softmax"), folder, record("softmax"), resume=False)
    networks.trained(RunFolder(tmp_path / "one"), splits)
    networks.trained(RunFolder(tmp_path / "one"), splits)
    assert len(splits.calibration.images) == 16
    networks.trained(RunFolder(tmp_path / "two"), splits)
    with pytest.raises(CalibrationImagesRead, match="2 runs"):
        _ = splits.calibration.images


def test_a_training_is_given_no_way_to_them(splits: Splits) -> None:
    trainer = Trainer(tiny_recipe("softmax"), splits, classes=4)
    assert not hasattr(trainer.splits, "calibration")
    assert not hasattr(trainer.splits, "test")
    held = splits.calibration.read_to_calibrate().images.data_ptr()
    tensors = [value for value in vars(trainer.data).values() if isinstance(value, torch.Tensor)]
    assert held not in {tensor.data_ptr() for tensor in tensors}


def test_calibration_reads_them(splits: Splits) -> None:
    trainer = Trainer(tiny_recipe("softmax"), splits, classes=4)
    _, found = calibrate(trainer.embedder.eval(), splits)
    assert found.n == 16


def test_no_other_module_reads_them() -> None:
    """Of training, its commands and the benchmarks: by the one name that reads them."""
    readers = {
        str(path.relative_to(ROOT))
        for folder in ("training", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if any(
            isinstance(node, ast.Attribute) and node.attr in {"read_to_calibrate", "_part"}
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert readers == READERS | {"training/data/dataset.py"}


def test_the_split_hands_them_out_held_back(splits: Splits) -> None:
    whole = Dataset("tiny", "noise", "0" * 64, ("a", "b", "c", "d"), splits.train, splits.test)
    parts = split(whole, 0.25, seed=0)
    assert isinstance(parts.calibration, CalibrationSplit)
    assert len(parts.calibration) == 16
