"""A run folder is never half-written, and a stopped run says how to go on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
import torch
from torch import Tensor

from models.report import DatasetRecord
from tests.support.tiny_runs import tiny_recipe, tiny_trainer
from training.checkpoints.run import RunFolder, RunRecord
from training.errors import Diverged, Interrupted, InvalidRun
from training.loop.fit import fit
from training.losses import LOSSES
from training.losses.softmax import SoftmaxLoss


def record(loss: str = "softmax", **fields: object) -> RunRecord:
    dataset = DatasetRecord(
        name="tiny", edition="noise", sha256="0" * 64, train=64, tuning=16, calibration=16, test=16
    )
    return RunRecord(
        recipe=tiny_recipe(loss, **fields),
        source="tiny",
        dataset=dataset,
        class_names=("a", "b", "c", "d"),
        command="python -m training fit",
        commit=None,
        versions={},
        hardware="",
    )


def test_a_run_leaves_its_record_its_start_and_its_end(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "softmax")
    trainer = tiny_trainer("softmax")
    before = {name: value.clone() for name, value in trainer.embedder.state_dict().items()}
    fit(trainer, folder, record(), resume=False)

    assert folder.record() == record()
    initial, final = folder.load(folder.initial_path), folder.load(folder.checkpoint_path)
    assert all(torch.equal(initial[name], value) for name, value in before.items())
    assert final["progress"]["epoch"] == 3
    assert not list(folder.path.glob(".*"))


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    fit(tiny_trainer("softmax"), folder, record(), resume=False)
    with pytest.raises(InvalidRun, match="--resume"):
        fit(tiny_trainer("softmax"), folder, record(), resume=False)


def test_another_recipe_cannot_resume_it(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    fit(tiny_trainer("softmax"), folder, record(), resume=False)
    with pytest.raises(InvalidRun, match="another recipe"):
        fit(tiny_trainer("softmax", seed=1), folder, record(seed=1), resume=True)


@contextmanager
def stopped() -> Iterator[Event]:
    """A signal that came before the first step."""
    event = Event()
    event.set()
    yield event


def test_a_signal_stops_between_two_steps_and_resuming_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    fit(tiny_trainer("softmax"), whole, record(), resume=False)

    trainer = tiny_trainer("softmax")
    monkeypatch.setattr("training.loop.fit.stop_on_interrupt", stopped)
    with pytest.raises(Interrupted, match="--resume"):
        fit(trainer, broken, record(), resume=False)
    assert trainer.progress.step == 1
    monkeypatch.undo()
    fit(tiny_trainer("softmax"), broken, record(), resume=True)

    ours, theirs = (run.load(run.checkpoint_path)["embedder"] for run in (broken, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_finding_is_said_once_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = {"parameters": {"scale": 6.0}}
    folder, ours = RunFolder(tmp_path), record("cosface", **fields)
    fit(tiny_trainer("cosface", **fields), folder, ours, resume=False)
    (finding,) = folder.load(folder.checkpoint_path)["progress"]["findings"]
    said = "cosface  warning (scale-below-bound): " + finding["sentence"]
    assert said in capsys.readouterr().out.splitlines()[0]

    resumed = tiny_trainer("cosface", **fields)
    fit(resumed, folder, ours, resume=True)
    assert [one.model_dump() for one in resumed.progress.findings] == [finding]
    assert "warning" not in capsys.readouterr().out


class LateRootOfZero(SoftmaxLoss):
    """From half of training on, a finite loss without a finite gradient."""

    late = False

    def ramp(self, progress: float) -> None:
        self.late = progress >= 0.5

    def compute_loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        root = (embeddings - embeddings.detach()).square().sum(dim=1).sqrt().mean()
        return super().compute_loss(embeddings, labels) + (root if self.late else 0)


def test_a_stop_leaves_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LOSSES, "late", LateRootOfZero)
    folder = RunFolder(tmp_path)
    with pytest.raises(Diverged, match=r"epoch 2, step 3: .*backbone\.1\.layers\.0\.weight"):
        fit(tiny_trainer("late"), folder, record("late"), resume=False)
    state = folder.load(folder.checkpoint_path)
    assert (state["progress"]["epoch"], state["progress"]["findings"]) == (1, [])
    assert all(value.isfinite().all() for value in state["embedder"].values())


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    fit(tiny_trainer("softmax"), folder, record(), resume=False)
    before = folder.checkpoint_path.read_bytes()
    fit(tiny_trainer("softmax"), folder, record(), resume=True)
    assert folder.checkpoint_path.read_bytes() == before


@pytest.mark.parametrize("name", ["initial_path", "checkpoint_path"])
def test_an_empty_folder_says_what_to_do_first(tmp_path: Path, name: str) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(InvalidRun, match="python -m training fit"):
        folder.record()
    with pytest.raises(InvalidRun, match="python -m training fit"):
        folder.load(getattr(folder, name))
