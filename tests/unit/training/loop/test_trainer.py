"""One loop for every loss: reproducible, resumable at any step, honest about divergence."""

from io import BytesIO
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.support.tiny_runs import tiny_trainer
from training.data.augment import alternating
from training.errors import TrainingError
from training.loop.trainer import Trainer
from training.losses import LOSSES


def finish(trainer: Trainer) -> dict[str, Any]:
    for _ in trainer.steps():
        pass
    return trainer.embedder.state_dict()


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    buffer = BytesIO()
    torch.save(state, buffer)
    loaded: dict[str, Any] = torch.load(BytesIO(buffer.getvalue()), weights_only=True)
    return loaded


def assert_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


@pytest.mark.parametrize("loss", LOSSES)
def test_the_seed_fixes_the_run(loss: str) -> None:
    assert_same(finish(tiny_trainer(loss)), finish(tiny_trainer(loss)))


def test_another_seed_gives_another_run() -> None:
    ours, theirs = (finish(tiny_trainer("softmax", seed=seed)) for seed in (0, 1))
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)


def test_training_leaves_the_callers_randomness_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    finish(tiny_trainer("softmax"))
    assert torch.equal(torch.rand(3), expected)


RESUMED = [(loss, 6) for loss in LOSSES] + [("softmax", 1), ("softmax", 4)]
FURTHER = [(loss, stop_after) for loss in LOSSES for stop_after in (1, 4) if loss != "softmax"]


@pytest.mark.parametrize(  # in an epoch, at its end, in the next one
    ("loss", "stop_after"),
    [*RESUMED, *(pytest.param(*each, marks=pytest.mark.variant) for each in FURTHER)],
)
def test_a_resumed_run_ends_as_an_unbroken_one(loss: str, stop_after: int) -> None:
    unbroken = tiny_trainer(loss)
    expected = finish(unbroken)

    broken = tiny_trainer(loss)
    steps = broken.steps()
    for _ in range(stop_after):
        next(steps)
    resumed = tiny_trainer(loss)
    resumed.load_state(through_a_file(broken.state()))

    assert_same(finish(resumed), expected)
    curves = [
        [(epoch.epoch, epoch.loss, epoch.tuning_accuracy) for epoch in trainer.progress.history]
        for trainer in (resumed, unbroken)
    ]
    assert curves[0] == curves[1]


def test_every_epoch_leaves_a_line_of_history() -> None:
    trainer = tiny_trainer("triplet")
    finish(trainer)
    history = trainer.progress.history
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    assert all(0 <= epoch.tuning_accuracy <= 1 and epoch.seconds > 0 for epoch in history)
    assert all("active_fraction" in epoch.diagnostics for epoch in history)
    assert sum(epoch.seconds for epoch in history) == pytest.approx(trainer.progress.seconds)


def test_training_lowers_the_loss() -> None:
    trainer = tiny_trainer("softmax", epochs=30, learning_rate=5e-3)
    finish(trainer)
    assert trainer.progress.history[-1].loss < 0.7 * trainer.progress.history[0].loss


def test_a_loss_that_is_no_number_stops_the_run_and_says_what_to_try() -> None:
    trainer = tiny_trainer("softmax")
    with torch.no_grad():
        next(trainer.embedder.loss.parameters()).fill_(float("nan"))
    before = [value.clone() for value in trainer.embedder.backbone.state_dict().values()]
    with pytest.raises(TrainingError, match="epoch 1, step 1; lower the learning rate"):
        finish(trainer)
    after = trainer.embedder.backbone.state_dict().values()
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_arcfaces_margin_is_full_after_a_fifth() -> None:
    trainer = tiny_trainer("arcface", epochs=5)
    margins = [float(trainer.embedder.loss.get_buffer("margin")) for _ in trainer.steps()]
    assert margins[0] == 0
    assert margins[4] == pytest.approx(0.3)  # step 5 of 20 starts at a fifth
    assert margins[-1] == pytest.approx(0.3)


def seen_sizes(trainer: Trainer) -> list[int]:
    """The height of every batch that the backbone is trained on."""
    heights: list[int] = []

    def note(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if module.training:
            heights.append(arguments[0].shape[1])

    trainer.embedder.backbone.register_forward_pre_hook(note)
    finish(trainer)
    return heights


def test_images_are_small_in_the_share_of_steps_that_the_recipe_says() -> None:
    fields = {"backbone": "airbench", "widths": (4, 4, 4), "size_px": 20}
    trainer = tiny_trainer("softmax", early_px=16, early_share=0.5, **fields)
    assert seen_sizes(trainer) == [16] * 6 + [20] * 6
    assert seen_sizes(tiny_trainer("softmax", **fields)) == [20] * 12


def test_the_share_of_batches_that_the_recipe_says_is_mixed_with_other_images() -> None:
    trainer = tiny_trainer("softmax", cutmix=0.25, padding_px=0, flip="alternating")
    data, mixed = trainer.data, 0
    for epoch in range(50):
        for step, rows in enumerate(data.batches(epoch)):
            shown = data.shown(rows, epoch, step, share=0.0)
            flipped = alternating(64, epoch, seed=0)
            plain, own = (
                torch.where(flipped[of].view(-1, 1, 1, 1), data.images[of].flip(2), data.images[of])
                for of in (rows if shown.partners is None else rows[shown.partners], rows)
            )
            foreign = (shown.images != own).any(dim=3)
            torch.testing.assert_close(shown.images[foreign], plain[foreign])
            assert (shown.kept < 1) == bool(foreign.any())
            mixed += shown.partners is not None
    assert 30 <= mixed <= 70  # of 200


def test_a_mixed_image_counts_for_both_classes_in_shares() -> None:
    trainer = tiny_trainer("cosface", cutmix=1.0)
    rows = trainer.data.batches(0)[0]
    shown = trainer.data.shown(rows, 0, 0, share=0.0)
    assert shown.partners is not None
    labels = trainer.data.labels[rows]
    trainer.embedder.train()
    embeddings = trainer.embedder.backbone(shown.images)
    loss = trainer.embedder.loss
    own, others = loss(embeddings, labels).item(), loss(embeddings, labels[shown.partners]).item()
    assert own != pytest.approx(others, rel=1e-3)
    first = next(tiny_trainer("cosface", cutmix=1.0).steps())
    assert first.loss == pytest.approx(shown.kept * own + (1 - shown.kept) * others, rel=1e-5)


def test_small_images_early_in_training_are_mixed_as_large_ones_are() -> None:
    fields = {"backbone": "airbench", "widths": (4, 4, 4), "size_px": 20}
    trainer = tiny_trainer("softmax", early_px=16, cutmix=1.0, **fields)
    rows = trainer.data.batches(0)[0]
    early, late = (trainer.data.shown(rows, 0, 0, share) for share in (0.0, 0.9))
    assert (early.images.shape[1], late.images.shape[1]) == (16, 20)
    assert early.partners is not None
    assert late.partners is not None
    assert torch.equal(early.partners, late.partners)
    assert early.kept == late.kept < 1


@pytest.mark.parametrize("stop_after", [1, 7])
def test_a_strong_run_resumes_to_the_same_end(stop_after: int) -> None:
    fields = {
        "backbone": "airbench",
        "widths": (4, 4, 4),
        "size_px": 16,
        "optimizer": "muon",
        "schedule": "linear",
        "flip": "alternating",
        "cutmix": 0.5,
    }
    expected = finish(tiny_trainer("arcface", **fields))
    broken = tiny_trainer("arcface", **fields)
    steps = broken.steps()
    for _ in range(stop_after):
        next(steps)
    resumed = tiny_trainer("arcface", **fields)
    resumed.load_state(through_a_file(broken.state()))
    assert_same(finish(resumed), expected)
