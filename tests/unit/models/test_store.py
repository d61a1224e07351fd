"""The registry on disk: what is published whole, what is refused, and why."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from models.bundle import GALLERY, GOLDEN, MANIFEST, MODEL, REPORT, sha256_of
from models.errors import BundleDamaged, BundleNotFound
from models.manifest import Manifest
from models.store import Store
from tests.bundles import Recipe, manifest, picture, publish, report

TINY = Recipe(gallery=3)


def fill(name: str = "arcface") -> Callable[[Path, int], Manifest]:
    """Write the least that a bundle needs; the store does not look into the files."""

    def write(folder: Path, version: int) -> Manifest:
        for file in (MODEL, GOLDEN):
            (folder / file).write_bytes(f"{file} of version {version}".encode())
        (folder / REPORT).write_text(report(name).model_dump_json())
        return manifest(name, version, TINY)

    return write


def everything_in(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def rewrite_manifest(bundle: Path, **fields: Any) -> None:
    path = bundle / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_an_empty_or_missing_registry_has_no_models(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "missing"):
        assert Store(root).names() == ()
        with pytest.raises(BundleNotFound) as refused:
            Store(root).load("arcface")
        assert refused.value.available == ()


def test_what_is_published_is_listed_and_loads_as_it_was(tmp_path: Path) -> None:
    published = publish(tmp_path, "arcface", TINY)
    store = Store(tmp_path)
    assert store.names() == ("arcface",)
    assert store.versions("arcface") == (1,)
    bundle = store.load("arcface")
    assert bundle == published
    assert bundle.path == tmp_path / "arcface" / "1"
    assert bundle.report == report("arcface")
    assert bundle.golden().images.shape == (5, 8, 8, 3)
    assert bundle.gallery().embeddings.shape == (3, 4)
    assert bundle.gallery().ids[0] == "train/aeroplane/0.png"
    assert set(bundle.manifest.files) == everything_in(bundle.path) - {MANIFEST}


def test_versions_count_up_and_the_newest_is_the_default(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for _ in range(11):
        store.publish("arcface", fill())
    assert store.versions("arcface") == tuple(range(1, 12))
    assert store.load("arcface").manifest.version == 11
    assert store.load("arcface", 2).model_path.read_bytes() == b"model.onnx of version 2"


def test_an_unknown_model_or_version_is_named_with_those_that_exist(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.publish("arcface", fill())
    store.publish("center", fill("center"))
    for name, version in (("cosface", None), ("arcface", 7), ("arcface", 0), ("arcface", -1)):
        with pytest.raises(BundleNotFound) as refused:
            store.load(name, version)
        assert refused.value.available == ("arcface", "center")
        assert (refused.value.name, refused.value.version) == (name, version)


@pytest.mark.parametrize("name", ["", ".", "..", "../outside", "a/b", "/", "Arcface", "a\0b"])
def test_a_name_never_leaves_the_registry(tmp_path: Path, name: str) -> None:
    Store(tmp_path).publish("outside", fill("outside"))
    store = Store(tmp_path / "registry")
    store.publish("arcface", fill())
    assert store.versions(name) == ()
    with pytest.raises(BundleNotFound):
        store.load(name)
    before = everything_in(tmp_path)
    with pytest.raises(ValueError, match="cannot name a model"):
        store.publish(name, fill())
    assert everything_in(tmp_path) == before


def test_no_model_takes_the_thumbnails_place(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="thumbnails"):
        Store(tmp_path).publish("thumbnails", fill("thumbnails"))


def test_what_is_no_version_is_passed_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.publish("arcface", fill())
    for name in ("0", "01", "-2", "two", "٣", ".publishing-abc", "2.bak"):
        (tmp_path / "arcface" / name).mkdir()
    (tmp_path / "arcface" / "9").write_text("a file")
    assert store.versions("arcface") == (1,)


@pytest.mark.parametrize("failure", [RuntimeError("full"), KeyboardInterrupt(), SystemExit(1)])
def test_a_failed_publication_leaves_nothing(tmp_path: Path, failure: BaseException) -> None:
    store = Store(tmp_path)
    store.publish("arcface", fill())
    before = everything_in(tmp_path)

    def fail(folder: Path, version: int) -> Manifest:
        fill()(folder, version)
        raise failure

    with pytest.raises(type(failure)):
        store.publish("arcface", fail)
    assert everything_in(tmp_path) == before
    assert [path.name for path in (tmp_path / "arcface").iterdir()] == ["1"]
    assert store.load("arcface").manifest.version == 1


def test_nothing_is_seen_before_all_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    seen: list[tuple[tuple[str, ...], tuple[int, ...]]] = []

    def look(folder: Path, version: int) -> Manifest:
        made = fill()(folder, version)
        seen.append((store.names(), store.versions("arcface")))
        return made

    store.publish("arcface", look)
    store.publish("arcface", look)
    assert seen == [((), ()), (("arcface",), (1,))]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (manifest("center", 1, TINY), "manifest of center/1"),
        (manifest("arcface", 2, TINY), "manifest of arcface/2"),
        (manifest("arcface", 1, TINY).model_copy(update={"temperature": -1.0}), "temperature"),
    ],
)
def test_a_wrong_manifest_is_not_published(tmp_path: Path, made: Manifest, reason: str) -> None:
    def write(folder: Path, version: int) -> Manifest:
        fill()(folder, version)
        return made

    with pytest.raises(ValueError, match=reason):
        Store(tmp_path).publish("arcface", write)
    assert everything_in(tmp_path) == set()


@pytest.mark.parametrize("file", [MODEL, REPORT, GOLDEN])
def test_an_incomplete_bundle_is_not_published(tmp_path: Path, file: str) -> None:
    def write(folder: Path, version: int) -> Manifest:
        made = fill()(folder, version)
        (folder / file).unlink()
        return made

    with pytest.raises(ValueError, match=f"lacks {file}"):
        Store(tmp_path).publish("arcface", write)
    assert everything_in(tmp_path) == set()


def test_of_two_at_once_one_wins_and_the_other_fails(tmp_path: Path) -> None:
    store = Store(tmp_path)
    both = threading.Barrier(2)
    outcomes: list[object] = []

    def write(folder: Path, version: int) -> Manifest:
        made = fill()(folder, version)
        both.wait(timeout=60)  # each has chosen its version before either is there
        return made

    def run() -> None:
        try:
            outcomes.append(store.publish("arcface", write).manifest.version)
        except OSError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(1) == 1
    assert sum(isinstance(outcome, OSError) for outcome in outcomes) == 1
    assert [path.name for path in (tmp_path / "arcface").iterdir()] == ["1"]
    assert store.load("arcface").manifest.version == 1


def test_a_published_bundle_can_be_read_by_others(tmp_path: Path) -> None:
    bundle = publish(tmp_path, "arcface", TINY)
    assert bundle.path.stat().st_mode & 0o777 == 0o755
    for path in (tmp_path / "thumbnails").iterdir():
        assert path.stat().st_mode & 0o777 == 0o644


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
    (path,) = (tmp_path / "thumbnails").iterdir()
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
