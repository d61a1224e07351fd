"""The served form of a network: batch norms folded exactly, weights that fit in half the bytes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from tests.support.tiny_runs import tiny_recipe
from training.calibration.module import ServedModel
from training.export.onnx import export, open_session, run
from training.networks.embedder import Embedder
from training.networks.fold_batchnorm import folded_batchnorm
from training.networks.pretrained import Pretrained
from training.recipes.recipe import Recipe

WIDTHS = (24, 32, 40)


def images(count: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 16, 16, 3), generator=generator, dtype=torch.uint8)


def strong(**fields: object) -> tuple[Embedder, Recipe]:
    """An embedder whose batch norms have seen images, and shift them."""
    recipe = tiny_recipe("arcface", backbone="airbench", widths=WIDTHS, size_px=16, **fields)
    torch.manual_seed(0)
    embedder = Embedder(recipe, 4, images(), Pretrained.random())
    for module in embedder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias)
    embedder.train()
    embedder.backbone(images())
    return embedder.eval(), recipe


def batch_norms(embedder: Embedder) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in embedder.modules())


@pytest.mark.parametrize("depth", [2, 3])
def test_folded_batch_norms_change_no_answer(depth: int) -> None:
    embedder, recipe = strong(depth=depth)
    before = embedder.embed(images())
    assert batch_norms(embedder) == 3 * depth
    folded = folded_batchnorm(embedder, recipe)
    assert batch_norms(folded) == 0
    torch.testing.assert_close(folded.embed(images()), before, atol=1e-5, rtol=1e-4)


def test_a_max_pool_keeps_a_batch_norm_of_negative_scale_behind_it() -> None:
    embedder, recipe = strong()
    norm = next(module for module in embedder.modules() if isinstance(module, nn.BatchNorm2d))
    norm.weight.data[0] = -1.0
    before = embedder.embed(images())
    folded = folded_batchnorm(embedder, recipe)
    assert batch_norms(folded) == 1
    torch.testing.assert_close(folded.embed(images()), before, atol=1e-5, rtol=1e-4)


def test_the_compact_network_stays_as_it_is() -> None:
    recipe = tiny_recipe("softmax")
    embedder = Embedder(recipe, 4, images()[:, :8, :8], Pretrained.random())
    before = {name: tensor.clone() for name, tensor in embedder.state_dict().items()}
    after = folded_batchnorm(embedder, recipe).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_weights_stored_as_float16_are_rounded_to_it_and_hardly_move_an_answer() -> None:
    embedder, recipe = strong(stored_as="float16")
    before = embedder.embed(images())
    found = folded_batchnorm(embedder, recipe)
    for weight in found.backbone.parameters():
        if weight.ndim > 1:
            assert torch.equal(weight.half().float(), weight)
    gap = (found.embed(images()) - before).abs().max()
    assert 0 < gap < 1e-2 * before.abs().max()


@pytest.mark.parametrize("stored_as", ["float32", "float16"])
def test_the_file_holds_weights_in_the_precision_asked_for_and_answers_alike(
    stored_as: str, tmp_path: Path
) -> None:
    embedder, recipe = strong(stored_as=stored_as)
    model = ServedModel(folded_batchnorm(embedder, recipe)).eval()
    path = tmp_path / "model.onnx"
    export(model, images(), path)  # refuses answers that differ by more than 1e-4
    graph = onnx.load(path).graph
    stored = {numpy_helper.to_array(weights).dtype for weights in graph.initializer}
    assert (np.dtype(np.float16) in stored) == (stored_as == "float16")
    large = [numpy_helper.to_array(w) for w in graph.initializer if np.prod(w.dims) > 2000]
    assert len(large) >= 5
    assert {values.dtype for values in large} == {np.dtype(stored_as)}
    onnx.checker.check_model(onnx.load(path), full_check=True)
    with torch.no_grad():
        expected = model(images(5))[0]
    np.testing.assert_allclose(run(open_session(path), images(5).numpy())[0], expected, atol=1e-5)
