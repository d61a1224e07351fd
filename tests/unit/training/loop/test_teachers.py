"""A run that learns from earlier runs: its input, and the runs that may teach."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from tests.support.tiny_runs import tiny_recipe, tiny_splits, tiny_trainer
from tests.unit.training.loop.test_fit import record
from training.checkpoints.networks import trained
from training.checkpoints.run import RunFolder
from training.common.machine import Machine
from training.data.dataset import Dataset, Splits
from training.errors import InvalidRecipe, InvalidRun
from training.loop.fit import fit
from training.loop.teachers import check_teachers, with_pinned_teachers
from training.loop.trainer import Trainer
from training.recipes.recipe import Recipe

STRONG = {"backbone": "airbench", "widths": (4, 4, 4), "size_px": 16}


def teacher(path: Path, **fields: object) -> str:
    """The folder of a run that is done."""
    fit(
        tiny_trainer("softmax", **fields),
        RunFolder(path),
        record("softmax", **fields),
        resume=False,
    )
    return str(path)


def two_teachers(folder: Path, **fields: object) -> tuple[str, str]:
    return teacher(folder / "a", seed=1, **fields), teacher(folder / "b", seed=2, **fields)


def answers(path: str, images: torch.Tensor) -> torch.Tensor:
    embedder = trained(RunFolder(Path(path)), tiny_splits(images.shape[1]))
    with torch.no_grad():
        return embedder.loss.logits(embedder.backbone(images)).softmax(dim=1)


def dataset(sha256: str = "0" * 64) -> Dataset:
    splits = tiny_splits()
    return Dataset("tiny", "noise", sha256, ("a", "b", "c", "d"), splits.train, splits.test)


def test_teachers_say_the_mean_of_their_answers(tmp_path: Path) -> None:
    """Every other one looks at the mirror image, and at the next step the others do."""
    paths = two_teachers(tmp_path)
    teachers = tiny_trainer("softmax", teachers=paths).teachers
    images = tiny_splits().train.images[:16]
    views = [images, images.flip(2)]
    for step in (0, 1, 6):
        each = [answers(path, views[(place + step) % 2]) for place, path in enumerate(paths)]
        targets = teachers.probabilities(images, step)
        torch.testing.assert_close(targets, torch.stack(each).mean(dim=0))
        assert not torch.allclose(targets, teachers.probabilities(images, step + 1), atol=1e-4)
        assert not torch.allclose(targets, each[0], atol=1e-3)


def test_the_loss_is_the_cross_entropy_to_what_they_say(tmp_path: Path) -> None:
    fields = {"teachers": two_teachers(tmp_path), "batch_size": 21, "learning_rate": 1e-9}
    trainer = tiny_trainer("softmax", **fields)
    losses = [step.loss for step in trainer.steps()]
    assert trainer.steps_per_epoch == 3  # so that the second epoch begins with the other turn
    for number in (0, 1, 3):
        epoch, step = divmod(number, 3)
        rows = trainer.data.batches(epoch)[step]
        images = trainer.data.shown(rows, epoch, step, share=0.0).images
        targets = trainer.teachers.probabilities(images, number)
        trainer.embedder.train()
        with torch.no_grad():
            logits = trainer.embedder.loss.logits(trainer.embedder.backbone(images))
        assert losses[number] == pytest.approx(F.cross_entropy(logits, targets).item(), rel=1e-6)
        other = trainer.teachers.probabilities(images, number + 1)
        assert losses[number] != pytest.approx(F.cross_entropy(logits, other).item(), rel=1e-6)


def test_labels_do_not_count(tmp_path: Path) -> None:
    taught = tiny_recipe("softmax", teachers=two_teachers(tmp_path), balance="none", cutmix=0.5)

    def weights(splits: Splits) -> dict[str, torch.Tensor]:
        trainer = Trainer(taught, splits, 4, Machine(torch.device("cpu"), precision="float32"))
        for _ in trainer.steps():
            pass
        return trainer.embedder.state_dict()

    splits = tiny_splits()
    others = replace(splits, train=replace(splits.train, labels=splits.train.labels.flip(0)))
    ours, theirs = weights(splits), weights(others)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_student_comes_to_answer_as_its_teacher_does(tmp_path: Path) -> None:
    """Also where the teacher is wrong: it was trained on other labels."""
    splits = tiny_splits()
    wrong = replace(splits, train=replace(splits.train, labels=3 - splits.train.labels))
    folder = RunFolder(tmp_path)
    machine = Machine(torch.device("cpu"), precision="float32")
    fields = {"epochs": 30, "learning_rate": 1e-2}
    fit(
        Trainer(tiny_recipe("softmax", **fields), wrong, 4, machine),
        folder,
        record("softmax", **fields),
        resume=False,
    )
    student = tiny_trainer("softmax", teachers=(str(tmp_path),), **fields)
    for _ in student.steps():
        pass
    targets = answers(str(tmp_path), splits.tuning.images).argmax(dim=1)
    assert (targets == 3 - splits.tuning.labels).double().mean() > 0.9
    assert (student.tuning_logits().argmax(dim=1) == targets).double().mean() > 0.9


def test_teachers_see_whole_images_where_the_student_sees_small_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = STRONG | {"size_px": 20}
    paths = (teacher(tmp_path, **large),)
    trainer = tiny_trainer("softmax", teachers=paths, early_px=16, **large)
    seen: list[int] = []
    probabilities = trainer.teachers.probabilities

    def noted(images: torch.Tensor, step: int) -> torch.Tensor:
        seen.append(images.shape[1])
        return probabilities(images, step)

    monkeypatch.setattr(trainer.teachers, "probabilities", noted)
    for _ in trainer.steps():
        pass
    assert seen == [20] * 12


@pytest.mark.parametrize("stop_after", [1, 7])
def test_a_taught_run_resumes_to_the_same_end(tmp_path: Path, stop_after: int) -> None:
    paths = two_teachers(tmp_path, **STRONG)
    unbroken = tiny_trainer("softmax", teachers=paths, cutmix=0.5, **STRONG)
    for _ in unbroken.steps():
        pass
    broken = tiny_trainer("softmax", teachers=paths, cutmix=0.5, **STRONG)
    steps = broken.steps()
    for _ in range(stop_after):
        next(steps)
    resumed = tiny_trainer("softmax", teachers=paths, cutmix=0.5, **STRONG)
    resumed.load_state(broken.state())
    for _ in resumed.steps():
        pass
    ours, theirs = resumed.embedder.state_dict(), unbroken.embedder.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_teacher_that_is_not_done_is_refused(tmp_path: Path) -> None:
    path = teacher(tmp_path)
    folder = RunFolder(tmp_path)
    state = folder.load(folder.checkpoint_path)
    state["progress"]["epoch"] = 2
    folder.save(folder.checkpoint_path, state)
    with pytest.raises(InvalidRun, match="finished 2 of 3 epochs"):
        tiny_trainer("softmax", teachers=(path,))


def test_teachers_are_pinned_by_their_checkpoints(tmp_path: Path) -> None:
    paths = two_teachers(tmp_path)
    pinned = with_pinned_teachers(tiny_recipe("softmax", teachers=paths))
    first, second = pinned.teachers_sha256
    assert len(first) == len(second) == 64
    assert first != second
    assert with_pinned_teachers(pinned) == pinned
    assert with_pinned_teachers(tiny_recipe("softmax")) == tiny_recipe("softmax")

    folder = RunFolder(Path(paths[1]))
    folder.save(folder.checkpoint_path, folder.load(folder.checkpoint_path) | {"more": 1})
    for use in (with_pinned_teachers, lambda recipe: Trainer(recipe, tiny_splits(), 4)):
        with pytest.raises(InvalidRecipe, match=r"b has changed: .* made with"):
            use(pinned)


@pytest.mark.parametrize("begun", [False, True])
def test_a_folder_without_a_trained_run_teaches_nothing(tmp_path: Path, begun: bool) -> None:
    if begun:
        RunFolder(tmp_path).begin(record(), {})
    with pytest.raises(InvalidRun, match="holds no trained run"):
        with_pinned_teachers(tiny_recipe("softmax", teachers=(str(tmp_path),)))


def test_a_teacher_of_the_same_task_is_welcome(tmp_path: Path) -> None:
    taught = tiny_recipe("softmax", teachers=(teacher(tmp_path),))
    check_teachers(taught, dataset())
    check_teachers(taught.varied(seed=5), dataset(sha256="1" * 64))  # it saw none of these images


@pytest.mark.parametrize(
    ("student", "known", "message"),
    [
        ({}, replace(dataset(), class_names=("a", "b", "c", "e")), "other classes: a, b, c, d"),
        ({"size_px": 12}, dataset(), "takes images of 8 px, this recipe has 12"),
        ({"seed": 1}, dataset(), r"images that this run holds out.*\(it has 0 and 0.1\)"),
        ({"holdout": 0.2}, dataset(), "images that this run holds out"),
    ],
)
def test_a_teacher_of_another_task_is_refused(
    tmp_path: Path, student: dict[str, object], known: Dataset, message: str
) -> None:
    taught = tiny_recipe("softmax", teachers=(teacher(tmp_path),), **student)
    with pytest.raises(InvalidRecipe, match=message):
        check_teachers(taught, known)


def test_scores_that_are_no_probabilities_teach_nothing(tmp_path: Path) -> None:
    fit(tiny_trainer("triplet"), RunFolder(tmp_path), record("triplet"), resume=False)
    with pytest.raises(InvalidRecipe, match="triplet, whose class scores are no probabilities"):
        check_teachers(tiny_recipe("softmax", teachers=(str(tmp_path),)), dataset())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"loss": "cosface"}, "cosface has none; teach a softmax run, then --trunk or --weights"),
        ({"loss": "triplet"}, "triplet has none"),
        ({"loss": "softmax", "frozen": True}, "frozen trunk is trained on features"),
        ({"loss": "softmax", "teachers_sha256": ("0", "1")}, "one value for each of teachers"),
    ],
)
def test_a_recipe_takes_teachers_only_where_they_make_sense(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe.model_validate({"teachers": ("runs/softmax",)} | fields)
