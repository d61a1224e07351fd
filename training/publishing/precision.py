"""A bundle's int8 graph: quantized, calibrated, measured beside float32, kept where it holds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from jaxtyping import Float32, UInt8

from models.bundle import GALLERY, GOLDEN, INT8_GALLERY, INT8_GOLDEN, INT8_MODEL, MODEL, REPORT
from models.evidence.confidence import Calibration
from models.evidence.precision import LARGEST_LOSS, PrecisionSection
from models.manifest import Manifest, Variant
from models.report import Report
from training.calibration.calibrate import fit_calibration
from training.data.dataset import LabeledImages, Splits
from training.errors import ExportMismatch
from training.evaluation.cost import cost
from training.evaluation.graph import Graph
from training.evaluation.precision import PairedAnswers, can_be_shown, precision_section
from training.export.onnx import golden, open_session, run
from training.export.quantize import QuantizedGraph, quantize
from training.publishing.recalibration import recalibrated

_SHOWN = 256  # tuning images by which layers are chosen
_MARGIN = 4.0  # times the largest difference seen between two ways to compute the same graph
_LEAST_TOLERANCE, _LARGEST_TOLERANCE = 1e-3, 0.1


@dataclass(frozen=True)
class PrecisionOutcome:
    """The manifest with what was published, and one line that says so or why not."""

    manifest: Manifest
    said: str


def add_int8(
    folder: Path, manifest: Manifest, splits: Splits, *, timed: bool = False
) -> PrecisionOutcome:
    """Give the bundle whose files are in `folder` an int8 graph, where it loses nothing.

    Ranges are from training images, layers chosen on tuning images, temperature and confidence map
    fitted on the calibration split, and what it loses measured on the test images; the report
    gets its section either way. An earlier int8 graph goes. Nothing changes where the test set is
    so small that it could not show a loss.
    """
    if not can_be_shown(len(splits.test)):
        return PrecisionOutcome(manifest, _too_few(len(splits.test)))
    files = [folder / name for name in (INT8_MODEL, INT8_GOLDEN, INT8_GALLERY)]
    try:
        made, variant = _made(folder, manifest, splits, timed=timed)
    except ExportMismatch as error:
        section, variant, said = None, None, f"stays in float32: {error}"
    else:
        section, said = made, _said(made)
    if variant is None:
        for file in files:
            file.unlink(missing_ok=True)
    _write_section(folder / REPORT, section)
    kept = () if variant is None else (variant,)
    return PrecisionOutcome(manifest.model_copy(update={"variants": kept}), said)


def _made(
    folder: Path, manifest: Manifest, splits: Splits, *, timed: bool
) -> tuple[PrecisionSection, Variant | None]:
    """The files in the folder, the section, and the variant where that is to be published."""
    images = _numbers(splits.train)
    order = np.random.default_rng(0).permutation(len(images))
    found = quantize(folder / MODEL, images[order], _numbers(splits.tuning)[:_SHOWN])
    calibration = _calibrated(found, folder / INT8_MODEL, splits)
    section = _measured(folder, manifest, (found, calibration), splits)
    if timed:
        at = cost(folder / INT8_MODEL, manifest.parameters, _numbers(splits.tuning))
        section = section.model_copy(update={"cost": at})
    if not section.published:
        return section, None
    return section, _variant(folder, calibration, section, splits.tuning)


def _calibrated(found: QuantizedGraph, target: Path, splits: Splits) -> Calibration:
    """Write the graph with its own temperature and map, fitted on the calibration split."""
    onnx.save(found.model, target)
    held = splits.calibration.read_to_calibrate()
    scores = Graph(target, 1.0).scored(held)[1]  # over the temperature of float32, still
    before = _temperature(target)
    calibration = fit_calibration(torch.from_numpy(scores * before), held.labels)
    onnx.save(recalibrated(target, calibration), target)
    return calibration


def _temperature(path: Path) -> float:
    """Return the divisor of the class scores in the graph."""
    graph = onnx.load(path).graph
    softmax = next(node for node in reversed(graph.node) if node.op_type == "Softmax")
    division = next(node for node in graph.node if softmax.input[0] in node.output)
    constant = next(one for one in graph.initializer if one.name in division.input[1:])
    return float(onnx.numpy_helper.to_array(constant))


def _measured(
    folder: Path, manifest: Manifest, made: tuple[QuantizedGraph, Calibration], splits: Splits
) -> PrecisionSection:
    found, calibration = made
    plain = Graph(folder / MODEL, manifest.temperature)
    other = Graph(folder / INT8_MODEL, calibration.temperature)
    gallery, gallery_other = _galleries(folder, manifest, other, splits.train)
    both = PairedAnswers(
        plain.answers(splits.test), other.answers(splits.test), gallery, gallery_other
    )
    return precision_section(both, manifest.metric, found, calibration)


def _galleries(
    folder: Path, manifest: Manifest, other: Graph, train: LabeledImages
) -> tuple[Float32[np.ndarray, "g d"], Float32[np.ndarray, "g d"]]:
    """The gallery's embeddings as they are published, and by the other graph, which are written."""
    if manifest.gallery_size == 0:
        empty = np.empty((0, manifest.dimension), np.float32)
        return empty, empty
    with np.load(folder / GALLERY) as arrays:
        embeddings, ids = arrays["embeddings"], arrays["ids"].tolist()
    place = {name: row for row, name in enumerate(train.ids)}
    rows = torch.tensor([place[name] for name in ids])
    by_int8 = other.ask(train.images[rows].numpy())[0]
    np.savez(folder / INT8_GALLERY, allow_pickle=False, embeddings=by_int8)
    return embeddings, by_int8


def _variant(
    folder: Path, calibration: Calibration, section: PrecisionSection, part: LabeledImages
) -> Variant:
    """Its golden batch, and how far another way to compute it may be from that."""
    path = folder / INT8_MODEL
    batch = golden(open_session(path), part)
    np.savez(folder / INT8_GOLDEN, allow_pickle=False, **batch)
    with np.load(folder / GOLDEN) as arrays:
        if not np.array_equal(arrays["images"], batch["images"]):
            raise ExportMismatch(f"the golden images of {folder} are not those of this data set")
    gap = _largest_gap(path, batch)
    tolerance = max(_LEAST_TOLERANCE, _MARGIN * gap)
    if tolerance > _LARGEST_TOLERANCE:
        raise ExportMismatch(
            f"int8 answers differ by {gap:.2g} between two ways to compute them; at most "
            f"{_LARGEST_TOLERANCE / _MARGIN:g} is accepted"
        )
    return Variant(
        precision="int8",
        file=INT8_MODEL,
        golden=INT8_GOLDEN,
        gallery=INT8_GALLERY if (folder / INT8_GALLERY).is_file() else None,
        tolerance=tolerance,
        temperature=float(np.float32(calibration.temperature)),
        may_mix=section.may_mix,
    )


def _largest_gap(path: Path, batch: dict[str, np.ndarray]) -> float:
    """Between integer kernels and the same graph in float arithmetic, and between batch sizes."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    plain = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    images = batch["images"]
    others = [run(plain, images), _one_by_one(open_session(path), images)]
    return max(
        float(np.abs(found - batch[name]).max())
        for answer in others
        for name, found in zip(("embedding", "probabilities"), answer, strict=True)
    )


def _one_by_one(
    session: ort.InferenceSession, images: UInt8[np.ndarray, "n h w 3"]
) -> tuple[np.ndarray, np.ndarray]:
    answers = [run(session, images[row : row + 1]) for row in range(len(images))]
    embeddings, probabilities = zip(*answers, strict=True)
    return np.concatenate(embeddings), np.concatenate(probabilities)


def _write_section(path: Path, section: PrecisionSection | None) -> None:
    report = Report.model_validate_json(path.read_bytes())
    report = report.model_copy(update={"precisions": () if section is None else (section,)})
    path.write_text(report.model_dump_json(indent=2) + "\n")


def _numbers(part: LabeledImages) -> UInt8[np.ndarray, "n h w 3"]:
    images: UInt8[np.ndarray, "n h w 3"] = part.images.numpy()
    return images


def _too_few(n: int) -> str:
    return (
        f"stays in float32: {n} test images cannot show that int8 loses less than "
        f"{100 * LARGEST_LOSS:g} points"
    )


def _said(section: PrecisionSection) -> str:
    difference = section.accuracy_difference
    return (
        f"int8 {'published' if section.published else 'refused'}: "
        f"{100 * difference.value:+.2f} points of accuracy ({100 * difference.low:+.2f} to "
        f"{100 * difference.high:+.2f}, n = {section.n:,}), "
        f"McNemar p = {section.test.p_value:.2g}; "
        f"of 10 neighbors {section.recall_in_float32:.1%} in float32's gallery, "
        f"{section.recall_by_float32:.1%} by float32 in its own"
        + ("" if section.may_mix else "; not to be mixed with float32")
    )
