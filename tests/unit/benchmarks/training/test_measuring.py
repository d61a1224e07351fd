"""Jobs measured for real, small: losses beside their peers, epochs in three ways."""

import sys
from pathlib import Path

import pytest

from benchmarks.training.peers import PEERS
from benchmarks.training.results import EpochJob, EpochRun, LossJob, LossRun, Source, Way
from benchmarks.training.stage import run_apart
from training.losses import LOSSES


def test_every_loss_has_a_peer() -> None:
    assert set(PEERS) == set(LOSSES)


@pytest.mark.bench
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_loss_is_measured_within_its_memory() -> None:
    job = LossJob(
        loss="triplet", side="ours", batch=40, classes=10, repeats=2, seconds=1.0, limit_mib=4096
    )
    found = run_apart(job, Path("unused"))
    assert isinstance(found, LossRun)
    assert found.repeats == 2
    assert found.median_ms and found.value
    assert found.allocated_bytes
    assert found.allocated_bytes >= 40 * 40 * 4  # all distances


@pytest.mark.bench
@pytest.mark.parametrize(
    ("way", "source"), [("ours", "memory"), ("loop", "files"), ("metric-learning", "memory")]
)
def test_every_way_sees_as_many_images(way: Way, source: Source, images: Path) -> None:
    job = EpochJob(
        backbone="compact", way=way, source=source, workers=0, images=65, batch=20, threads=1
    )
    found = run_apart(job, images)
    assert isinstance(found, EpochRun)
    assert found.steps == 3
    assert found.epoch_s > 0
    assert 0 <= found.accuracy <= 1
    assert found.loss > 0
