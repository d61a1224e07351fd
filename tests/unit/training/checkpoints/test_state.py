"""Progress survives a checkpoint, also one from before there were findings."""

from io import BytesIO

import torch

from models.evidence.finding import Finding
from models.report import Epoch
from training.checkpoints.state import Progress

PROGRESS = Progress(
    epoch=1,
    step=2,
    loss_sum=0.5,
    seconds=3.0,
    history=[Epoch(epoch=1, loss=1.0, tuning_accuracy=0.5, seconds=2.0, diagnostics={"a": 1.0})],
    findings=[Finding(detector="a", epoch=1, severity="warning", degree=2.0, sentence="b")],
)


def test_it_comes_back_from_a_file() -> None:
    buffer = BytesIO()
    torch.save(PROGRESS.state(), buffer)
    assert Progress.restored(torch.load(BytesIO(buffer.getvalue()), weights_only=True)) == PROGRESS


def test_a_run_from_before_the_doctor_goes_on_without_findings() -> None:
    state = PROGRESS.state()
    del state["findings"]
    restored = Progress.restored(state)
    assert restored.findings == []
    assert restored.history == PROGRESS.history
    assert "findings" not in state
