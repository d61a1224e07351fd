"""Tiny but real bundles: an ONNX graph that onnxruntime runs, published through the store."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from models.bundle import GALLERY, GOLDEN, MAP, MODEL, REPORT, Bundle
from models.files import sha256_of
from models.image_map import NOT_SAID, ImageMap, PlaneQuality, sha256_of_ids, write_map
from models.manifest import Manifest, Metric, Preprocess, UnknownRule
from models.report import Report
from models.store import Store
from models.test_images import Grid, TestImages
from tests.support.classified import LABELS as LABELS
from tests.support.reports import report as report

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect width="1" height="1"/></svg>'
)


@dataclass(frozen=True)
class Recipe:
    """The properties that distinguish one tiny model from another."""

    metric: Metric = "cosine"
    size_px: int = 8
    dimension: int = 4
    gallery: int = 30
    seed: int = 0
    thumbnails: bool = True
    unknown: UnknownRule | None = None
    measured: bool = True  # whether rounds of left-out classes chose the rule
    tests: int | None = 40  # test images on its map; None for a bundle from before there were maps


def publish(root: Path, name: str = "arcface", recipe: Recipe | None = None) -> Bundle:
    """Publish the next version of a tiny model."""
    recipe = recipe or Recipe()
    store = Store(root)
    digest = store.put_thumbnails(_thumbnails(recipe)) if recipe.thumbnails else None
    shown = None if recipe.tests is None else probe_images(recipe.tests)
    images = None if shown is None else store.put_test_images(shown)

    def fill(folder: Path, version: int) -> Manifest:
        onnx.save(graph(recipe), folder / MODEL)
        _fill_arrays(folder, recipe)
        (folder / REPORT).write_text(_report(name, recipe).model_dump_json())
        if shown is not None:
            rule = recipe.unknown if recipe.measured else None
            write_map(folder / MAP, image_map(folder, recipe, rule))
        (folder / "figures").mkdir()
        (folder / "figures" / "confusion-matrix.svg").write_bytes(SVG)
        return manifest(name, version, recipe).model_copy(
            update={"thumbnails": digest, "test_images": images}
        )

    return store.publish(name, fill)


def _report(name: str, recipe: Recipe) -> Report:
    whole = report(name)
    if recipe.measured:
        return whole
    default = {"rounds": (), "means": (), "chosen_by": "default"}
    return whole.model_copy(update={"unknowns": whole.unknowns.model_copy(update=default)})


def probe_pictures(n: int, size_px: int) -> NDArray[np.uint8]:
    """Images as the model gets them."""
    drawn = [Image.open(io.BytesIO(picture(1000 + row, (size_px,) * 2))) for row in range(n)]
    return np.array([np.asarray(one) for one in drawn], np.uint8).reshape(n, size_px, size_px, 3)


def probe_images(n: int) -> TestImages:
    """n images of random classes, the same ones whatever the model."""
    labels = np.random.default_rng(7).integers(0, len(LABELS), n)
    ids = tuple(f"test/{LABELS[label]}/{row}.png" for row, label in enumerate(labels))
    grid, tiles = Grid(8, 4, 4), probe_pictures(n, 8)
    sheets = []
    for first in range(0, n, grid.per_sheet):
        sheet = Image.new("RGB", (32, 32))
        for place, tile in enumerate(tiles[first : first + grid.per_sheet]):
            sheet.paste(Image.fromarray(tile), (place % 4 * 8, place // 4 * 8))
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=95, subsampling=0)
        sheets.append(buffer.getvalue())
    return TestImages(ids, labels, grid, tuple(sheets))


def image_map(folder: Path, recipe: Recipe, rule: UnknownRule | None) -> ImageMap:
    """A map by the bundle's graph, with two dimensions of the embedding for a plane."""
    tests = recipe.tests or 0
    pixels = np.concatenate([probe_pictures(tests, recipe.size_px), _gallery_pictures(recipe)])
    embedding, probabilities = run(folder / MODEL, pixels)
    unknown = np.arange(len(pixels)) % 2 if rule else np.full(len(pixels), NOT_SAID)
    return ImageMap(
        x=embedding[:, 0],
        y=embedding[:, 1],
        prediction=probabilities.argmax(axis=1),
        confidence=probabilities.max(axis=1),
        unknown=unknown.astype(np.uint8),
        tests=tests,
        quality=PlaneQuality(0.75, 0.625, 15),
        method="two dimensions",
        model_sha256=sha256_of(folder / MODEL),
        images_sha256=sha256_of_ids([*probe_images(tests).ids, str(recipe.gallery)]),
        rule=rule,
    )


def manifest(name: str, version: int, recipe: Recipe) -> Manifest:
    return Manifest(
        name=name,
        version=version,
        loss=name,
        metric=recipe.metric,
        dimension=recipe.dimension,
        labels=LABELS,
        preprocess=Preprocess(size_px=recipe.size_px),
        temperature=1.25,
        backbone="tiny",
        parameters=123,
        created=datetime(2026, 1, 2, tzinfo=UTC),
        gallery_size=recipe.gallery,
        unknown=recipe.unknown,
        files={},
    )


def graph(recipe: Recipe) -> onnx.ModelProto:
    """Flatten, scale, one linear layer, unit length where cosine; softmax of a second layer."""
    rng = np.random.default_rng(recipe.seed)
    pixels, d, c = 3 * recipe.size_px**2, recipe.dimension, len(LABELS)
    weights: dict[str, NDArray[Any]] = {
        "projection": rng.normal(scale=pixels**-0.5, size=(pixels, d)).astype(np.float32),
        "head": rng.normal(scale=3, size=(d, c)).astype(np.float32),
        "scale": np.array([1 / 255], np.float32),
        "center": np.array([0.5], np.float32),
        "flat": np.array([-1, pixels], np.int64),
    }
    last = "projected" if recipe.metric == "l2" else "unit"
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["float", "flat"], ["rows"]),
        helper.make_node("Mul", ["rows", "scale"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "center"], ["centered"]),
        helper.make_node("MatMul", ["centered", "projection"], ["projected"]),
        helper.make_node("LpNormalization", ["projected"], ["unit"], axis=1, p=2),
        helper.make_node("Identity", [last], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "head"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    size = recipe.size_px
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["b", size, size, 3])],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["b", d]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["b", c]),
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def run(path: Path, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embedding and probabilities, straight from onnxruntime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    embedding, probabilities = session.run(["embedding", "probabilities"], {"images": images})
    return embedding, probabilities


def picture(seed: int, size: tuple[int, int] = (24, 16), kind: str = "PNG") -> bytes:
    """An encoded image of smooth noise, the same for the same arguments."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(buffer, kind)
    return buffer.getvalue()


def _fill_arrays(folder: Path, recipe: Recipe) -> None:
    rng = np.random.default_rng(recipe.seed + 1)
    golden = rng.integers(0, 256, (5, recipe.size_px, recipe.size_px, 3), dtype=np.uint8)
    gallery = _gallery_pictures(recipe)
    embedding, probabilities = run(folder / MODEL, golden)
    np.savez(folder / GOLDEN, images=golden, embedding=embedding, probabilities=probabilities)
    labels = np.arange(recipe.gallery, dtype=np.int64) % len(LABELS)
    ids = np.array([f"train/{LABELS[label]}/{i}.png" for i, label in enumerate(labels)])
    np.savez(folder / GALLERY, embeddings=run(folder / MODEL, gallery)[0], labels=labels, ids=ids)


def _gallery_pictures(recipe: Recipe) -> NDArray[np.uint8]:
    rng = np.random.default_rng(recipe.seed + 11)
    shape = (recipe.gallery, recipe.size_px, recipe.size_px, 3)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def _thumbnails(recipe: Recipe) -> list[bytes]:
    return [picture(seed, (8, 8), "JPEG") for seed in range(recipe.gallery)]
