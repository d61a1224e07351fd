"""An exported graph asked about many images; what a frozen trunk gives is computed once."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from jaxtyping import Float32, Float64, UInt8
from onnx import numpy_helper
from onnx.utils import Extractor
from scipy.special import softmax

from models.atomic import replacing
from training.data.dataset import LabeledImages
from training.errors import InvalidRun
from training.evaluation.answers import Answers

_BATCH = 250
_OUTPUTS = ("embedding", "probabilities")
_BEHIND_THE_TRUNK = "backbone.projection.mean"  # as training.networks.projection names it

Images = UInt8[np.ndarray, "n h w 3"]
Array = Float32[np.ndarray, "n ..."]
Scores = Float64[np.ndarray, "n c"]
Asked = tuple[Float32[np.ndarray, "n d"], Float32[np.ndarray, "n c"]]


class Graph:
    """The model in an ONNX file, as it is served, and the class scores before its calibration.

    Of a model on a frozen trunk the file is run in two parts. Features that the first gives are
    kept in `cache`, under a hash of that part and of the images, so that models on one trunk are
    evaluated in the time of one.
    """

    def __init__(self, path: Path, temperature: float, cache: Path | None = None) -> None:
        self._temperature, self._cache = temperature, cache
        model = onnx.load(path)
        self._scores = _scores(model, path)
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(self._scores))
        self._features = _features(model) if cache is not None else None
        if self._features is None:
            self._session = _opened(model)
            return
        parts = Extractor(onnx.shape_inference.infer_shapes(model))
        trunk = parts.extract_model(["images"], [self._features])
        self._trunk, self._trunk_sha256 = _opened(trunk), fingerprint(trunk.graph)
        outputs = [*_OUTPUTS, self._scores]
        self._session = _opened(parts.extract_model(["images", self._features], outputs))

    def ask(self, images: Images) -> Asked:
        """Embeddings and probabilities of any number of images, as served."""
        embeddings, probabilities, _ = self._run(images)
        return embeddings, probabilities

    def answers(self, part: LabeledImages) -> Answers:
        """Ask the model about every image, as served."""
        return _answers(part, *self.ask(part.images.numpy()))

    def both(self, part: LabeledImages) -> tuple[Answers, Answers]:
        """The same, and the answers at temperature 1 without a confidence map."""
        served, scores = self.scored(part)
        plain = softmax(scores, axis=1).astype(np.float32)
        return served, _answers(part, served.embeddings, plain)

    def scored(self, part: LabeledImages) -> tuple[Answers, Scores]:
        """The answers as served, and the class scores before any calibration."""
        embeddings, probabilities, scores = self._run(part.images.numpy())
        served = _answers(part, embeddings, probabilities)
        return served, scores.astype(np.float64) * self._temperature

    def _run(self, images: Images) -> list[Array]:
        kept = None if self._features is None else self._kept_features(images)
        batches = []
        for start in range(0, len(images), _BATCH):
            rows = slice(start, start + _BATCH)
            feed: dict[str, np.ndarray] = {"images": images[rows]}
            if kept is not None and self._features is not None:
                feed[self._features] = kept[rows]
            batches.append(self._session.run([*_OUTPUTS, self._scores], feed))
        return [np.concatenate(column) for column in zip(*batches, strict=True)]

    def _kept_features(self, images: Images) -> Array:
        assert self._cache is not None  # noqa: S101  (features are only cut out where there is one)
        key = _sha256(f"{self._trunk_sha256} {images.shape}".encode() + images.tobytes())
        path = self._cache / f"features-{key[:32]}.npy"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            found = [
                self._trunk.run([self._features], {"images": images[start : start + _BATCH]})[0]
                for start in range(0, len(images), _BATCH)
            ]
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.save(file, np.concatenate(found))
        kept: Array = np.load(path)
        return kept


def _answers(part: LabeledImages, embeddings: Array, probabilities: Array) -> Answers:
    return Answers(embeddings, probabilities, part.labels.numpy(), part.ids)


def _scores(model: onnx.ModelProto, path: Path) -> str:
    """The name of what the softmax over the classes is given: scores over the temperature."""
    found = [node.input[0] for node in model.graph.node if node.op_type == "Softmax"]
    if not found:
        raise InvalidRun(f"{path} has no softmax over its classes; export it with this version")
    return str(found[-1])


def _features(model: onnx.ModelProto) -> str | None:
    """The name of what a frozen trunk gives; None where the whole network was trained."""
    for node in model.graph.node:
        if _BEHIND_THE_TRUNK in node.input:
            return next(str(name) for name in node.input if name != _BEHIND_THE_TRUNK)
    return None


def fingerprint(graph: onnx.GraphProto) -> str:
    """The sha256 of what a graph computes: its nodes and tensors, whatever their names."""
    known = {given.name: f"input {place}" for place, given in enumerate(graph.input)}
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        facts = f"{values.dtype} {values.shape} ".encode()
        known[tensor.name] = _sha256(facts + values.tobytes())
    lines = []
    for place, node in enumerate(graph.node):
        plain = onnx.NodeProto(op_type=node.op_type, domain=node.domain)
        plain.input.extend(known.get(name, "") for name in node.input)
        plain.attribute.extend(sorted(node.attribute, key=lambda one: one.name))
        known |= {name: f"{place}.{which}" for which, name in enumerate(node.output)}
        lines.append(plain.SerializeToString(deterministic=True))
    return _sha256(b"\n".join(lines))


def _opened(model: onnx.ModelProto) -> ort.InferenceSession:
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
