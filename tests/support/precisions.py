"""Tiny bundles with a second graph, whose weights are rounded: another file, close answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from models.bundle import GALLERY, GOLDEN, INT8_GALLERY, INT8_GOLDEN, INT8_MODEL, Bundle
from models.manifest import Manifest, Variant
from models.store import Store
from tests.support.bundles import Recipe, graph, publish, run

TOLERANCE = 0.01


def publish_in_two(
    root: Path,
    name: str = "arcface",
    *,
    recipe: Recipe | None = None,
    may_mix: bool = True,
    golden_is_off_by: float = 0.0,
) -> Bundle:
    """Publish a tiny model, and beside it the same with weights of few digits as int8."""
    recipe = recipe or Recipe()
    old = publish(root, name, recipe)

    def fill(folder: Path) -> Manifest:
        onnx.save(_rounded(recipe), folder / INT8_MODEL)
        with np.load(folder / GOLDEN) as arrays:
            images = arrays["images"]
        embedding, probabilities = run(folder / INT8_MODEL, images)
        np.savez(
            folder / INT8_GOLDEN,
            images=images,
            embedding=embedding + np.float32(golden_is_off_by),
            probabilities=probabilities,
        )
        with np.load(folder / GALLERY) as arrays:
            moved = arrays["embeddings"] + np.float32(0.001)
        np.savez(folder / INT8_GALLERY, embeddings=moved)
        variant = Variant(
            precision="int8",
            file=INT8_MODEL,
            golden=INT8_GOLDEN,
            gallery=INT8_GALLERY,
            tolerance=TOLERANCE,
            temperature=1.25,
            may_mix=may_mix,
        )
        return old.manifest.model_copy(update={"variants": (variant,)})

    return Store(root).replace(name, old.manifest.version, fill)


def _rounded(recipe: Recipe) -> onnx.ModelProto:
    model = graph(replace(recipe))
    for tensor in model.graph.initializer:
        if tensor.name == "projection":
            values = numpy_helper.to_array(tensor)
            step = np.abs(values).max() / 127
            rounded = (np.rint(values / step) * step).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    return model
