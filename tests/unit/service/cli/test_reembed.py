"""A collection that another model makes anew."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from models.preprocess import MAX_PIXELS
from models.store import Store
from service.__main__ import main
from service.cli import reembed
from service.cli.reembed_job import ReembedJob
from service.cli.resources import REEMBEDDED, open_library
from service.cli.sources.base import Made
from service.cli.sources.folder import FolderEmbedder, ImageFile
from service.collections import Collection, CollectionSpec, NewItem, data_folder
from service.inference.device import CPU
from service.inference.session import Session
from service.settings import Settings
from service.vectors.milvus.index import name_in_milvus
from service.vectors.milvus.server import MilvusServer
from service.vectors.query import Search
from tests.support.bundles import Recipe, picture, publish
from tests.support.milvus import milvus_lite

IDS = [f"{i}.png" for i in range(12)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two models, of 4 and of 6 dimensions, and no collection yet."""
    publish(tmp_path / "registry", "arcface", Recipe(seed=1))
    publish(tmp_path / "registry", "arcface", Recipe(seed=2, dimension=6))
    return Settings(registry=tmp_path / "registry", data_dir=tmp_path / "data", device="cpu")


def spec_of(settings: Settings) -> CollectionSpec:
    manifest = Store(settings.registry).load("arcface", 1).manifest
    return CollectionSpec.new("pets", manifest, index="exact")


def embedder(settings: Settings, version: int) -> FolderEmbedder:
    bundle = Store(settings.registry).load("arcface", version)
    session = Session(bundle, CPU, 1)
    return FolderEmbedder(session, bundle.manifest.preprocess, MAX_PIXELS, keep_images=True)


def items(settings: Settings, version: int, ids: Sequence[str] = IDS) -> list[NewItem]:
    pictures = [
        ImageFile(id_, partial(picture, i), f"label {i}", {"number": i})
        for i, id_ in enumerate(ids)
    ]
    made = embedder(settings, version).embed(pictures)
    return [one for one in made if isinstance(one, NewItem)]


def fill(settings: Settings, *more: NewItem) -> None:
    with open_library(settings) as library:
        collection, _ = library.create(spec_of(settings))
        collection.put([*items(settings, 1), *more])


def run(settings: Settings, *flags: str) -> int:
    places = [f"--data-dir={settings.data_dir}", f"--registry={settings.registry}"]
    return main(["reembed", "pets", "--device=cpu", *places, *flags])


def ids_of(collection: Collection) -> list[str]:
    return [item.id for item in collection.page(0, 1000).items]


def test_it_has_the_newest_models_vectors_and_all_else_as_it_was(settings: Settings) -> None:
    fill(settings)
    with open_library(settings) as library:
        before = library.get("pets").page(0, 100).items
    assert run(settings) == 0
    with open_library(settings) as library:
        pets = library.get("pets")
        assert (pets.spec.version, pets.spec.dimension) == (2, 6)
        assert pets.page(0, 100).items == before
        for one in items(settings, 2):
            np.testing.assert_allclose(pets.vectors([one.id])[0], one.vector, atol=1e-6)
            assert pets.image(one.id) == one.image
            assert pets.thumbnail(one.id) == one.thumbnail
    assert [path.name for path in (settings.data_dir / REEMBEDDED).iterdir()] == [".lock"]


def test_a_collection_of_that_model_is_left_alone(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(settings)
    assert run(settings, "--version=1") == 0
    assert "was made by arcface/1 already" in capsys.readouterr().out


def test_items_without_image_are_listed_and_refused(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(settings, NewItem("vector/[1]", np.ones(4, np.float32)))
    assert run(settings) == 2
    said = capsys.readouterr()
    assert said.out.splitlines() == ["vector/[1]"]
    assert "1 items have no image that was kept; --drop-others leaves them out" in said.err
    with open_library(settings) as library:
        assert library.get("pets").spec.version == 1


def test_items_without_image_can_be_dropped(settings: Settings) -> None:
    fill(settings, NewItem("vector", np.ones(4, np.float32)))
    assert run(settings, "--drop-others") == 0
    with open_library(settings) as library:
        assert ids_of(library.get("pets")) == IDS


def test_an_image_that_cannot_be_decoded_is_refused_or_dropped(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(settings, NewItem("bad", np.ones(4, np.float32), image=b"no image"))
    assert run(settings) == 2
    assert "1 items could not be embedded" in capsys.readouterr().err
    assert run(settings, "--drop-others") == 0
    with open_library(settings) as library:
        assert ids_of(library.get("pets")) == IDS


class Stopping(ReembedJob):
    """Wants to stop after its first transaction."""

    def follow(self, stop: Event, tell: Callable[[int], None]) -> bool:
        stop.set()
        return super().follow(stop, tell)


@pytest.fixture
def interrupted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Half of the items are done."""
    fill(settings)
    with monkeypatch.context() as patch:
        patch.setattr("service.cli.reembed_job._AT_ONCE", 6)
        patch.setattr(reembed, "ReembedJob", Stopping)
        assert run(settings) == 130
    with open_library(settings) as library:
        assert library.get("pets").spec.version == 1
    return settings


def test_an_interrupted_run_goes_on_where_it_stopped(
    interrupted: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: list[str] = []

    def noting(self: FolderEmbedder, pictures: Sequence[ImageFile]) -> Made:
        embedded.extend(one.id for one in pictures)
        return embed(self, pictures)

    embed = FolderEmbedder.embed
    monkeypatch.setattr(FolderEmbedder, "embed", noting)
    assert run(interrupted) == 0
    assert embedded == IDS[6:]
    with open_library(interrupted) as library:
        assert ids_of(library.get("pets")) == IDS


def test_what_changed_since_it_was_interrupted_is_followed(interrupted: Settings) -> None:
    done, undone = IDS[0], IDS[11]
    changed = replace(items(interrupted, 1)[1], label="changed")
    (new,) = items(interrupted, 1, ["new.png"])
    with open_library(interrupted) as library:
        pets = library.get("pets")
        pets.delete(done)
        pets.delete(undone)
        pets.put([changed, new])
    assert run(interrupted) == 0
    with open_library(interrupted) as library:
        pets = library.get("pets")
        assert ids_of(pets) == [*IDS[2:11], changed.id, "new.png"]
        assert pets.get(changed.id).label == "changed"


def test_what_was_begun_for_another_model_is_begun_anew(interrupted: Settings) -> None:
    publish(interrupted.registry, "arcface", Recipe(seed=3, dimension=5))
    assert run(interrupted) == 0
    with open_library(interrupted) as library:
        pets = library.get("pets")
        assert (pets.spec.version, pets.spec.dimension) == (3, 5)
        assert ids_of(pets) == IDS


def test_what_was_begun_for_another_collection_is_begun_anew(interrupted: Settings) -> None:
    with open_library(interrupted) as library:
        library.delete("pets")
        spec = replace(spec_of(interrupted), created="2026-12-01T00:00:00+00:00")
        library.create(spec)[0].put(items(interrupted, 1, ["other.png"]))
    assert run(interrupted) == 0
    with open_library(interrupted) as library:
        assert ids_of(library.get("pets")) == ["other.png"]


def test_what_is_written_while_it_runs_is_there_at_the_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look and the exchange nobody can write; before, whatever came is seen."""
    fill(settings)

    def pruning(self: ReembedJob) -> list[str]:
        with open_library(settings) as library:
            if "late.png" not in ids_of(pets := library.get("pets")):
                pets.put(items(settings, 1, ["late.png"]))
                pets.delete(IDS[3])
        return prune(self)

    prune = ReembedJob.prune
    monkeypatch.setattr(ReembedJob, "prune", pruning)
    assert run(settings) == 0
    with open_library(settings) as library:
        assert ids_of(library.get("pets")) == [*IDS[:3], *IDS[4:], "late.png"]


@pytest.mark.milvus
def test_milvus_keeps_nothing_of_the_old_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with milvus_lite(tmp_path / "milvus") as url:
        monkeypatch.setenv("LOSSATLAS_INDEX_URL", url)
        distributed = settings.model_copy(update={"index_url": url})
        fill(settings)
        kept = [search_with(distributed)]
        assert run(settings) == 0
        kept.append(search_with(distributed))
        with closing(MilvusServer(url)) as server, server.reached() as client:
            assert [client.has_collection(name) for name in kept] == [False, True]


def search_with(distributed: Settings) -> str:
    """Search as the service does; what the collection is called in Milvus."""
    with closing(data_folder.open_library(distributed)) as library:
        pets = library.get("pets")
        vector = pets.vectors([IDS[4]])
        assert pets.search(vector, Search(k=1))[0][0].item.id == IDS[4]
        return name_in_milvus("pets", pets.spec.key)
