"""Size and speed of an exported graph on this machine."""

import math
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from jaxtyping import UInt8

from models.evidence.cost import Cost, Latency
from models.machine import processors
from training.common.provenance import hardware

_RUNS = {1: 200, 64: 50}  # timed, of so many images each
_WARM_UP = 0.1  # of the timed ones, before them


def cost(path: Path, parameters: int, images: UInt8[np.ndarray, "n h w 3"]) -> Cost:
    """Time batches of 1 and 64 of `images`, with as many threads as there are processors to use.

    The times mean something only where nothing else runs on the machine.
    """
    threads = processors()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return Cost(
        model_bytes=path.stat().st_size,
        parameters=parameters,
        latencies=tuple(_latency(session, images, batch) for batch in _RUNS),
        provider=session.get_providers()[0],
        threads=threads,
        hardware=hardware(),
    )


def _latency(
    session: ort.InferenceSession, images: UInt8[np.ndarray, "n h w 3"], batch: int
) -> Latency:
    feed = {"images": images[np.arange(batch) % len(images)]}
    runs = _RUNS[batch]
    for _ in range(math.ceil(_WARM_UP * runs)):
        session.run(None, feed)
    times = [_timed(session, feed) for _ in range(runs)]
    return Latency(
        batch=batch,
        median_ms=float(np.median(times)),
        p95_ms=float(np.percentile(times, 95)),
        runs=runs,
    )


def _timed(session: ort.InferenceSession, feed: dict[str, np.ndarray]) -> float:
    started = time.perf_counter()
    session.run(None, feed)
    return (time.perf_counter() - started) * 1e3
