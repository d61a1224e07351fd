"""The device that a process gets, and what is refused."""

from typing import get_args

import pytest
import torch

from tests.support.tiny_runs import tiny_recipe, tiny_splits
from training.common.distributed import DistributedContext
from training.common.machine import Machine, Precision, machine
from training.common.seeds import seeded
from training.errors import InvalidMachine, InvalidRecipe
from training.loop.trainer import Trainer

CPU = torch.device("cpu")


def test_a_device_that_is_named_is_taken() -> None:
    with machine("cpu") as found:
        assert found == Machine(CPU)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidMachine, match="--device cpu"), machine("cuda"):
        pass


@pytest.mark.parametrize(("total", "parts"), [(6, [2, 2, 2]), (7, [3, 2, 2]), (2, [1, 1, 0])])
def test_parts_cover_the_batch_in_order(total: int, parts: list[int]) -> None:
    rows = torch.arange(total)
    found = [rows[DistributedContext(rank, 3).part(total)] for rank in range(3)]
    assert [len(part) for part in found] == parts == DistributedContext(0, 3).parts(total)
    assert torch.equal(torch.cat(found), rows)


def test_batches_smaller_than_the_number_of_processes_are_refused() -> None:
    with pytest.raises(InvalidRecipe, match="batches of 16 images are too small for 17 processes"):
        Trainer(tiny_recipe("softmax"), tiny_splits(), 4, Machine(CPU, DistributedContext(0, 17)))


def test_randomness_of_a_place_is_the_places_alone_and_leaves_the_callers_as_it_was() -> None:
    torch.manual_seed(7)
    expected = torch.rand(2)
    torch.manual_seed(7)
    with seeded(CPU, 0, 1, 2):
        ours = torch.rand(2)
    assert torch.equal(torch.rand(2), expected)
    with seeded(CPU, 0, 1, 2):
        assert torch.equal(torch.rand(2), ours)
    with seeded(CPU, 0, 1, 3):
        assert not torch.equal(torch.rand(2), ours)


def test_float32_is_kept_to_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.common.machine.has_bfloat16", lambda _: True)
    used = {}
    for precision in get_args(Precision):
        here = Machine(CPU, precision=precision)
        with Trainer(tiny_recipe("softmax"), tiny_splits(), 4, here).autocast():
            used[precision] = torch.is_autocast_enabled("cpu")
    assert used == {"auto": True, "float32": False}
