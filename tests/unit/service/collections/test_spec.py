from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest

from models.manifest import Manifest
from models.store import Store
from service.collections import CollectionSpec, Library
from service.collections.errors import CollectionDiffers
from service.collections.storage import schema
from service.collections.storage.layout import ITEMS
from service.vectors.milvus.index import name_in_milvus
from tests.support.bundles import Recipe, publish

Opener = Callable[..., Library]
IN_2026 = "2026-11-24T00:00:00+00:00"


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    publish(tmp_path, "arcface", Recipe(seed=1))
    return Store(tmp_path).load("arcface").manifest


def test_no_two_collections_are_the_same_one(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock does not matter: it may stand still, or be set back."""
    monkeypatch.setattr("service.collections.spec._now", lambda: IN_2026)
    made = [CollectionSpec.new("pets", manifest) for _ in range(100)]
    made += [spec.copied("pets") for spec in made]
    assert {spec.created for spec in made} == {IN_2026}
    assert len({name_in_milvus("pets", spec.key) for spec in made}) == 200


def test_what_is_made_has_the_models_facts_and_the_choices(manifest: Manifest) -> None:
    spec = CollectionSpec.new("pets", manifest, metric="l2", index="exact", keep_images=False)
    assert spec.choices == {
        "name": "pets",
        "loss": "arcface",
        "version": 1,
        "model_sha256": manifest.files["model.onnx"].sha256,
        "metric": "l2",
        "dimension": manifest.dimension,
        "index": "exact",
        "keep_images": False,
    }
    assert CollectionSpec.new("pets", manifest).metric == manifest.metric


def test_only_what_is_asked_for_is_compared(manifest: Manifest) -> None:
    spec = CollectionSpec.new("pets", manifest, index="exact")
    spec.require({})
    spec.require(CollectionSpec.new("pets", manifest, index="exact").choices)
    with pytest.raises(CollectionDiffers) as error:
        spec.require({"index": "hnsw", "keep_images": True, "default_loss": "softmax"})
    assert error.value.differences == ("index ('exact', not 'hnsw')",)


def test_a_file_of_an_older_release_keeps_its_identity(
    tmp_path: Path, manifest: Manifest, open_library: Opener
) -> None:
    spec = CollectionSpec.new("pets", manifest)
    with_key = asdict(spec) | {"created": IN_2026}
    del with_key["identity"]
    library = open_library()
    library.create(spec)
    library.close()
    file = next(tmp_path.rglob(f"pets/{ITEMS}"))
    database = schema.connect(file)
    database.execute("UPDATE collection SET spec = ?", (orjson.dumps(with_key).decode(),))
    database.close()
    old = open_library().get("pets").spec
    assert old.key == f"{IN_2026} {spec.model_sha256}"
