"""Recipes for the runs beside a run."""

import math

import pytest

from tests.unit.training.runs import tiny_recipe
from training.errors import InvalidDataset
from training.losses import ALL_LOSSES, make_loss
from training.variants import left_out, plane

TEN = tuple("abcdefghij")


def test_five_rounds_leave_out_each_class_once() -> None:
    rounds = [left_out(TEN, number) for number in range(5)]
    assert sorted(name for names in rounds for name in names) == sorted(TEN)
    assert [len(names) for names in rounds] == [2] * 5


def test_few_classes_are_left_out_one_by_one() -> None:
    assert [left_out(("a", "b", "c"), number) for number in range(3)] == [("a",), ("b",), ("c",)]


def test_two_classes_are_too_few() -> None:
    with pytest.raises(InvalidDataset, match="2 classes are too few"):
        left_out(("a", "b"), 0)


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_a_planes_margin_fits_the_plane(loss: str) -> None:
    flat = plane(tiny_recipe(loss, parameters={}), classes=10)
    assert flat.embedding_size == 2
    make_loss(loss, 10, 2, flat.parameters)  # would refuse what does not fit


def test_the_plane_holds_what_losses_md_says() -> None:
    wide = tiny_recipe("cosface", parameters={"scale": 16.0, "margin": 0.35})
    fitted = plane(wide, classes=10).parameters
    assert fitted == {"scale": 16.0, "margin": pytest.approx(1 - math.cos(math.radians(36)))}
    narrow = tiny_recipe("cosface", parameters={"margin": 0.1})
    assert plane(narrow, classes=10).parameters["margin"] == 0.1
