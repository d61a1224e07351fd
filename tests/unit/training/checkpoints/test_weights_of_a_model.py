"""Backbones that start from a published model: its answers, trainable again, or a plain refusal."""

import copy
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from models.bundle import MANIFEST, MODEL
from models.manifest import Manifest
from models.store import Store
from tests.support import bundles
from tests.support.tiny_runs import backbone_of, tiny_recipe, tiny_splits, tiny_trainer, trunk_of
from training.calibration.module import ServedModel
from training.checkpoints.sources import open_source
from training.checkpoints.weights import classes_seen, frozen_trunk, pinned
from training.errors import InvalidWeights
from training.export.onnx import export, open_session, run
from training.networks.build import cut, last_linear
from training.networks.embedder import Embedder
from training.networks.fold_batchnorm import folded_batchnorm
from training.networks.projection import FeatureProjection, FrozenBackbone
from training.recipes.recipe import Recipe

IMAGES = tiny_splits(16).train.images
DEEP: dict[str, object] = {
    "backbone": "airbench",
    "widths": (24, 28, 32),
    "depth": 3,
    "size_px": 16,
    "stored_as": "float16",
}


def trained(**fields: object) -> tuple[Embedder, Recipe]:
    """An embedder of some steps, so that no batch norm is as it was made."""
    trainer = tiny_trainer("arcface", **fields)
    for _ in trainer.steps():
        pass
    return trainer.embedder.eval(), trainer.recipe


def published(registry: Path, embedder: Embedder, recipe: Recipe) -> Path:
    """The folder of the embedder's first version, with the rest of a tiny bundle."""
    staged = bundles.publish(registry / "staged")
    served = ServedModel(folded_batchnorm(embedder, recipe)).eval()

    def fill(folder: Path, version: int) -> Manifest:
        shutil.copytree(
            staged.path, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST)
        )
        export(served, IMAGES, folder / MODEL)
        changes = {"backbone": recipe.backbone, "preprocess": recipe.preprocess, "version": version}
        return staged.manifest.model_copy(update=changes)

    return Store(registry).publish("arcface", fill).path


@pytest.fixture(scope="module")
def deep() -> tuple[Embedder, Recipe]:
    """Trained once; tests change a copy."""
    return trained(**DEEP)


@pytest.fixture(scope="module")
def deep_registry(deep: tuple[Embedder, Recipe], tmp_path_factory: pytest.TempPathFactory) -> Path:
    registry = tmp_path_factory.mktemp("deep")
    published(registry, *deep)
    return registry


@pytest.fixture(scope="module")
def deep_model(deep_registry: Path) -> Path:
    """The folder of the version, which no test changes."""
    return Store(deep_registry).load("arcface").path


def embeddings(path: Path, backbone: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """Return the published model's embeddings, and those by `backbone` and its last layer."""
    session = open_session(path / MODEL)
    name, layer = last_linear(backbone)
    stored = {
        tensor.name.removesuffix("_float16"): torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in onnx.load(path / MODEL).graph.initializer
    }
    with torch.no_grad():
        for kind, parameter in layer.named_parameters():
            parameter.copy_(stored[f"backbone.{name}.{kind}"])
        ours = nn.functional.normalize(backbone.eval()(IMAGES))
    return run(session, IMAGES.numpy())[0], ours.numpy()


@pytest.mark.parametrize(
    "fields",
    [
        DEEP,
        pytest.param(DEEP | {"depth": 2, "stored_as": "float32"}, marks=pytest.mark.variant),
        {"widths": (4, 6), "size_px": 16},
    ],
)
def test_a_backbone_answers_as_the_model_that_it_starts_from(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    path = published(tmp_path, *trained(**fields))
    shape = open_source(path).shape
    assert shape == {name: fields[name] for name in shape if name in fields} | {
        "backbone": fields.get("backbone", "compact")
    }
    recipe = pinned(tiny_recipe("triplet", weights=str(path), **shape))
    assert recipe.size_px == 8  # as the recipe says
    recipe = recipe.varied(size_px=16)
    theirs, ours = embeddings(path, backbone_of(recipe, IMAGES))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_without_a_size_the_model_s_own_is_taken(deep_model: Path) -> None:
    recipe = Recipe(
        loss="triplet", weights=str(deep_model), backbone="airbench", widths=(24, 28, 32)
    )
    assert pinned(recipe).size_px == 16


def test_training_starts_where_the_model_ends(deep_model: Path) -> None:
    """Batch norms normalize again, and on the images as a whole that changes nothing."""
    shape = open_source(deep_model).shape
    recipe = tiny_recipe("triplet", weights=str(deep_model), size_px=16, **shape)
    backbone = backbone_of(recipe, IMAGES)
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 9
    with torch.no_grad():
        answers = backbone.eval()(IMAGES)
        torch.testing.assert_close(backbone.train()(IMAGES), answers, atol=2e-3, rtol=1e-2)
        others = backbone(255 - IMAGES)
        assert not torch.allclose(backbone.eval()(255 - IMAGES), others, atol=0.1)


def test_a_published_model_is_a_frozen_trunk(deep_model: Path) -> None:
    recipe = pinned(tiny_recipe("center", **frozen_trunk(deep_model)).varied(size_px=16))
    assert recipe.frozen
    features = trunk_of(recipe)(IMAGES)
    assert features.shape == (64, 32)
    backbone = backbone_of(recipe.varied(frozen=False), IMAGES).eval()
    layer = last_linear(backbone)[1]
    torch.testing.assert_close(layer(features), backbone(IMAGES), atol=1e-4, rtol=1e-4)


def test_so_is_the_trunk_of_a_model_that_was_trained_on_a_frozen_one(
    deep: tuple[Embedder, Recipe], tmp_path: Path
) -> None:
    embedder, recipe = copy.deepcopy(deep)
    trunk = copy.deepcopy(embedder.backbone)
    projection = FeatureProjection(cut(trunk), recipe.embedding_size)
    embedder.backbone = FrozenBackbone(trunk, projection)
    path = published(tmp_path, embedder, recipe)
    with torch.no_grad():
        features = trunk(IMAGES)  # rounded to halves, as the file is
    fields = frozen_trunk(path)
    assert fields["widths"] == DEEP["widths"]
    again = trunk_of(tiny_recipe("center", **fields).varied(size_px=16))(IMAGES)
    torch.testing.assert_close(again, features, atol=1e-4, rtol=1e-4)


def test_other_backbones_and_what_is_no_version_of_a_model_are_refused(
    deep_registry: Path, tmp_path: Path
) -> None:
    path = Store(shutil.copytree(deep_registry, tmp_path / "registry")).load("arcface").path
    recipe = tiny_recipe("softmax", **DEEP | {"depth": 2, "weights": str(path)})
    with pytest.raises(InvalidWeights, match=r"has another backbone than airbench .*depth=3"):
        backbone_of(recipe, IMAGES)
    with pytest.raises(InvalidWeights, match="neither"):
        pinned(recipe.varied(weights=str(path.parent.parent / "missing")))
    for call in (
        open_source,
        lambda all_versions: pinned(recipe.varied(weights=str(all_versions))),
    ):
        with pytest.raises(InvalidWeights, match="holds neither a run nor one version"):
            call(path.parent)
    loose = shutil.copytree(path, tmp_path / "loose")
    with pytest.raises(InvalidWeights, match="no version of a published model"):
        open_source(loose)
    (path / MODEL).write_bytes(b"not what its manifest says")
    with pytest.raises(InvalidWeights, match="damaged"):
        open_source(path)


def test_a_model_whose_file_has_other_names_is_refused_with_what_to_do(
    deep: tuple[Embedder, Recipe], tmp_path: Path
) -> None:
    tiny = bundles.publish(tmp_path).path
    with pytest.raises(InvalidWeights, match="unknown here: tiny"):
        frozen_trunk(tiny)
    embedder, recipe = deep
    path = published(tmp_path / "timm", embedder, recipe.varied(backbone="timm:resnet18"))
    with pytest.raises(InvalidWeights, match="start from the folder of its run"):
        frozen_trunk(path)


def test_weights_that_have_changed_since_are_refused(deep_model: Path) -> None:
    recipe = pinned(tiny_recipe("softmax", **DEEP | {"weights": str(deep_model)}))
    backbone_of(recipe, IMAGES)
    with pytest.raises(InvalidWeights, match="has changed"):
        backbone_of(recipe.varied(weights_sha256="0" * 64), IMAGES)


def test_a_model_has_seen_its_classes(deep_registry: Path, deep_model: Path) -> None:
    labels = Store(deep_registry).load("arcface").manifest.labels
    recipe = tiny_recipe("softmax", weights=str(deep_model), leave_out=(labels[1], "never seen"))
    assert classes_seen(recipe) == {labels[1]}
    assert classes_seen(recipe.varied(weights="random")) == frozenset()
