"""Answers and speed of ONNX Runtime alone: the service's own sessions, without HTTP."""

from collections.abc import Sequence
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.gpu.results import Agreement, Device, Throughput
from models.bundle import Bundle
from service.inference.cuda import CudaSession, Gpu
from service.inference.device import CPU, CUDA, TENSORRT, Provider
from service.inference.session import Outputs, Session
from service.inference.work import Pixels

PROVIDERS: dict[Device, Provider] = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
_PART = 256  # images of one call


def open_session(bundle: Bundle, device: Device, gpu: Gpu) -> Session:
    """Open the bundle's graph as the service does. Raises DeviceUnavailable or BundleDamaged."""
    if device == "cpu":
        return Session(bundle, CPU, 1)
    return CudaSession(bundle, PROVIDERS[device], gpu)


def compare_answers(bundle: Bundle, device: Device, session: Session, images: Pixels) -> Agreement:
    """Hold the session's answers to uint8 images [n h w 3] against the processor's."""
    expected = _answers(Session(bundle, CPU, 1), images)
    found = _answers(session, images)
    same = expected.probabilities.argmax(1) == found.probabilities.argmax(1)
    return Agreement(
        model=bundle.manifest.name,
        version=bundle.manifest.version,
        device=device,
        images=len(images),
        same_label=float(same.mean()),
        embedding=float(np.abs(expected.embedding - found.embedding).max()),
        probability=float(np.abs(expected.probabilities - found.probabilities).max()),
    )


def measure_throughput(
    bundle: Bundle,
    device: Device,
    session: Session,
    sizes: Sequence[int],
    seconds: float,
    rounds: int = 3,
) -> Throughput:
    """Run batches of each size for so many seconds; the sizes alternate over the rounds."""
    size_px = bundle.manifest.preprocess.size_px
    pixels = np.random.default_rng(0).integers(0, 256, (max(sizes), size_px, size_px, 3), np.uint8)
    rates: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size, found in rates.items():
            found.append(size * _rate(session, pixels[:size], seconds))
    return Throughput(
        model=bundle.manifest.name,
        version=bundle.manifest.version,
        device=device,
        per_s={size: round(median(found), 1) for size, found in rates.items()},
    )


def _answers(session: Session, images: Pixels) -> Outputs:
    parts = [session.run(images[at : at + _PART]) for at in range(0, len(images), _PART)]
    return Outputs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _rate(session: Session, images: Pixels, seconds: float) -> float:
    """Runs per second, after one that does not count."""
    session.run(images)
    calls, start = 0, perf_counter()
    while (passed := perf_counter() - start) < seconds or not calls:
        session.run(images)
        calls += 1
    return calls / passed
