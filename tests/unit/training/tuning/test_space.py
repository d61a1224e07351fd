"""The search belongs to the recipe: its optimizer, its loss, and its own values as a start."""

import pytest

from training.diagnostics.scale import POOR_PROBABILITY
from training.losses import ALL_LOSSES, make_loss
from training.losses.base import Range
from training.losses.bounds import smallest_scale
from training.recipes.recipe import load_recipe
from training.tuning.space import at_edge, search_space, starting_values, with_values


@pytest.mark.parametrize("loss", ALL_LOSSES)
@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        ("adamw", {"learning_rate", "weight_decay"}),
        ("muon", {"learning_rate", "filter_learning_rate", "weight_decay"}),
    ],
)
def test_a_recipe_is_searched_where_its_optimizer_and_its_loss_look(
    loss: str, optimizer: str, settings: set[str]
) -> None:
    recipe = load_recipe(loss, optimizer=optimizer)
    assert set(search_space(recipe, 10)) == settings | set(ALL_LOSSES[loss].search)
    assert with_values(recipe, starting_values(recipe)) == recipe.varied(
        parameters=recipe.parameters
        | {name: starting_values(recipe)[name] for name in ALL_LOSSES[loss].search}
    )


def test_the_recipes_own_values_are_always_in_reach() -> None:
    recipe = load_recipe("cosface", learning_rate=0.5, weight_decay=1e-4)
    space = search_space(recipe, 10)
    for name, value in starting_values(recipe).items():
        assert space[name].low <= value <= space[name].high


@pytest.mark.parametrize("loss", ["cosface", "arcface"])
@pytest.mark.parametrize("classes", [2, 10, 100, 10_000])
@pytest.mark.parametrize("dimension", [2, 64])
def test_a_search_finds_nothing_that_is_refused_or_warned_of(
    loss: str, classes: int, dimension: int
) -> None:
    """100 classes need a scale of 9.1, and 100 directions on a plane lie 3.6 degrees apart."""
    space = ALL_LOSSES[loss].search_within(classes, dimension)
    assert smallest_scale(classes, POOR_PROBABILITY) <= space["scale"].low <= space["scale"].high
    assert 0 < space["margin"].low <= space["margin"].high
    for margin in (space["margin"].low, space["margin"].high):
        make_loss(loss, classes, dimension, {"scale": space["scale"].low, "margin": margin})


def test_a_recipe_is_searched_within_what_its_classes_can_hold() -> None:
    space = search_space(load_recipe("cosface"), 100)
    assert space["scale"].low == smallest_scale(100, POOR_PROBABILITY)


def test_what_is_switched_off_stays_off() -> None:
    recipe = load_recipe("softmax", weight_decay=0.0)
    assert set(search_space(recipe, 10)) == {"learning_rate"}
    assert with_values(recipe, {"learning_rate": 1e-3}).weight_decay == 0


def test_chosen_values_go_where_they_belong() -> None:
    recipe = load_recipe("arcface")
    chosen = with_values(recipe, {"learning_rate": 1e-3, "margin": 0.4})
    assert (chosen.learning_rate, chosen.parameters["margin"]) == (1e-3, 0.4)
    assert chosen.parameters["scale"] == recipe.parameters["scale"]


@pytest.mark.parametrize(
    ("value", "plain", "logarithmic"),
    [(1.0, True, True), (1.5, True, True), (1.7, True, False), (10.8, True, False),
     (11.0, False, False), (60.0, False, False), (65.0, False, True), (90.0, False, True),
     (91.0, True, True)],
)  # fmt: skip
def test_the_outer_tenth_is_taken_on_the_ranges_own_scale(
    value: float, plain: bool, logarithmic: bool
) -> None:
    """Of 1 to 100 the tenths end at 10.9 and 90.1, on a logarithmic scale at 1.58 and 63.1."""
    assert at_edge({"x": value}, {"x": Range(1.0, 100.0)}) == (("x",) if plain else ())
    assert at_edge({"x": value}, {"x": Range(1.0, 100.0, log=True)}) == (
        ("x",) if logarithmic else ()
    )
