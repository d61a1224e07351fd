import asyncio
from pathlib import Path

import numpy as np
import pytest

from models.errors import BundleDamaged
from models.manifest import Metric, Scorer, UnknownRule
from models.store import Store
from service.inference.device import CPU
from service.inference.loader import Loader
from service.inference.open_set import OpenSetDetector, make_doubt
from service.inference.session import Outputs
from tests.support.bundles import Recipe, publish

IMAGES = 40


def rule(scorer: Scorer, threshold: float) -> UnknownRule:
    k = 3 if scorer == "knn_distance" else None
    return UnknownRule(scorer=scorer, threshold=threshold, k=k, accepts=0.95)


def outputs(seed: int = 0) -> Outputs:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(10, 0.3), IMAGES).astype(np.float32)
    return Outputs(rng.normal(size=(IMAGES, 4)).astype(np.float32), probabilities)


def doubt(root: Path, recipe: Recipe) -> OpenSetDetector:
    bundle = publish(root, "arcface", recipe)
    found = make_doubt(bundle, bundle.gallery())
    assert found is not None
    return found


def naive(root: Path, scorer: Scorer, metric: Metric, seen: Outputs) -> list[float]:
    """One image and one gallery image at a time."""
    gallery = Store(root).load("arcface").gallery()
    rows = gallery.embeddings.astype(float)

    def unit(row: np.ndarray) -> np.ndarray:
        return row / np.linalg.norm(row) if metric == "cosine" else row

    def distance(one: np.ndarray, other: np.ndarray) -> float:
        if metric == "cosine":
            return 1 - float(unit(one) @ unit(other))
        return float(np.linalg.norm(one - other))

    if scorer == "max_probability":
        return [1 - float(row.max()) for row in seen.probabilities]
    if scorer == "class_mean_distance":
        rows = np.array(
            [
                np.mean([unit(row) for row in rows[gallery.labels == label]], axis=0)
                for label in range(10)
            ]
        )
    nth = 2 if scorer == "knn_distance" else 0
    return [
        sorted(distance(image, row) for row in rows)[nth] for image in seen.embedding.astype(float)
    ]


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("scorer", ["max_probability", "class_mean_distance", "knn_distance"])
def test_the_rule_is_applied_as_its_definition_says(
    tmp_path: Path, scorer: Scorer, metric: Metric
) -> None:
    seen = outputs()
    publish(tmp_path, "arcface", Recipe(metric=metric))
    scores = naive(tmp_path, scorer, metric, seen)
    threshold = float(np.sort(scores)[IMAGES // 2 - 1 : IMAGES // 2 + 1].mean())
    one = doubt(tmp_path, Recipe(metric=metric, unknown=rule(scorer, threshold)))
    found = asyncio.run(one.unknown(seen))
    assert found == [score > threshold for score in scores]
    assert sum(found) == IMAGES // 2


def test_a_model_without_a_rule_has_no_doubt(tmp_path: Path) -> None:
    bundle = publish(tmp_path)
    assert make_doubt(bundle, bundle.gallery()) is None
    assert Loader(Store(tmp_path), CPU, 1).load("arcface", 1).doubt is None


@pytest.mark.parametrize("scorer", ["max_probability", "class_mean_distance", "knn_distance"])
def test_a_rule_that_no_measurement_chose_doubts_nothing(tmp_path: Path, scorer: Scorer) -> None:
    publish(tmp_path, "arcface", Recipe(unknown=rule(scorer, 0.5), measured=False))
    assert Loader(Store(tmp_path), CPU, 1).load("arcface", 1).doubt is None


@pytest.mark.parametrize("scorer", ["class_mean_distance", "knn_distance"])
def test_distances_to_an_empty_gallery_are_damage(tmp_path: Path, scorer: Scorer) -> None:
    recipe = Recipe(gallery=0, thumbnails=False, unknown=rule(scorer, 0.5))
    publish(tmp_path, "arcface", recipe)
    with pytest.raises(BundleDamaged, match=f"{scorer}, needs a gallery"):
        Loader(Store(tmp_path), CPU, 1).load("arcface", 1)


def test_probabilities_need_no_gallery(tmp_path: Path) -> None:
    recipe = Recipe(gallery=0, thumbnails=False, unknown=rule("max_probability", 0.5))
    publish(tmp_path, "arcface", recipe)
    assert Loader(Store(tmp_path), CPU, 1).load("arcface", 1).doubt is not None
