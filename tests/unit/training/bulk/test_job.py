"""A folder of images becomes a folder of shards, whatever comes between."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from models.bundle import Bundle
from models.preprocess import preprocess
from tests.support.bundles import Recipe, picture, publish
from tests.support.bundles import run as ask
from training.bulk.embedder import Model
from training.bulk.engines import Batch, EngineTask, LocalEngine
from training.bulk.job import EmbeddingJob, EmbeddingManifest, Sizes
from training.errors import InvalidOutput

N = 11


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return publish(tmp_path / "registry", "arcface", Recipe(thumbnails=False))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "pets").mkdir(parents=True)
    for i in range(N):
        (folder / "pets" / f"{i:02}.png").write_bytes(picture(i))
    return folder


def engine(images: Path, bundle: Bundle, workers: int = 2) -> LocalEngine:
    return LocalEngine(EngineTask(images, Model.of(bundle), workers))


def embed(
    images: Path, out: Path, bundle: Bundle, runs: LocalEngine | None = None, batch: int = 2
) -> EmbeddingManifest:
    job = EmbeddingJob(images, out, bundle, Sizes(batch=batch, shard=4), lambda done: None)
    return job.run(runs or engine(images, bundle), "embed")


def rows(out: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(path) for path in sorted(out.glob("*.parquet")))


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*.parquet")}


def test_each_row_is_what_the_graph_says_of_that_file(
    images: Path, bundle: Bundle, tmp_path: Path
) -> None:
    manifest = embed(images, tmp_path / "out", bundle)
    found = rows(tmp_path / "out")
    names = [f"pets/{i:02}.png" for i in range(N)]
    assert found.column("id").to_pylist() == names
    pixels = [
        preprocess((images / name).read_bytes(), bundle.manifest.preprocess) for name in names
    ]
    embeddings, probabilities = ask(bundle.model_path, np.stack(pixels))
    np.testing.assert_allclose(found.column("vector").to_pylist(), embeddings, atol=1e-5)
    labels = [bundle.manifest.labels[i] for i in probabilities.argmax(1)]
    assert found.column("label").to_pylist() == labels
    np.testing.assert_allclose(
        found.column("probability").to_pylist(), probabilities.max(1), atol=1e-5
    )
    assert (manifest.n, manifest.n_failed, len(manifest.shards)) == (N, 0, 3)
    assert manifest.model_sha256 == bundle.manifest.files["model.onnx"].sha256
    written = (tmp_path / "out" / "manifest.json").read_bytes()
    assert EmbeddingManifest.model_validate_json(written) == manifest


def test_neither_workers_nor_batches_change_an_answer(
    images: Path, bundle: Bundle, tmp_path: Path
) -> None:
    for name, workers in (("one", 1), ("three", 3)):
        embed(images, tmp_path / name, bundle, engine(images, bundle, workers))
    assert contents(tmp_path / "one") == contents(tmp_path / "three")
    embed(images, tmp_path / "singly", bundle, batch=1)
    first, second = (rows(tmp_path / name) for name in ("one", "singly"))
    np.testing.assert_allclose(
        first.column("vector").to_pylist(), second.column("vector").to_pylist(), atol=1e-6
    )


def test_what_cannot_be_read_is_listed_and_ends_nothing(
    images: Path, bundle: Bundle, tmp_path: Path
) -> None:
    (images / "a.jpg").write_bytes(b"no image")
    (images / "pets" / "03.png").unlink()
    (images / "pets" / "03.png").symlink_to("nowhere")
    (images / "pets" / os.fsdecode(b"\xff.png")).write_bytes(picture(1))
    manifest = embed(images, tmp_path / "out", bundle)
    assert (manifest.n, manifest.n_failed) == (N - 1, 3)
    lines = (tmp_path / "out" / "errors.jsonl").read_text().splitlines()
    errors = {found["id"]: found["error"] for found in map(json.loads, lines)}
    assert list(errors) == ["a.jpg", "pets/03.png", "pets/\\xff.png"]
    assert "not a decodable image" in errors["a.jpg"]
    assert errors["pets/03.png"] == "No such file or directory"
    assert "not UTF-8" in errors["pets/\\xff.png"]
    assert rows(tmp_path / "out").column_names == ["id", "vector", "label", "probability", "sha256"]


def test_a_folder_of_broken_files_alone_is_no_error(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"no image")
    manifest = embed(tmp_path / "images", tmp_path / "out", bundle)
    assert (manifest.n, manifest.n_failed) == (0, 1)


class Interrupted(LocalEngine):
    """Stops as by Ctrl-C, after some batches."""

    def rows(self, batches: Iterable[Batch]) -> Iterator[pa.Table]:
        for number, table in enumerate(super().rows(batches)):
            if number == 5:
                raise KeyboardInterrupt
            yield table


def test_an_interrupted_run_goes_on_with_what_is_missing(
    images: Path, bundle: Bundle, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    embed(images, whole, bundle)
    with pytest.raises(KeyboardInterrupt):
        embed(images, broken, bundle, Interrupted(EngineTask(images, Model.of(bundle), 2)))
    assert sorted(contents(broken)) == ["shard-00000.parquet", "shard-00001.parquet"]
    assert not (broken / "manifest.json").exists()
    assert sorted(path.name for path in broken.glob(".*")) == [".lock"]
    manifest = embed(images, broken, bundle)
    assert manifest.embedded == {"local": N - 8}
    assert contents(broken) == contents(whole)


def test_only_what_changed_is_embedded_again(images: Path, bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    embed(images, out, bundle)
    (images / "pets" / "05.png").write_bytes(picture(99, (30, 30)))
    assert embed(images, out, bundle).embedded == {"local": 4}
    (out / "shard-00000.parquet").write_bytes(b"torn")
    assert embed(images, out, bundle).embedded == {"local": 4}
    for i in range(8, N):
        (images / "pets" / f"{i:02}.png").unlink()
    assert embed(images, out, bundle).shards == ("shard-00000.parquet", "shard-00001.parquet")
    assert len(contents(out)) == 2


def test_another_models_embeddings_are_not_replaced(
    images: Path, bundle: Bundle, tmp_path: Path
) -> None:
    embed(images, tmp_path / "out", bundle)
    before = contents(tmp_path / "out")
    newer = publish(tmp_path / "registry", "arcface", Recipe(seed=5, thumbnails=False))
    with pytest.raises(InvalidOutput, match=r"holds embeddings of arcface/1, not of arcface/2"):
        embed(images, tmp_path / "out", newer)
    assert contents(tmp_path / "out") == before


def test_two_processes_do_not_write_into_one_folder(
    images: Path, bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    with (
        FileLock(tmp_path / "out" / ".lock"),
        pytest.raises(InvalidOutput, match="another process is writing"),
    ):
        embed(images, tmp_path / "out", bundle)


def test_few_batches_are_taken_ahead(images: Path, bundle: Bundle) -> None:
    taken = []

    def batches() -> Iterator[Batch]:
        for i in range(N):
            taken.append(i)
            yield [f"pets/{i:02}.png"]

    found = engine(images, bundle, workers=1).rows(batches())
    next(found)
    assert len(taken) <= 3
