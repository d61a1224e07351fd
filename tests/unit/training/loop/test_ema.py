"""The weights of a run: the last, the average, the best epoch's; also after a resume."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.tiny_runs import tiny_recipe, tiny_splits, tiny_trainer
from tests.unit.training.loop.test_fit import record
from training.calibration.calibrate import calibrate
from training.checkpoints import networks
from training.checkpoints.run import RunFolder
from training.checkpoints.state import kept_weights
from training.loop.ema import EmaAndBest
from training.loop.fit import fit
from training.loop.trainer import Trainer
from training.losses import LOSSES
from training.networks.embedder import Embedder
from training.networks.pretrained import Pretrained

EPOCHS = 4
OPTIONS: dict[str, dict[str, Any]] = {
    "average": {"ema": 0.9},
    "best": {"patience": 2},
    "average of the best": {"ema": 0.9, "patience": 2},
    "muon": {"ema": 0.9, "patience": 2, "optimizer": "muon", "schedule": "linear"},
}


def run(trainer: Trainer) -> Trainer:
    for _ in trainer.steps():
        pass
    return trainer


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    buffer = BytesIO()
    torch.save(state, buffer)
    loaded: dict[str, Any] = torch.load(BytesIO(buffer.getvalue()), weights_only=True)
    return loaded


def assert_equal(ours: Any, theirs: Any, where: str = "") -> None:
    """Bit for bit, whatever the nesting; only the seconds may differ."""
    if isinstance(ours, Tensor):
        assert torch.equal(ours, theirs), where
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for name in ours.keys() - {"seconds"}:
            assert_equal(ours[name], theirs[name], f"{where}/{name}")
    elif isinstance(ours, list):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_equal(one, other, f"{where}/{number}")
    else:
        assert ours == theirs, where


@pytest.mark.parametrize(
    ("loss", "options", "stop_after"),
    [
        *((loss, OPTIONS["average of the best"], 7) for loss in LOSSES),
        *(("center", options, 8) for options in OPTIONS.values()),
    ],
)
def test_a_resumed_run_ends_as_an_unbroken_one(
    loss: str, options: dict[str, Any], stop_after: int
) -> None:
    broken = tiny_trainer(loss, epochs=EPOCHS, **options)
    for _, _step in zip(range(stop_after), broken.steps(), strict=False):
        pass
    resumed = tiny_trainer(loss, epochs=EPOCHS, **options)
    resumed.load_state(through_a_file(broken.state()))
    whole = tiny_trainer(loss, epochs=EPOCHS, **options)
    assert_equal(run(resumed).state(), run(whole).state())


def test_the_average_is_the_exponential_one_with_a_quick_start() -> None:
    recipe = tiny_recipe("center", ema=0.5)
    trained = Embedder(recipe, 4, tiny_splits().train.images, Pretrained.random())
    kept = EmaAndBest(trained, recipe)
    expected = {name: value.clone() for name, value in trained.state_dict().items()}
    for done in range(1, 13):
        with torch.no_grad():
            for parameter in trained.parameters():
                parameter.add_(torch.rand_like(parameter))
        trained.loss.get_buffer("centers").add_(1.0)
        trained.loss.get_buffer("placed").logical_not_()
        kept.after_step(done)
        decay = min(0.5, (1 + done) / (10 + done))  # 2/11, 3/12, ... then 1/2 from the 8th on
        for name, value in trained.state_dict().items():
            mixed = value.is_floating_point()
            expected[name] = decay * expected[name] + (1 - decay) * value if mixed else value
    torch.testing.assert_close(kept.embedder.state_dict(), expected)


def test_the_average_neither_trains_nor_disturbs_what_does() -> None:
    plain, averaged = run(tiny_trainer("center")), run(tiny_trainer("center", ema=0.9))
    assert_equal(averaged.embedder.state_dict(), plain.embedder.state_dict())
    assert averaged.kept.embedder is not averaged.embedder
    assert not any(parameter.requires_grad for parameter in averaged.kept.embedder.parameters())
    assert plain.kept.embedder is plain.embedder


def test_the_tuning_split_is_answered_with_the_average() -> None:
    trainer = run(tiny_trainer("softmax", ema=0.99))
    before = trainer.tuning_logits()
    with torch.no_grad():
        for parameter in trainer.kept.embedder.parameters():
            parameter.zero_()
    assert not torch.equal(trainer.tuning_logits(), before)
    assert torch.equal(trainer.tuning_logits(), torch.zeros_like(before))


def scripted(monkeypatch: pytest.MonkeyPatch, right: list[int], **fields: Any) -> Trainer:
    """A trainer whose epochs end with so many right answers of 16."""
    trainer = tiny_trainer("softmax", epochs=len(right), **fields)
    labels = trainer.splits.tuning.labels

    def answers() -> Tensor:
        count = right[trainer.progress.epoch]
        predicted = torch.where(torch.arange(16) < count, labels, (labels + 1) % 4)
        return torch.nn.functional.one_hot(predicted, 4).float()

    monkeypatch.setattr(trainer, "tuning_logits", answers)
    return trainer


@pytest.mark.parametrize(
    ("right", "patience", "done", "best"),
    [
        pytest.param([1, 5, 5, 4, 9, 9], 2, 4, 2, id="equal is not better"),
        pytest.param([1, 5, 4, 6, 5, 4, 9], 2, 6, 4, id="a better one in time"),
        pytest.param([1, 5, 4], 9, 3, 2, id="the end comes first"),
        pytest.param([3, 1, 9], 1, 2, 1, id="the first stays the best"),
        pytest.param([5, 4, 3, 2], 0, 4, 4, id="without patience"),
    ],
)
def test_training_stops_when_nothing_better_came_and_keeps_the_best(
    monkeypatch: pytest.MonkeyPatch, right: list[int], patience: int, done: int, best: int
) -> None:
    trainer = scripted(monkeypatch, right, patience=patience)
    after = {}
    for step in trainer.steps():
        if step.step == step.steps:
            state = trainer.embedder.state_dict()
            after[trainer.progress.epoch] = {name: value.clone() for name, value in state.items()}
    assert trainer.finished
    assert len(trainer.progress.history) == done
    assert trainer.kept_epoch.epoch == best
    assert_equal(kept_weights(through_a_file(trainer.state())), after[best])


def test_a_run_that_stopped_early_is_finished_and_says_what_it_keeps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = {"patience": 2, "ema": 0.5, "epochs": 5}
    trainer = scripted(monkeypatch, [4, 8, 2, 2, 9], patience=2, ema=0.5)
    folder = RunFolder(tmp_path)
    fit(trainer, folder, record("softmax", **fields), resume=False)
    assert "keeps epoch 2: tuning accuracy 50.00%" in capsys.readouterr().out

    model, _ = calibrate(networks.trained(folder, trainer.splits), tiny_splits())
    kept = kept_weights(folder.load(folder.checkpoint_path))
    state = model.state_dict()
    assert_equal({name: state[name] for name in kept}, kept)
    last = trainer.embedder.state_dict()
    assert not torch.equal(kept["loss.linear.weight"], last["loss.linear.weight"])

    monkeypatch.undo()
    resumed = tiny_trainer("softmax", **fields)
    before = folder.checkpoint_path.read_bytes()
    fit(resumed, folder, record("softmax", **fields), resume=True)
    assert folder.checkpoint_path.read_bytes() == before


def test_a_run_from_before_there_was_a_choice_keeps_its_last_weights() -> None:
    state = run(tiny_trainer("softmax")).state()
    del state["kept"]
    assert kept_weights(state) is state["embedder"]
    resumed = tiny_trainer("softmax")
    resumed.load_state(state)
    assert resumed.finished
