"""A published model's calibration fitted anew, in its ONNX file: no weight and no run is needed."""

import shutil
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from onnx import compose, numpy_helper
from onnx.utils import Extractor
from torch import Tensor

from models.bundle import GOLDEN, MODEL, REPORT, Bundle
from models.evidence.confidence import Calibration, ConfidenceMap
from training.calibration.calibrate import fit_calibration
from training.calibration.confidence_map import ConfidenceLayer
from training.data.dataset import LabeledImages
from training.errors import InvalidRun
from training.evaluation.graph import Graph
from training.export.onnx import OPSET, name_opsets_once, open_session, run, strip

_TEMPERED = "tempered_probabilities"
_OUTPUT = "probabilities"
_ALIKE = 0.002  # mean difference of the highest probability below which a calibration stays


def refit(bundle: Bundle, held: LabeledImages, cache: Path | None = None) -> Calibration | None:
    """The calibration that the split asks for today; None where it serves what is published.

    That is where the images' highest probabilities differ by less than 0.002 on average.
    """
    graph = Graph(bundle.model_path, bundle.manifest.temperature, cache)
    served, scores = graph.scored(held)
    logits = torch.from_numpy(scores)
    calibration = fit_calibration(logits, held.labels)
    anew = _served(logits, calibration).max(dim=1).values.numpy()
    moved = float(np.abs(anew - served.probabilities.max(axis=1)).mean())
    if moved < _ALIKE:
        return None
    also = bundle.report.confidence.calibration.also_read_for
    return calibration.model_copy(update={"also_read_for": also})


def recalibrated(path: Path, calibration: Calibration) -> onnx.ModelProto:
    """The graph in the file at `path` with another calibration behind its class scores."""
    model = onnx.load(path)
    softmax = next((n for n in reversed(model.graph.node) if n.op_type == "Softmax"), None)
    if softmax is None:
        raise InvalidRun(f"{path} has no softmax over its classes; export it with this version")
    _set_temperature(model.graph, softmax.input[0], calibration.temperature, path)
    head = _up_to(model, softmax.output[0])
    if calibration.confidence_map is None:
        return _renamed(head, _OUTPUT)
    classes = head.graph.output[1].type.tensor_type.shape.dim[1].dim_value
    tail = _layer(calibration.confidence_map, classes)
    tail.ir_version = head.ir_version
    whole = compose.merge_models(
        _renamed(head, _TEMPERED), tail, io_map=[(_TEMPERED, f"map/{_TEMPERED}")]
    )
    name_opsets_once(whole)
    return _renamed(whole, _OUTPUT)


def check_alike(old: Bundle, folder: Path) -> None:
    """Raises ValueError unless the model in `folder` embeds and ranks as `old` does, to the bit."""
    images = old.golden().images
    (before, were), (embedding, probabilities) = (
        run(open_session(path), images) for path in (old.model_path, folder / MODEL)
    )
    ranked = np.array_equal(were.argmax(axis=1), probabilities.argmax(axis=1))
    if not (np.array_equal(embedding, before) and ranked):
        raise ValueError(f"{old.path} embeds or ranks otherwise; publish a new version")


def write_recalibrated(bundle: Bundle, calibration: Calibration, folder: Path) -> Bundle:
    """A copy of the bundle in `folder` with that calibration in graph, golden batch and report.

    Its sections are the old ones, so it is to be evaluated; its manifest's hashes, too, are old.
    """
    shutil.copytree(bundle.path, folder, dirs_exist_ok=True)
    onnx.save(recalibrated(bundle.model_path, calibration), folder / MODEL)
    before = bundle.golden()
    _, probabilities = run(open_session(folder / MODEL), before.images)
    golden: dict[str, NDArray[np.generic]] = {
        "images": before.images,
        "embedding": before.embedding,
        "probabilities": probabilities,
    }
    np.savez(folder / GOLDEN, allow_pickle=False, **golden)
    old = bundle.report
    confidence = old.confidence.model_copy(update={"calibration": calibration})
    report = old.model_copy(update={"confidence": confidence})
    (folder / REPORT).write_text(report.model_dump_json(indent=2) + "\n")
    temperature = float(np.float32(calibration.temperature))
    return Bundle(folder, bundle.manifest.model_copy(update={"temperature": temperature}))


def _served(logits: Float[Tensor, "n c"], calibration: Calibration) -> Float[Tensor, "n c"]:
    tempered = torch.softmax(logits / calibration.temperature, dim=1)
    knots = calibration.confidence_map
    return tempered if knots is None else ConfidenceLayer(knots).to(tempered.dtype)(tempered)


def _set_temperature(graph: onnx.GraphProto, scores: str, temperature: float, path: Path) -> None:
    division = next(node for node in graph.node if scores in node.output)
    found = [tensor for tensor in graph.initializer if tensor.name in division.input[1:]]
    if division.op_type != "Div" or len(found) != 1:
        raise InvalidRun(f"{path} does not divide its class scores by one temperature")
    value = np.array(temperature, np.float32)
    found[0].CopyFrom(numpy_helper.from_array(value, found[0].name))


def _up_to(model: onnx.ModelProto, tempered: str) -> onnx.ModelProto:
    parts = Extractor(onnx.shape_inference.infer_shapes(model))
    head: onnx.ModelProto = parts.extract_model(["images"], ["embedding", tempered])
    return head


def _renamed(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """With its second output, the probabilities, called `name`."""
    old = model.graph.output[1].name
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, one in enumerate(names):
                if one == old:
                    names[place] = name
    model.graph.output[1].name = name
    return model


def _layer(knots: ConfidenceMap, classes: int) -> onnx.ModelProto:
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / MODEL
        warnings.simplefilter("ignore")  # torch.export warns about itself
        torch.onnx.export(
            ConfidenceLayer(knots).eval(),
            (torch.full((2, classes), 1 / classes),),
            path,
            input_names=[_TEMPERED],
            output_names=[_OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("b", min=1)},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(path)
    strip(model)
    prefixed: onnx.ModelProto = compose.add_prefix(model, "map/")
    return prefixed
