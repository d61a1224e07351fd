"""timm's models as backbones: their weights from files, their sizes, their names."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.support.tiny_runs import backbone_of, tiny_splits
from training.calibration.module import ServedModel
from training.checkpoints.weights import pinned
from training.errors import InvalidRecipe, InvalidWeights, TrainingError
from training.export.onnx import check, export
from training.losses import make_loss
from training.recipes.recipe import Recipe

IMAGES = tiny_splits().train.images.repeat_interleave(4, 1).repeat_interleave(4, 2)  # 32 px


class Embedding(nn.Module):
    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.backbone = backbone_of(recipe, IMAGES)
        self.loss = make_loss(recipe.loss, 4, recipe.embedding_size, {})


def recipe(name: str = "test_resnet", **fields: object) -> Recipe:
    return Recipe(loss="softmax").varied(backbone=f"timm:{name}", embedding_size=8, **fields)


def weights_file(folder: Path, name: str = "test_resnet", suffix: str = ".pth") -> Path:
    path = folder / f"{name}{suffix}"
    state = timm.create_model(name).state_dict()
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_vit"])
def test_the_exported_graph_answers_as_the_network(name: str, tmp_path: Path) -> None:
    model = ServedModel(Embedding(recipe(name))).eval()  # type: ignore[arg-type]
    export(model, IMAGES, tmp_path / "model.onnx")
    check(model, tmp_path / "model.onnx", IMAGES.flip(0))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_features_are_those_of_timm_with_its_own_normalization(suffix: str, tmp_path: Path) -> None:
    path = weights_file(tmp_path, suffix=suffix)
    theirs: Any = timm.create_model("test_resnet", checkpoint_path=str(path)).eval()
    theirs.reset_classifier(0)
    backbone = backbone_of(pinned(recipe(weights=str(path))), IMAGES).eval()
    trunk: Tensor = theirs((IMAGES[:3].permute(0, 3, 1, 2) / 255 - 0.5) / 0.5)
    linear = [module for module in backbone.modules() if isinstance(module, nn.Linear)][-1]
    torch.testing.assert_close(backbone(IMAGES[:3]), linear(trunk), atol=1e-4, rtol=1e-4)


def test_the_recipe_says_which_weights_and_refuses_others(tmp_path: Path) -> None:
    path = weights_file(tmp_path)
    fixed = pinned(recipe(weights=str(path)))
    assert len(fixed.weights_sha256) == 64
    assert pinned(fixed) == fixed
    weights_file(tmp_path)  # the same name, other numbers
    with pytest.raises(InvalidWeights, match=r"has changed: its sha256 is"):
        backbone_of(fixed, IMAGES)


def test_weights_bring_their_input_size_unless_one_is_given(tmp_path: Path) -> None:
    stated = {"loss": "softmax", "backbone": "timm:test_vit", "weights": ""}
    stated["weights"] = str(weights_file(tmp_path, "test_vit"))
    assert pinned(Recipe.model_validate(stated)).size_px == 160
    assert pinned(Recipe.model_validate(stated | {"size_px": 32})).size_px == 32


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = weights_file(tmp_path, "test_efficientnet")
    with pytest.raises(InvalidWeights, match="does not fit timm:test_resnet"):
        backbone_of(recipe(weights=str(path)), IMAGES)


def test_incomplete_weights_are_refused(tmp_path: Path) -> None:
    state = timm.create_model("test_resnet").state_dict()
    del state["conv1.0.weight" if "conv1.0.weight" in state else "conv1.weight"]
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(InvalidWeights, match="does not fit"):
        backbone_of(recipe(weights=str(tmp_path / "part.pth")), IMAGES)


def test_files_that_hold_code_are_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": Path("x")}, tmp_path / "code.pth")
    with pytest.raises(InvalidWeights, match="something else than tensors"):
        backbone_of(recipe(weights=str(tmp_path / "code.pth")), IMAGES)


def test_the_hub_without_a_network_says_how_to_give_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InvalidWeights, match=r"model\.safetensors of timm/.*--weights FILE"):
        pinned(recipe(weights="hub"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "resnet81"}, "no model 'resnet81'; near it are: .*resnet18"),
        ({"name": "resnet18.nothing"}, "nothing"),
        ({"name": "vgg11", "size_px": 16}, "cannot take images of 16 px .*--size-px 224"),
        ({"name": "test_vit", "size_px": 20}, "cannot take images of 20 px .*--size-px 160"),
        ({"widths": (8,)}, "leave out widths"),
        ({"depth": 2}, "leave out widths and depth"),
        ({"weights": "nowhere.pth"}, "there are no weights nowhere.pth"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(fields: dict[str, object], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        backbone_of(recipe(**fields), IMAGES)  # type: ignore[arg-type]


def test_a_frozen_backbone_needs_weights() -> None:
    with pytest.raises(InvalidRecipe, match="--weights FILE or hub, or --trunk"):
        pinned(recipe(frozen=True))
