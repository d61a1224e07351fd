"""An int8 copy of an exported graph: uint8 activations, int8 weights by channel, by QDQ nodes."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from jaxtyping import Float32, UInt8
from onnx import TensorProto, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from models.bundle import MODEL
from training.errors import ExportMismatch
from training.export.onnx import name_opsets_once, open_session, run, strip

CALIBRATED_ON = 512
"""Training images at most, whose activations' ranges are taken."""
_QUANTIZED = ["Conv", "MaxPool"]  # residual sums and activations in float cost little and lose less
_BATCH = 32
_ALIKE = 0.995  # mean cosine of embeddings above which no further layer is left in float
_IN_FLOAT = (2, 4, 7, 12)  # first convolutions: they see the most pixels and the fewest channels

Images = UInt8[np.ndarray, "n h w 3"]


@dataclass(frozen=True)
class QuantizedGraph:
    """The graph, how many of its convolutions stayed in float, of how many, and on how many images.

    Ranges of activations are of that many training images.
    """

    model: onnx.ModelProto
    float_convolutions: int
    convolutions: int
    calibrated_on: int


def quantize(path: Path, images: Images, shown: UInt8[np.ndarray, "m h w 3"]) -> QuantizedGraph:
    """Quantize the convolutions of the file at `path`, all but the first few.

    Ranges are taken from `images`, of training. How many stay in float is tried in steps, until
    the embeddings of `shown` have a mean cosine of 0.995 to the file's own. Everything behind the
    convolutions stays in float: embedding, head, temperature. Raises ExportMismatch for a graph
    with fewer than three convolutions, or with no more than a batch of images.
    """
    images = images[: min(CALIBRATED_ON, len(images)) // _BATCH * _BATCH]
    whole = _without_halves(onnx.load(path))
    names = [node.name for node in whole.graph.node if node.op_type == "Conv"]
    tried = [count for count in _IN_FLOAT if 2 * count < len(names)]
    if not tried or not len(images):
        raise ExportMismatch(
            f"int8 needs 5 convolutions and {_BATCH} training images at least (got {len(names)} "
            f"and {len(images)})"
        )
    expected = run(open_session(path), shown)[0]
    with TemporaryDirectory() as folder, _quiet():
        place = _Workspace(Path(folder), whole, images)
        for count in tried:
            model = place.quantized(names[:count])
            if _cosine(expected, run(open_session(place.target), shown)[0]) >= _ALIKE:
                break
    return QuantizedGraph(model, count, len(names), len(images))


class _Workspace:
    """A folder in which a graph is quantized several times by the same ranges."""

    def __init__(self, folder: Path, model: onnx.ModelProto, images: Images) -> None:
        self._source, self._ranges = folder / MODEL, folder / "ranges.json"
        self.target = folder / "int8.onnx"
        self._images = images
        onnx.save(model, self._source)

    def quantized(self, in_float: list[str]) -> onnx.ModelProto:
        quantize_static(
            self._source,
            self.target,
            _CalibrationReader(self._images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_QUANTIZED,
            nodes_to_exclude=in_float,
            per_channel=True,
            activation_type=QuantType.QUInt8,  # int8 activations are slower on x86
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            calibration_cache_path=self._ranges,
        )
        model = onnx.load(self.target)
        strip(model)
        return model


class _CalibrationReader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, images: Images) -> None:
        starts = range(0, len(images), _BATCH)
        self._batches = iter([{"images": images[start : start + _BATCH]} for start in starts])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)


def _without_halves(model: onnx.ModelProto) -> onnx.ModelProto:
    """With float32 weights where they were stored as float16: casts would hide them."""
    name_opsets_once(model)
    graph = model.graph
    halves = {one.name: one for one in graph.initializer if one.data_type == TensorProto.FLOAT16}
    nodes = []
    for node in graph.node:
        if node.op_type != "Cast" or node.input[0] not in halves:
            nodes.append(node)
            continue
        stored = halves[node.input[0]]
        values = numpy_helper.to_array(stored).astype(np.float32)
        graph.initializer.remove(stored)
        graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
    graph.ClearField("node")
    graph.node.extend(nodes)
    return model


def _cosine(one: Float32[np.ndarray, "n d"], other: Float32[np.ndarray, "n d"]) -> float:
    return float(cosines(one, other).mean())


def cosines(
    one: Float32[np.ndarray, "n d"], other: Float32[np.ndarray, "n d"]
) -> Float32[np.ndarray, " n"]:
    """Of each pair of rows."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: Float32[np.ndarray, " n"] = (one * other).sum(axis=1) / np.maximum(lengths, 1e-12)
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Without onnxruntime's advice to do what was done: batch norms are folded already."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
