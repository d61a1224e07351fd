"""Parameters that learn, and those that decay: only the backbone's weight matrices."""

from typing import Any

import pytest
import torch

from tests.support.tiny_runs import tiny_recipe, tiny_splits
from training.losses import ALL_LOSSES
from training.networks.embedder import Embedder
from training.networks.pretrained import Pretrained
from training.optim.optimizer import Optimization, make_optimizers
from training.recipes.recipe import Recipe


def embedder(loss: str) -> Embedder:
    torch.manual_seed(0)
    return Embedder(tiny_recipe(loss), 4, tiny_splits().train.images, Pretrained.random())


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_every_parameter_is_in_one_group(loss: str) -> None:
    model = embedder(loss)
    groups = make_optimizers(model, tiny_recipe(loss))[0].param_groups
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(map(id, model.parameters()))


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_the_losss_parameters_have_a_group_of_their_own_without_decay(loss: str) -> None:
    model = embedder(loss)
    own = {id(parameter) for parameter in model.loss.parameters()}
    for group in make_optimizers(model, tiny_recipe(loss))[0].param_groups:
        members = {id(parameter) for parameter in group["params"]}
        if members & own:
            assert members == own
            assert group["weight_decay"] == 0


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_without_gradient_only_the_backbones_matrices_shrink(loss: str) -> None:
    model = embedder(loss)
    (optimizer,) = make_optimizers(model, tiny_recipe(loss, weight_decay=0.5, learning_rate=0.1))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        shrinks = name.startswith("backbone.") and parameter.ndim > 1
        expected = before[name] * (1 - 0.1 * 0.5) if shrinks else before[name]
        torch.testing.assert_close(parameter.detach(), expected, msg=name)


STRONG: dict[str, Any] = {
    "backbone": "airbench",
    "widths": (4, 6, 8),
    "size_px": 16,
    "optimizer": "muon",
    "filter_learning_rate": 0.3,
    "learning_rate": 0.01,
}


def strong(loss: str = "arcface") -> tuple[Embedder, Recipe]:
    recipe = tiny_recipe(loss, **STRONG)
    images = torch.randint(0, 256, (20, 16, 16, 3), dtype=torch.uint8)
    return Embedder(recipe, 4, images, Pretrained.random()), recipe


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_muon_moves_the_convolutions_and_adamw_all_else_that_learns(loss: str) -> None:
    model, recipe = strong(loss)
    adamw, muon = make_optimizers(model, recipe)
    shapes = [p.ndim for group in muon.param_groups for p in group["params"]]
    assert shapes == [4] * 6
    grouped = [
        id(p) for each in (adamw, muon) for group in each.param_groups for p in group["params"]
    ]
    learns = [id(p) for p in model.parameters() if p.requires_grad]
    assert sorted(grouped) == sorted(learns)


def test_a_linear_schedule_rises_for_the_warm_up_and_falls_to_nothing() -> None:
    model, recipe = strong()
    recipe = recipe.varied(schedule="linear", warmup=0.2)
    optimization = Optimization(model, recipe, steps=10)
    rates: list[float] = []
    for _ in range(10):
        rates.extend(each.param_groups[0]["lr"] for each in optimization.optimizers)
        optimization.step()
    factors = [0.5, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    assert rates == pytest.approx([peak * factor for factor in factors for peak in (0.01, 0.3)])
    assert optimization.learning_rate == pytest.approx(0)


def test_a_linear_schedule_ends_where_the_recipe_says() -> None:
    model, recipe = strong()
    recipe = recipe.varied(schedule="linear", warmup=0.1, final_rate=0.2)
    optimization = Optimization(model, recipe, steps=10)
    rates: list[float] = []
    for _ in range(10):
        optimization.step()
        rates.append(optimization.learning_rate / recipe.learning_rate)
    assert rates == pytest.approx([0.92, 0.84, 0.76, 0.68, 0.6, 0.52, 0.44, 0.36, 0.28, 0.2])


@pytest.mark.parametrize("steps", [1, 2, 5, 6])
def test_one_cycle_ends_low_however_short_the_run(steps: int) -> None:
    """With five steps, a fifth of them is one: a warm-up without a length."""
    recipe = tiny_recipe("softmax", warmup=0.2)
    optimization = Optimization(embedder("softmax"), recipe, steps)
    rates = [optimization.learning_rate]
    for _ in range(steps - 1):
        optimization.step()
        rates.append(optimization.learning_rate)
    assert max(rates) <= recipe.learning_rate
    assert rates[-1] < 0.01 * recipe.learning_rate
