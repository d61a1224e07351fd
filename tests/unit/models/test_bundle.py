"""One published bundle: damage is found and named, and nothing unsafe is read."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from models.bundle import GALLERY, GOLDEN, MANIFEST, MODEL, REPORT
from models.errors import BundleDamaged
from models.files import sha256_of
from models.manifest import Manifest
from models.store import Store
from tests.support.bundles import picture, publish
from tests.support.least import TINY, everything_in, fill, rewrite_manifest


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "one flipped bit": lambda bundle: flip(bundle / MODEL),
    "truncated": lambda bundle: os.truncate(bundle / GOLDEN, 4),
    "longer": lambda bundle: append(bundle / MODEL),
    "missing": lambda bundle: (bundle / REPORT).unlink(),
    "a folder": lambda bundle: replace_by_folder(bundle / MODEL),
    "no manifest": lambda bundle: (bundle / MANIFEST).unlink(),
    "empty manifest": lambda bundle: (bundle / MANIFEST).write_text(""),
    "manifest no JSON": lambda bundle: (bundle / MANIFEST).write_text("{"),
    "manifest no text": lambda bundle: (bundle / MANIFEST).write_bytes(b"\xff\xfe\0"),
    "manifest of a later schema": lambda bundle: rewrite_manifest(bundle, schema_version=2),
    "another name": lambda bundle: rewrite_manifest(bundle, name="center"),
    "another version": lambda bundle: rewrite_manifest(bundle, version=2),
    "nothing listed": lambda bundle: rewrite_manifest(bundle, files={}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_named(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    bundle = store.publish("arcface", fill())
    store.publish("center", fill("center"))
    DAMAGE[damage](bundle.path)
    with pytest.raises(BundleDamaged) as refused:
        store.load("arcface")
    assert (refused.value.name, refused.value.version) == ("arcface", 1)
    assert refused.value.reason
    assert store.load("center").manifest.name == "center"


@pytest.mark.parametrize("path", ["../../secret", "/etc/hostname", "figures/../../../secret"])
def test_a_manifest_cannot_list_files_outside_its_bundle(tmp_path: Path, path: str) -> None:
    store = Store(tmp_path)
    bundle = store.publish("arcface", fill())
    secret = tmp_path / "secret"
    secret.write_text("secret")
    listed = json.loads((bundle.path / MANIFEST).read_text())["files"]
    listed[path] = {"sha256": sha256_of(secret), "size_bytes": 6}
    rewrite_manifest(bundle.path, files=listed)
    with pytest.raises(BundleDamaged, match="files"):
        store.load("arcface")


def test_files_that_do_not_read_are_damage_too(tmp_path: Path) -> None:
    def write(folder: Path, version: int) -> Manifest:
        made = fill()(folder, version)
        (folder / REPORT).write_text('{"name": "arcface"}')
        np.savez(folder / GALLERY, embeddings=np.zeros((1, 2)))
        return made

    bundle = Store(tmp_path).publish("arcface", write)
    for read in (lambda: bundle.report, bundle.golden, bundle.gallery):
        with pytest.raises(BundleDamaged):
            read()


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.trace,)


def test_no_pickle_is_ever_read(tmp_path: Path) -> None:
    trace = tmp_path / "ran"

    def write(folder: Path, version: int) -> Manifest:
        made = fill()(folder, version)
        np.savez(folder / GOLDEN, images=np.array([Payload(trace)], dtype=object))
        return made

    bundle = Store(tmp_path).publish("arcface", write)
    with pytest.raises(BundleDamaged, match="allow_pickle"):
        bundle.golden()
    assert not trace.exists()
    with np.load(bundle.path / GOLDEN, allow_pickle=True) as arrays:
        _ = arrays["images"]
    assert trace.exists()  # the trap does spring


def test_a_figure_is_found_by_its_name_and_nothing_else_is(tmp_path: Path) -> None:
    bundle = publish(tmp_path, "arcface", TINY)
    assert bundle.figure_path("confusion-matrix") == bundle.path / "figures/confusion-matrix.svg"
    for name in (
        "",
        "other",
        "../../../arcface/1/figures/confusion-matrix",
        "confusion-matrix.svg",
    ):
        assert bundle.figure_path(name) is None


JPEGS = [picture(seed, (8, 8), "JPEG") for seed in range(4)]


def test_thumbnails_are_stored_once_and_come_back_as_they_were(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digest = store.put_thumbnails(JPEGS)
    assert store.put_thumbnails(JPEGS) == digest
    assert store.put_thumbnails(JPEGS[:3]) != digest
    assert len(list((tmp_path / "thumbnails").iterdir())) == 2
    assert store.names() == ()

    def write(folder: Path, version: int) -> Manifest:
        return fill()(folder, version).model_copy(update={"thumbnails": digest})

    thumbnails = store.publish("arcface", write).thumbnails()
    assert thumbnails is not None
    assert [thumbnails.jpeg(i) for i in range(len(thumbnails))] == JPEGS


def test_no_thumbnails_is_not_damage(tmp_path: Path) -> None:
    assert Store(tmp_path).publish("arcface", fill()).thumbnails() is None


def test_missing_or_altered_thumbnails_are_damage(tmp_path: Path) -> None:
    bundle = publish(tmp_path, "arcface", TINY)
    path = tmp_path / "thumbnails" / f"{bundle.manifest.thumbnails}.npz"
    flip(path)
    with pytest.raises(BundleDamaged, match="altered"):
        bundle.thumbnails()
    path.unlink()
    with pytest.raises(BundleDamaged, match="missing"):
        bundle.thumbnails()


def test_failed_thumbnails_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        Store(tmp_path).put_thumbnails(JPEGS)
    assert everything_in(tmp_path) == set()
    with pytest.raises(OSError, match="No space"):
        Store(tmp_path).publish("arcface", fill())
    assert everything_in(tmp_path) == set()


def test_a_bundle_is_a_value(tmp_path: Path) -> None:
    bundle = Store(tmp_path).publish("arcface", fill())
    with pytest.raises(ValidationError):
        bundle.manifest.version = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        bundle.path = tmp_path  # type: ignore[misc]
