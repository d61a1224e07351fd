"""The files of a folder, and the items made of its images."""

from pathlib import Path

import numpy as np
import pytest

from models.manifest import Preprocess
from models.preprocess import MAX_PIXELS
from service.cli.sources.base import RejectedInput
from service.cli.sources.folder import FolderEmbedder, ImageFile, find_pictures
from service.collections import NewItem
from service.collections.storage.thumbnails import decode_with_thumbnail
from service.inference.device import CPU
from service.inference.session import Session
from service.vectors.errors import UnknownItem
from tests.support.bundles import Recipe, picture, publish, run

SIZE = 8


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> FolderEmbedder:
    bundle = publish(tmp_path_factory.mktemp("registry"), "arcface", Recipe(size_px=SIZE))
    session = Session(bundle, CPU, 1)
    return FolderEmbedder(session, bundle.manifest.preprocess, MAX_PIXELS, keep_images=True)


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture(1))


def of(data: bytes, id_: str = "a.png") -> ImageFile:
    return ImageFile(id_, lambda: data, "cat", {"year": 2020})


def test_an_id_is_the_path_inside_the_folder_and_a_label_the_folders_name(tmp_path: Path) -> None:
    write(tmp_path, "b.jpg", "train/dog/1.PNG", "train/cat/2.webp")
    found = find_pictures(tmp_path, labeled=True)
    assert [(p.id, p.label) for p in found.pictures] == [
        ("b.jpg", None),
        ("train/cat/2.webp", "cat"),
        ("train/dog/1.PNG", "dog"),
    ]
    assert found.pictures[0].read() == picture(1)


def test_labels_can_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, "cat/1.png")
    assert find_pictures(tmp_path, labeled=False).pictures[0].label is None


def test_files_that_are_no_images_are_counted_and_hidden_ones_not_looked_at(tmp_path: Path) -> None:
    write(tmp_path, "1.png", "notes.txt", "no-suffix", ".hidden.png", ".cache/2.png")
    found = find_pictures(tmp_path, labeled=True)
    assert [p.id for p in found.pictures] == ["1.png"]
    assert found.passed.files == 2


def test_an_item_has_the_models_vector_the_thumbnail_and_the_image(
    embedder: FolderEmbedder,
) -> None:
    encoded = picture(5, (30, 20))
    (item,) = embedder.embed([of(encoded)])
    assert isinstance(item, NewItem)
    assert (item.id, item.label, item.metadata) == ("a.png", "cat", {"year": 2020})
    assert item.image == encoded
    assert item.thumbnail == decode_with_thumbnail(encoded, embedder.spec)[1]
    assert item.vector.shape == (4,)


def test_each_vector_stays_with_its_image(embedder: FolderEmbedder) -> None:
    images = [picture(seed) for seed in range(5)]
    alone = [embedder.embed([of(image)])[0] for image in images]
    mixed = [of(images[0]), of(b"bad", "x"), *map(of, images[1:])]
    together = [one for one in embedder.embed(mixed) if isinstance(one, NewItem)]
    for one, other in zip(together, alone, strict=True):
        assert isinstance(other, NewItem)
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-6)


def test_an_image_is_kept_only_where_that_is_wanted(embedder: FolderEmbedder) -> None:
    lean = FolderEmbedder(embedder.session, embedder.spec, embedder.max_pixels, keep_images=False)
    (item,) = lean.embed([of(picture(1))])
    assert isinstance(item, NewItem)
    assert item.image is None
    assert item.thumbnail


def test_what_cannot_be_taken_says_why(embedder: FolderEmbedder) -> None:
    def missing() -> bytes:
        raise FileNotFoundError(2, "No such file or directory")

    def deleted() -> bytes:
        raise UnknownItem("pets", "d")

    small = FolderEmbedder(embedder.session, Preprocess(size_px=SIZE), 100, keep_images=False)
    faults = small.embed(
        [of(b"bad", "a"), of(picture(1), "b"), ImageFile("c", missing), ImageFile("d", deleted)]
    )
    assert [type(fault) for fault in faults] == [RejectedInput] * 4
    reasons = [fault.reason for fault in faults if isinstance(fault, RejectedInput)]
    assert "not a JPEG" in reasons[0]
    assert "the limit is 100" in reasons[1]
    assert "No such file" in reasons[2]
    assert "has no item 'd'" in reasons[3]


def test_the_vector_is_what_onnxruntime_gives(tmp_path: Path) -> None:
    bundle = publish(tmp_path, "arcface", Recipe(size_px=SIZE))
    embedder = FolderEmbedder(Session(bundle, CPU, 1), bundle.manifest.preprocess, 1000, False)
    from models.preprocess import preprocess

    encoded = picture(3)
    (item,) = embedder.embed([of(encoded)])
    pixels = preprocess(encoded, bundle.manifest.preprocess)[np.newaxis]
    assert isinstance(item, NewItem)
    np.testing.assert_allclose(item.vector, run(bundle.model_path, pixels)[0][0], atol=1e-6)
