"""Losses compared with one seed begin with the same backbone."""

import pytest
import torch

from tests.support.tiny_runs import tiny_trainer
from training.losses import LOSSES

NETWORKS = [{"backbone": "compact"}, {"backbone": "airbench", "size_px": 32, "widths": (8, 8, 8)}]


@pytest.mark.parametrize("network", NETWORKS, ids=["compact", "airbench"])
def test_backbones_of_a_seed_are_equal_for_every_loss(network: dict[str, object]) -> None:
    starts = [tiny_trainer(loss, **network).embedder.backbone.state_dict() for loss in LOSSES]
    for start in starts[1:]:
        assert start.keys() == starts[0].keys()
        for name, values in start.items():
            assert torch.equal(values, starts[0][name]), name


def test_backbones_of_other_seeds_differ() -> None:
    one, other = (tiny_trainer("softmax", seed=seed).embedder.backbone for seed in (0, 1))
    assert not torch.equal(*(next(each.parameters()) for each in (one, other)))
