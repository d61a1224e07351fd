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

from models.bundle import GALLERY, GOLDEN, MODEL, REPORT, Bundle
from models.manifest import Manifest, Metric, Preprocess
from models.report import (
    Calibration,
    ClassDifference,
    ClassMetrics,
    Comparison,
    Confusion,
    DatasetRecord,
    Epoch,
    Figure,
    Provenance,
    Report,
)
from models.store import Store

LABELS = ("aeroplane", "bird", "cat", "deer", "dog", "frog", "horse", "lorry", "ship", "van")
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect width="1" height="1"/></svg>'
)


@dataclass(frozen=True)
class Recipe:
    """What distinguishes one tiny model from another."""

    metric: Metric = "cosine"
    size_px: int = 8
    dimension: int = 4
    gallery: int = 30
    seed: int = 0
    thumbnails: bool = True


def publish(root: Path, name: str = "arcface", recipe: Recipe | None = None) -> Bundle:
    """Publish the next version of a tiny model."""
    recipe = recipe or Recipe()
    store = Store(root)
    digest = store.put_thumbnails(_thumbnails(recipe)) if recipe.thumbnails else None

    def fill(folder: Path, version: int) -> Manifest:
        onnx.save(graph(recipe), folder / MODEL)
        _fill_arrays(folder, recipe)
        (folder / REPORT).write_text(report(name).model_dump_json())
        (folder / "figures").mkdir()
        (folder / "figures" / "confusion-matrix.svg").write_bytes(SVG)
        return manifest(name, version, recipe).model_copy(update={"thumbnails": digest})

    return store.publish(name, fill)


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


def report(name: str) -> Report:
    """A report that the contract accepts, with numbers that agree with each other."""
    counts = _confusion()
    total = int(counts.sum())
    accuracy = float(np.trace(counts)) / total
    comparison = _comparison(counts, accuracy) if name != "softmax" else None
    epochs = range(1, 21)
    return Report(
        name=name,
        loss=name,
        test_images=total,
        accuracy=accuracy,
        classes=tuple(_class(counts, i) for i in range(len(LABELS))),
        confusion=Confusion(labels=LABELS, counts=tuple(map(tuple, counts.tolist()))),
        against_softmax=comparison,
        calibration=Calibration(temperature=1.25, nll_before=0.61, nll_after=0.55, n=500),
        learning_curve=tuple(
            Epoch(
                epoch=e,
                loss=2.3 / e,
                tuning_accuracy=0.85 - 0.7 / (e + 1),
                seconds=16,
                diagnostics={},
            )
            for e in epochs
        ),
        figures=(
            Figure(name="confusion-matrix", title="Confusion matrix", caption="Rows: the truth."),
        ),
        provenance=_provenance(total),
    )


def _fill_arrays(folder: Path, recipe: Recipe) -> None:
    rng = np.random.default_rng(recipe.seed + 1)
    shape = (recipe.size_px, recipe.size_px, 3)
    golden = rng.integers(0, 256, (5, *shape), dtype=np.uint8)
    gallery = rng.integers(0, 256, (recipe.gallery, *shape), dtype=np.uint8)
    embedding, probabilities = run(folder / MODEL, golden)
    np.savez(folder / GOLDEN, images=golden, embedding=embedding, probabilities=probabilities)
    labels = np.arange(recipe.gallery, dtype=np.int64) % len(LABELS)
    ids = np.array([f"train/{LABELS[label]}/{i}.png" for i, label in enumerate(labels)])
    np.savez(folder / GALLERY, embeddings=run(folder / MODEL, gallery)[0], labels=labels, ids=ids)


def _thumbnails(recipe: Recipe) -> list[bytes]:
    return [picture(seed, (8, 8), "JPEG") for seed in range(recipe.gallery)]


def _confusion() -> NDArray[np.int64]:
    rng = np.random.default_rng(3)
    counts = rng.poisson(2, (len(LABELS), len(LABELS)))
    counts[2, 4] += 11
    counts[np.diag_indices(len(LABELS))] = 0
    counts[np.diag_indices(len(LABELS))] = 100 - counts.sum(axis=1)
    return counts


def _class(counts: NDArray[np.int64], i: int) -> ClassMetrics:
    tp = int(counts[i, i])
    fp, fn = int(counts[:, i].sum()) - tp, int(counts[i].sum()) - tp
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return ClassMetrics(
        label=LABELS[i],
        support=tp + fn,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall),
        true_positives=tp,
        false_positives=fp,
        false_negatives=fn,
        true_negatives=int(counts.sum()) - tp - fp - fn,
    )


def _comparison(counts: NDArray[np.int64], accuracy: float) -> Comparison:
    ones = [_class(counts, i) for i in range(len(LABELS))]
    return Comparison(
        baseline="softmax",
        baseline_accuracy=accuracy - 0.01,
        accuracy_difference=0.01,
        classes=tuple(
            ClassDifference(
                label=one.label,
                false_positives=one.false_positives,
                baseline_false_positives=one.false_positives + shift,
                false_positives_difference=-shift,
                false_negatives=one.false_negatives,
                baseline_false_negatives=one.false_negatives + 1,
                false_negatives_difference=-1,
            )
            for shift, one in zip((3, 0, -2, 1, 5, -1, 0, 2, 1, 1), ones, strict=True)
        ),
    )


def _provenance(test_images: int) -> Provenance:
    return Provenance(
        dataset=DatasetRecord(
            name="noise",
            edition="made by tests/bundles.py",
            sha256="0" * 64,
            train=40,
            tuning=5,
            calibration=500,
            test=test_images,
        ),
        recipe={"epochs": 20, "batch": 128},
        seed=0,
        command="python -m training run --loss arcface",
        commit=None,
        versions={"torch": "2.14.1"},
        hardware="two cores",
        training_seconds=320,
        evaluated=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
