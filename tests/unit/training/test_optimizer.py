"""Which parameters learn, and which of them decay: only the backbone's weight matrices."""

import pytest
import torch

from tests.unit.training.runs import tiny_recipe, tiny_splits
from training.embedder import Embedder
from training.losses import LOSSES
from training.optimizer import make_optimizer


def embedder(loss: str) -> Embedder:
    torch.manual_seed(0)
    return Embedder(tiny_recipe(loss), 4, tiny_splits().train.images)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_parameter_is_in_one_group(loss: str) -> None:
    model = embedder(loss)
    groups = make_optimizer(model, tiny_recipe(loss)).param_groups
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(map(id, model.parameters()))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_losss_parameters_have_a_group_of_their_own_without_decay(loss: str) -> None:
    model = embedder(loss)
    own = {id(parameter) for parameter in model.loss.parameters()}
    for group in make_optimizer(model, tiny_recipe(loss)).param_groups:
        members = {id(parameter) for parameter in group["params"]}
        if members & own:
            assert members == own
            assert group["weight_decay"] == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_without_gradient_only_the_backbones_matrices_shrink(loss: str) -> None:
    model = embedder(loss)
    optimizer = make_optimizer(model, tiny_recipe(loss, weight_decay=0.5, learning_rate=0.1))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        shrinks = name.startswith("backbone.") and parameter.ndim > 1
        expected = before[name] * (1 - 0.1 * 0.5) if shrinks else before[name]
        torch.testing.assert_close(parameter.detach(), expected, msg=name)
