"""Recipes for the runs beside a run."""

import math

import pytest

from tests.support.tiny_runs import tiny_recipe
from training.errors import InvalidDataset
from training.losses import ALL_LOSSES, make_loss
from training.recipes.variants import left_out, plane

TEN = tuple("abcdefghij")


def test_of_ten_classes_four_are_left_out_each_twice_in_five_rounds() -> None:
    rounds = [left_out(TEN, number) for number in range(5)]
    assert [len(set(names)) for names in rounds] == [4] * 5
    assert sorted(name for names in rounds for name in names) == sorted(TEN * 2)
    assert len(set(rounds)) == 5
    assert left_out(TEN, 5) == rounds[0]


@pytest.mark.parametrize("count", [200, 201, 1000])
def test_of_many_classes_half_are_left_out_others_each_round(count: int) -> None:
    names = tuple(f"class {row}" for row in range(count))
    rounds = [left_out(names, number) for number in range(5)]
    assert [len(set(each)) for each in rounds] == [count // 2] * 5
    assert all(tuple(name for name in names if name in each) == each for each in rounds)
    assert not set(rounds[0]) & set(rounds[1])
    shared = len(set(rounds[0]) & set(rounds[2]))  # the halves of another draw
    assert 0.15 * count < shared < 0.35 * count


def test_the_half_depends_on_the_names_and_not_on_their_order() -> None:
    names = tuple(f"class {row}" for row in range(200))
    assert set(left_out(names[::-1], 3)) == set(left_out(names, 3))


@pytest.mark.parametrize("count", range(4, 200, 13))
def test_classes_remain_on_either_side_to_be_distinguished(count: int) -> None:
    names = tuple(f"class {row}" for row in range(count))
    for number in range(5):
        away = left_out(names, number)
        assert 2 <= len(away) <= count - 2


def test_of_three_classes_one_is_left_out() -> None:
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
