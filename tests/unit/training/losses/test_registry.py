"""Losses by name, with their parameters."""

import inspect

import pytest

from training.errors import InvalidRecipe
from training.losses import ALL_LOSSES, make_loss


def test_the_five_are_registered() -> None:
    assert {"softmax", "center", "cosface", "arcface", "triplet"} <= ALL_LOSSES.keys()


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_each_is_made_with_its_defaults(name: str) -> None:
    loss = make_loss(name, 10, 16)
    assert type(loss) is ALL_LOSSES[name]
    assert (loss.classes, loss.dimension) == (10, 16)


def test_parameters_reach_the_loss() -> None:
    loss = make_loss("arcface", 10, 16, {"scale": 20.0, "margin": 0.25})
    assert (loss.get_buffer("scale").item(), loss.get_buffer("margin").item()) == (20.0, 0.25)


def test_an_unknown_loss_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(InvalidRecipe, match=r"no loss 'hinge'; available: softmax, center"):
        make_loss("hinge", 10, 16)


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_an_unknown_parameter_is_refused_with_those_it_takes(name: str) -> None:
    with pytest.raises(InvalidRecipe, match=f"{name} does not know color") as refusal:
        make_loss(name, 10, 16, {"color": 1.0})
    known = list(inspect.signature(ALL_LOSSES[name]).parameters)[2:]
    assert all(parameter in str(refusal.value) for parameter in known)


def test_the_sizes_are_not_parameters_of_a_recipe() -> None:
    with pytest.raises(InvalidRecipe, match="does not know classes"):
        make_loss("softmax", 10, 16, {"classes": 3.0})


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("center", {"weight": -1.0}),
        ("center", {"rate": 1.5}),
        ("triplet", {"margin": -0.1}),
        ("triplet", {"margin": 2.5}),
        ("center", {"weight": float("nan")}),
    ],
)
def test_a_parameter_out_of_range_is_refused_by_name(
    name: str, parameters: dict[str, float]
) -> None:
    with pytest.raises(InvalidRecipe, match=next(iter(parameters))):
        make_loss(name, 10, 8, parameters)
