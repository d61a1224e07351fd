"""Batch norms' statistics are those of plain images, and nothing else is touched."""

from typing import Any

import pytest
import torch
from torch import nn

from tests.support.tiny_runs import tiny_trainer
from tests.unit.training.loop.test_ema import assert_equal, run, through_a_file
from training.loop.precise_batchnorm import recompute_batchnorm_statistics

RUNNING = ("running_mean", "running_var", "num_batches_tracked")
FRESH = {"fresh_statistics": True, "backbone": "airbench", "widths": (4, 4, 4), "size_px": 16}


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(0.5), nn.BatchNorm1d(3, momentum=0.4), nn.Linear(3, 2), nn.BatchNorm1d(2)
    )


def others(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if not name.endswith(RUNNING)}


def test_statistics_are_the_means_over_even_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.loop.precise_batchnorm._BATCH", 4)
    module = net()
    for _ in range(5):
        module(torch.randn(8, 3) * 9 + 5)
    images = torch.randn(10, 3)
    recompute_batchnorm_statistics(module, images)
    parts = (images[:4], images[4:7], images[7:])  # 10 rows in batches of 4 at most
    norm: Any = module[1]
    torch.testing.assert_close(
        norm.running_mean, torch.stack([part.mean(0) for part in parts]).mean(0)
    )
    torch.testing.assert_close(
        norm.running_var, torch.stack([part.var(0) for part in parts]).mean(0)
    )


def test_the_second_norm_sees_what_the_first_makes_of_batches() -> None:
    module = net()
    images = torch.randn(50, 3) * 4 - 1
    recompute_batchnorm_statistics(module, images)
    answers = module.eval()(images)
    torch.testing.assert_close(answers.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(answers.var(0, unbiased=False), torch.ones(2), atol=0.05, rtol=0)


@pytest.mark.parametrize("training", [True, False])
def test_nothing_else_changes(training: bool) -> None:
    module = net().train(training)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    recompute_batchnorm_statistics(module, torch.randn(20, 3))
    assert_equal(others(module.state_dict()), others(before))
    assert all(part.training == training for part in module.modules())
    norms = [part for part in module if isinstance(part, nn.BatchNorm1d)]
    assert [norm.momentum for norm in norms] == [0.4, 0.1]


def test_norms_without_statistics_and_networks_without_norms_are_left_alone() -> None:
    loose = nn.BatchNorm1d(3, track_running_stats=False)
    recompute_batchnorm_statistics(loose, torch.randn(20, 3))
    assert loose.running_mean is None
    recompute_batchnorm_statistics(nn.Linear(3, 2), torch.randn(20, 3))


@pytest.mark.parametrize("options", [{}, {"ema": 0.9}, {"ema": 0.9, "patience": 2}])
def test_training_takes_the_same_course_to_fresher_statistics(options: dict[str, Any]) -> None:
    plain = run(tiny_trainer("center", **FRESH | options | {"fresh_statistics": False}))
    fresh = run(tiny_trainer("center", **FRESH | options))
    assert_equal(others(fresh.embedder.state_dict()), others(plain.embedder.state_dict()))
    norm = next(part for part in fresh.kept.embedder.modules() if isinstance(part, nn.BatchNorm2d))
    kept = through_a_file(norm.state_dict())  # a copy: the norm's own change in place
    with fresh.autocast():
        images = fresh.data.images[fresh.data.sample()]
        recompute_batchnorm_statistics(fresh.kept.embedder.backbone, images)
    assert_equal(kept, norm.state_dict())


def test_a_resumed_run_ends_with_the_same_statistics() -> None:
    broken = tiny_trainer("softmax", epochs=3, **FRESH)
    for _, _step in zip(range(6), broken.steps(), strict=False):
        pass
    resumed = tiny_trainer("softmax", epochs=3, **FRESH)
    resumed.load_state(through_a_file(broken.state()))
    whole = run(tiny_trainer("softmax", epochs=3, **FRESH))
    assert_equal(run(resumed).state(), whole.state())
