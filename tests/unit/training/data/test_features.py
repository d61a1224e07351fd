"""Features are computed once for a trunk and a data set, and are what the trunk gives."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.tiny_runs import backbone_of, tiny_recipe, tiny_splits
from training.data.dataset import Dataset, split
from training.data.features import LabeledFeatures, drawn, embedded
from training.loop.trainer import Trainer
from training.networks.build import BACKBONES, cut, last_linear
from training.networks.projection import FeatureProjection
from training.recipes.recipe import Recipe

PARTS = tiny_splits()
DATASET = Dataset("tiny", "noise", "0" * 64, ("a", "b", "c", "d"), PARTS.train, PARTS.test)


def trunk(seed: int = 0, name: str = "compact") -> nn.Module:
    torch.manual_seed(seed)
    backbone = backbone_of(recipe(name), PARTS.train.images)
    cut(backbone)
    return backbone.eval()


def recipe(name: str = "compact", **fields: object) -> Recipe:
    return tiny_recipe("softmax", backbone=name, **fields)


def files(folder: Path) -> int:
    return len(list(folder.iterdir()))


def test_cached_features_are_those_computed_again(tmp_path: Path) -> None:
    network = trunk()
    first = embedded(DATASET, network, recipe(), tmp_path)
    again = embedded(DATASET, network, recipe(), tmp_path)
    assert files(tmp_path) == 2
    for found in (first, again):
        assert isinstance(found.train, LabeledFeatures)
        assert found.train.ids == PARTS.train.ids
        with torch.no_grad():
            torch.testing.assert_close(found.train.images[:, 0], network(PARTS.train.images))
            torch.testing.assert_close(found.test.images[:, 0], network(PARTS.test.images))


@pytest.mark.parametrize("changed", ["trunk", "data set", "views"])
def test_another_trunk_or_data_set_makes_new_features(changed: str, tmp_path: Path) -> None:
    embedded(DATASET, trunk(), recipe(), tmp_path)
    embedded(
        replace(DATASET, sha256="1" * 64) if changed == "data set" else DATASET,
        trunk(seed=1 if changed == "trunk" else 0),
        recipe(views=2 if changed == "views" else 1),
        tmp_path,
    )
    assert files(tmp_path) == 4


@pytest.mark.parametrize(
    "other",
    [
        recipe(views=2, cutout_px=3),
        recipe(views=2, warp=0.5),
        recipe(views=2, padding_px=1),
        recipe(views=2, seed=1),
    ],
)
def test_views_shown_otherwise_are_other_features(other: Recipe, tmp_path: Path) -> None:
    embedded(DATASET, trunk(), recipe(views=2), tmp_path)
    embedded(DATASET, trunk(), other, tmp_path)
    assert files(tmp_path) == 4


def test_views_begin_with_the_image_itself_and_are_drawn_alike_for_a_seed(tmp_path: Path) -> None:
    network, three = trunk(), recipe(views=3)
    train = embedded(DATASET, network, three, tmp_path / "a").train
    assert train.images.shape[1] == 3
    with torch.no_grad():
        torch.testing.assert_close(train.images[:, 0], network(PARTS.train.images))
    assert not torch.equal(train.images[:, 0], train.images[:, 1])
    again = embedded(DATASET, network, three, tmp_path / "b").train
    assert torch.equal(again.images, train.images)
    shown = drawn(train.images, torch.arange(64), torch.Generator().manual_seed(0))
    views = (train.images == shown).all(dim=2)
    assert views.any(dim=1).all()
    assert not views[:, 0].all()


def test_the_trainer_fits_a_projection_of_them(tmp_path: Path) -> None:
    frozen = recipe(frozen=True, epochs=20, learning_rate=2e-2)
    splits = split(embedded(DATASET, trunk(), frozen, tmp_path), 0.1, 0)
    trainer = Trainer(frozen, splits, 4)
    assert isinstance(trainer.embedder.backbone, FeatureProjection)
    for _ in trainer.steps():
        pass
    assert trainer.progress.history[-1].loss < 0.5 * trainer.progress.history[0].loss


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_is_its_trunk_and_its_last_layer(name: str) -> None:
    images = PARTS.train.images.repeat_interleave(2, 1).repeat_interleave(2, 2)
    whole = backbone_of(recipe(name).varied(size_px=16), images).eval()
    with torch.no_grad():
        expected = whole(images)
        _, last = last_linear(whole)
        assert cut(whole) == last.in_features
        torch.testing.assert_close(last(whole(images)), expected)
