"""PyTorch to ONNX, published only if both give the same answers."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from models.atomic import replacing
from training.calibration.module import ServedModel
from training.data.dataset import LabeledImages
from training.errors import ExportMismatch

OPSET = 20
TOLERANCE = 1e-4
CHECKED_BATCHES = (1, 7, 256)
_GOLDEN_IMAGES = 16
_SMALLEST_HALVED = 1024  # numbers; below, a cast costs more than it saves


def export(model: ServedModel, images: UInt8[Tensor, "n h w 3"], path: Path) -> None:
    """Write a self-contained ONNX file and check it on batches of 1, 7 and 256 of `images`.

    Raises ExportMismatch, and leaves no file at `path`, where an answer differs by more than 1e-4.
    """
    with replacing(path) as temporary:
        _write(model, images[:2].clone(), temporary)
        check(model, temporary, images)


def _write(model: ServedModel, example: UInt8[Tensor, "b h w 3"], path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns about itself
        torch.onnx.export(
            model,
            (example,),
            path,
            input_names=["images"],
            output_names=["embedding", "probabilities"],
            dynamic_shapes=({0: torch.export.Dim("b", min=1)},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    strip(model)
    _halve(model.graph)
    onnx.save(model, path)


@torch.no_grad()
def check(model: ServedModel, path: Path, images: UInt8[Tensor, "n h w 3"]) -> None:
    """Compare the file with the module on every batch size; raises ExportMismatch."""
    session = open_session(path)
    for size in CHECKED_BATCHES:
        batch = images[torch.arange(size) % len(images)]
        expected = [output.numpy() for output in model(batch)]
        for name, ours, theirs in zip(
            ("embedding", "probabilities"), expected, run(session, batch.numpy()), strict=True
        ):
            gap = float(np.abs(ours - theirs).max())
            if not gap <= TOLERANCE:  # also catches NaN
                raise ExportMismatch(
                    f"the exported {name} differs by {gap:.1e} on a batch of {size}; "
                    f"at most {TOLERANCE:.0e} is accepted, so nothing was exported"
                )


def strip(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes about its own machine: stack traces with file paths."""
    graph = model.graph
    for part in (
        model,
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def name_opsets_once(model: onnx.ModelProto) -> None:
    """Drop what joined models import twice, which onnxruntime's quantization refuses."""
    once = {opset.domain: opset.version for opset in model.opset_import}
    model.ClearField("opset_import")
    model.opset_import.extend(helper.make_opsetid(*each) for each in once.items())


def _halve(graph: onnx.GraphProto) -> None:
    """Store float32 weights that are exact in float16 as such, cast back when a session opens."""
    casts = []
    for weights in graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < _SMALLEST_HALVED:
            continue
        halves = values.astype(np.float16)
        if np.array_equal(halves.astype(np.float32), values):
            name = weights.name
            weights.CopyFrom(numpy_helper.from_array(halves, f"{name}_float16"))
            casts.append(helper.make_node("Cast", [weights.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    graph.ClearField("node")
    graph.node.extend(nodes)


def open_session(path: Path) -> ort.InferenceSession:
    """The exported file on the processor."""
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


def run(
    session: ort.InferenceSession, images: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embeddings [b, d] and probabilities [b, c] of one batch."""
    embedding, probabilities = session.run(["embedding", "probabilities"], {"images": images})
    return embedding, probabilities


def golden(session: ort.InferenceSession, part: LabeledImages) -> dict[str, NDArray[np.generic]]:
    """A few images spread over the classes, with the answers that every loader must reproduce."""
    step = max(1, len(part) // _GOLDEN_IMAGES)
    images = part.images[::step][:_GOLDEN_IMAGES].numpy()
    embedding, probabilities = run(session, images)
    return {"images": images, "embedding": embedding, "probabilities": probabilities}
