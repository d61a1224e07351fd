"""Backbones that start from an earlier run: the same shape is found again, another is refused."""

from pathlib import Path

import pytest
import torch

from tests.support.tiny_runs import backbone_of, tiny_recipe, tiny_splits, tiny_trainer
from tests.unit.training.loop.test_fit import record
from training.checkpoints.run import RunFolder
from training.checkpoints.weights import frozen_trunk
from training.errors import InvalidWeights
from training.loop.fit import fit

DEEP: dict[str, object] = {
    "backbone": "airbench",
    "widths": (4, 6, 8),
    "depth": 3,
    "size_px": 16,
    "epochs": 1,
}


def deep_run(path: Path) -> RunFolder:
    folder = RunFolder(path)
    fit(tiny_trainer("softmax", **DEEP), folder, record("softmax", **DEEP), resume=False)
    return folder


def test_a_frozen_trunk_has_the_shape_and_the_weights_of_its_run(tmp_path: Path) -> None:
    folder = deep_run(tmp_path)
    images = tiny_splits(16).train.images
    backbone = backbone_of(tiny_recipe("triplet", size_px=16, **frozen_trunk(tmp_path)), images)
    kept = folder.load(folder.checkpoint_path)["embedder"]
    trained = {name for name in kept if name.endswith("weight") and kept[name].ndim == 4}
    assert len(trained) == 1 + 3 * 3
    state = backbone.state_dict()
    for name in trained:
        last = name.removeprefix("backbone.")
        (found,) = [value for key, value in state.items() if key.endswith(last)]
        assert torch.equal(found, kept[name])


def test_a_run_of_another_depth_is_refused(tmp_path: Path) -> None:
    deep_run(tmp_path)
    recipe = tiny_recipe("softmax", **DEEP | {"depth": 2, "weights": str(tmp_path)})
    with pytest.raises(InvalidWeights, match="has another backbone"):
        backbone_of(recipe, tiny_splits(16).train.images)
