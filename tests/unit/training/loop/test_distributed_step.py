"""Two processes train as one does with the joined batch: losses, gradients, statistics, weights."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.tiny_runs import tiny_recipe
from tests.support.two_processes import SIZE, in_two_processes
from tests.unit.training.loop.test_fit import record
from training.checkpoints.run import RunFolder
from training.common.machine import Machine
from training.data.dataset import CalibrationSplit, LabeledImages, Splits
from training.loop.fit import fit
from training.loop.trainer import Trainer
from training.losses import LOSSES

CPU = torch.device("cpu")
AIRBENCH = {
    "backbone": "airbench",
    "widths": (8, 8, 8),
    "optimizer": "muon",
    "schedule": "linear",
    "filter_learning_rate": 0.02,
    "ema": 0.5,
}
RECIPES: dict[str, dict[str, Any]] = {
    "compact": {"backbone": "compact", "flip": "alternating"},
    "airbench": AIRBENCH,
    "mixed": AIRBENCH | {"cutmix": 0.9, "cutout_px": 3},
    "taught": AIRBENCH | {"cutmix": 0.5, "teachers": ("one", "two")},
}


def is_possible(loss: str, fields: dict[str, Any]) -> bool:
    if "teachers" in fields:
        return loss == "softmax"
    return LOSSES[loss].mixable or "cutmix" not in fields


CASES = [
    (loss, name) for loss in LOSSES for name, fields in RECIPES.items() if is_possible(loss, fields)
]


def uneven_splits() -> Splits:
    """Noise in shades of gray, 16 x 16; of the first class there are more images than of others."""
    generator = torch.Generator().manual_seed(0)

    def part(count: int) -> LabeledImages:
        labels = (torch.arange(count) % 6 - 2).clamp(min=0)
        noise = torch.randint(0, 100, (count, 16, 16, 3), generator=generator)
        images = (noise + 50 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
        return LabeledImages(images, labels, tuple(f"image/{row}" for row in range(count)))

    return Splits(part(48), part(12), CalibrationSplit(part(12)), part(12))


def add_teachers(folder: Path) -> None:
    for seed, name in enumerate(RECIPES["taught"]["teachers"]):
        fields = AIRBENCH | {"size_px": 16, "seed": seed}
        trainer = Trainer(tiny_recipe("softmax", **fields), uneven_splits(), 4)
        fit(trainer, RunFolder(folder / name), record("softmax", **fields), resume=False)


def trained(loss: str, name: str, machine: Machine, folder: Path) -> dict[str, Any]:
    """The results of the first step and of the whole short training; teachers are in `folder`."""
    fields = dict(RECIPES[name])
    if "teachers" in fields:
        fields["teachers"] = tuple(str(folder / each) for each in fields["teachers"])
    recipe = tiny_recipe(loss, size_px=16, batch_size=15, epochs=2, **fields)
    trainer = Trainer(recipe, uneven_splits(), 4, machine)
    steps = trainer.steps()
    first = next(steps)
    found: dict[str, Any] = {
        "loss": first.loss,
        "gradients": {
            name: parameter.grad.clone()
            for name, parameter in trainer.embedder.named_parameters()
            if parameter.grad is not None
        },
        "buffers": {name: value.clone() for name, value in trainer.embedder.named_buffers()},
    }
    losses = [step.loss for step in steps]
    history = [(epoch.loss, epoch.tuning_accuracy) for epoch in trainer.progress.history]
    return (
        found
        | {"losses": losses, "history": history, "state": trainer.state()["kept"]}
        | {"weights": trainer.embedder.state_dict()}
    )


def train_all(machine: Machine, folder: Path) -> None:
    found = {case: trained(*case, machine, folder) for case in CASES}
    torch.save(found, folder / f"{machine.ranks.rank}.pt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joined")
    add_teachers(folder)
    return folder


@pytest.fixture(scope="module")
def joined(folder: Path) -> list[dict[tuple[str, str], Any]]:
    in_two_processes(train_all, folder)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(SIZE)]


@pytest.mark.torchrun
@pytest.mark.parametrize(("loss", "name"), CASES)
def test_a_step_is_the_one_of_the_joined_batch(
    joined: Any, loss: str, name: str, folder: Path
) -> None:
    alone = trained(loss, name, Machine(CPU, precision="float32"), folder)
    for rank in range(SIZE):
        found = joined[rank][loss, name]
        assert found["loss"] == pytest.approx(alone["loss"], rel=1e-5)
        for part in ("gradients", "buffers"):
            torch.testing.assert_close(found[part], alone[part], rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(found["losses"], alone["losses"], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(found["history"], alone["history"], rtol=1e-3, atol=1e-4)
        if rank == 0:
            torch.testing.assert_close(found["weights"], alone["weights"], rtol=1e-2, atol=1e-3)
