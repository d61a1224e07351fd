"""The registry on disk: what is published whole, what is refused, and why."""

import os
import threading
from pathlib import Path

import pytest

from models.bundle import GOLDEN, MANIFEST, MODEL, REPORT
from models.errors import BundleNotFound, ComparisonDamaged
from models.manifest import Manifest
from models.store import Store
from tests.support.bundles import SVG, manifest, publish, report
from tests.support.comparisons import comparison
from tests.support.least import TINY, everything_in, fill


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


@pytest.mark.parametrize("name", ["thumbnails", "comparison"])
def test_no_model_takes_a_reserved_place(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    with pytest.raises(ValueError, match=f"'{name}' cannot name a model"):
        store.publish(name, fill(name))
    (tmp_path / name / "1").mkdir(parents=True)
    assert (store.names(), store.versions(name)) == ((), ())
    with pytest.raises(BundleNotFound):
        store.load(name)


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


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "results.svg").write_bytes(SVG)
    (folder / "notes.txt").write_text("not a figure")
    return folder


def test_a_comparison_comes_back_as_it_was(tmp_path: Path, figures: Path) -> None:
    store = Store(tmp_path / "registry")
    assert (store.comparison(), store.comparison_figures()) == (None, {})
    store.put_comparison(comparison(), figures)
    assert store.comparison() == comparison()
    assert {name: path.read_bytes() for name, path in store.comparison_figures().items()} == {
        "results": SVG
    }
    assert everything_in(store.root) == {
        "comparison/comparison.json",
        "comparison/figures/results.svg",
    }
    assert (store.names(), store.versions("comparison")) == ((), ())


def test_a_new_comparison_takes_the_old_ones_place_whole(tmp_path: Path, figures: Path) -> None:
    store = Store(tmp_path / "registry")
    store.put_comparison(comparison(), figures)
    (figures / "results.svg").rename(figures / "heads.svg")
    store.put_comparison(comparison().model_copy(update={"hardware": "another"}), figures)
    found = store.comparison()
    assert found is not None
    assert (found.hardware, list(store.comparison_figures())) == ("another", ["heads"])
    assert [path.name for path in store.root.iterdir()] == ["comparison"]
    assert (store.root / "comparison").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_failed_comparison_leaves_the_old_one(
    tmp_path: Path, figures: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store = Store(tmp_path / "registry")
    store.put_comparison(comparison(), figures)
    rename = Path.rename

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    def fail_into_place(path: Path, target: Path) -> Path:
        if path.name.startswith(".publishing-") and not path.name.endswith("-replaced"):
            fail()
        return rename(path, target)

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "rename", fail_into_place)
    newer = comparison().model_copy(update={"hardware": "another"})
    with pytest.raises(OSError, match="No space"):
        store.put_comparison(newer, figures)
    assert store.comparison() == comparison()
    assert list(store.comparison_figures()) == ["results"]
    assert [path.name for path in store.root.iterdir()] == ["comparison"]


def test_what_is_no_comparison_is_not_published(tmp_path: Path, figures: Path) -> None:
    store = Store(tmp_path / "registry")
    with pytest.raises(ValueError, match="training_seconds"):
        store.put_comparison(
            comparison().model_copy(update={"training_seconds": float("nan")}), figures
        )
    (figures / "Bad Name.svg").write_bytes(SVG)
    with pytest.raises(ValueError, match="cannot name a figure"):
        store.put_comparison(comparison(), figures)
    assert everything_in(store.root) == set()


@pytest.mark.parametrize("content", ["", "{", '{"losses": []}', "\x00"])
def test_a_damaged_comparison_is_named(tmp_path: Path, figures: Path, content: str) -> None:
    store = Store(tmp_path / "registry")
    store.put_comparison(comparison(), figures)
    (store.root / "comparison" / "comparison.json").write_text(content)
    with pytest.raises(ComparisonDamaged, match=r"comparison\.json"):
        store.comparison()
