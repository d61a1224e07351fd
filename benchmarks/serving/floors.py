"""The cost of an answer's parts by themselves, on one core: the bound for all cores."""

from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from typing import TypeVar

import numpy as np
import orjson
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from benchmarks.serving import correctness
from benchmarks.serving.correctness import Reference
from benchmarks.serving.driver import Target
from benchmarks.serving.load import closed_loop
from benchmarks.serving.peers import floor_server
from benchmarks.serving.peers.model import SIZE_PX, Model, decode, fit, folder
from benchmarks.serving.results import DecodeCost, Floor
from benchmarks.serving.running import running
from models.bundle import MANIFEST
from models.manifest import Manifest, Preprocess
from models.preprocess import preprocess

BATCHES = (1, 16, 64)
_CONNECTIONS = 64
_WARM_UP_S = 0.3
_LEAST_TIMES = 3

Pixels = NDArray[np.uint8]
Item = TypeVar("Item")


def with_draft(data: bytes) -> Pixels:
    """Pillow, at a quarter of the size where that is enough."""
    with Image.open(BytesIO(data)) as image:
        image.draft("RGB", (max(SIZE_PX, image.width // 4), max(SIZE_PX, image.height // 4)))
        return fit(image.convert("RGB"))


def with_simplejpeg(step: int) -> Callable[[bytes], Pixels]:
    """libjpeg-turbo without Pillow, at 1 / step of the size where that is enough; Pillow's resize.

    It scales while it decodes, by the mean of as many pixels as are one then.
    """

    def decoded(data: bytes) -> Pixels:
        sides = simplejpeg.decode_jpeg_header(data)[:2]
        height, width = (max(SIZE_PX, int(side) // step) for side in sides)
        pixels = simplejpeg.decode_jpeg(data, min_height=height, min_width=width)
        return fit(Image.fromarray(pixels)) if len(pixels) != SIZE_PX else pixels

    return decoded


def as_served(data: bytes) -> Pixels:
    """The function that this service calls, as the model's manifest has it called."""
    return preprocess(data, _spec(folder()))


@cache
def _spec(bundle: Path) -> Preprocess:
    return Manifest.model_validate_json((bundle / MANIFEST).read_bytes()).preprocess


WAYS: dict[str, Callable[[bytes], Pixels]] = {
    "Pillow": decode,
    "Pillow, a quarter": with_draft,
    "simplejpeg": with_simplejpeg(1),
    "simplejpeg, half": with_simplejpeg(2),
    "simplejpeg, a quarter": with_simplejpeg(4),
    "models.preprocess": as_served,
}


def measure_floor(reference: Reference, model: Model, cores: int, seconds: float) -> Floor:
    """Each part in its ways, `seconds` for each; the cheapest right ones make the sum."""
    workload = reference.workload
    decoding = tuple(_decoding(way, reference, model, seconds) for way in WAYS)
    inference = {size: _inference_us(model, size, seconds) for size in BATCHES}
    row = reference.embeddings[:1]
    json_us = _each_us(_write_json, [row], seconds)
    http_us = _http_us(reference, seconds)
    decode_us = min(cost.us for cost in decoding if cost.cosine >= correctness.LEAST_COSINE)
    sum_us = http_us + workload.per_request * (decode_us + min(inference.values()) + json_us)
    return Floor(
        workload=workload.name,
        decode=decoding,
        inference_us=inference,
        json_us=json_us,
        http_us=http_us,
        sum_us=round(sum_us, 1),
        allowed_per_s=round(cores * 1e6 / sum_us, 1),
    )


def _decoding(way: str, reference: Reference, model: Model, seconds: float) -> DecodeCost:
    images = reference.workload.images
    pixels = np.stack([WAYS[way](image) for image in images])
    cosines = (correctness.embed(model, pixels) * reference.embeddings).sum(axis=1)
    us = _each_us(WAYS[way], images, seconds)
    return DecodeCost(way=way, us=us, cosine=round(float(cosines.min()), 6))


def _inference_us(model: Model, size: int, seconds: float) -> float:
    rng = np.random.default_rng(0)
    batches = rng.integers(0, 256, (4, size, SIZE_PX, SIZE_PX, 3), np.uint8)
    return round(_each_us(model.embed, list(batches), seconds) / size, 2)


def _write_json(embeddings: NDArray[np.float32]) -> bytes:
    return orjson.dumps(embeddings, option=orjson.OPT_SERIALIZE_NUMPY)


def _each_us(call: Callable[[Item], object], items: Sequence[Item], seconds: float) -> float:
    """Processor time of this thread for one call: median over passes through the items."""
    passes: list[float] = []
    end = perf_counter() + seconds
    while perf_counter() < end or len(passes) < _LEAST_TIMES:
        began = thread_time()
        for item in items:
            call(item)
        passes.append((thread_time() - began) / len(items))
    return round(1e6 * median(passes), 2)


def _http_us(reference: Reference, seconds: float) -> float:
    """Processor time of bare uvicorn for one request of the workload."""
    workload = reference.workload
    server = floor_server(workload.per_request)
    with running(server, workload.images[0]) as bare:
        requests = [server.request([workload.images[i] for i in one]) for one in workload.requests]
        target = Target(bare.address, requests)
        closed_loop(target, _CONNECTIONS, _WARM_UP_S)
        before = bare.cpu_s()
        sample = closed_loop(target, _CONNECTIONS, max(1.0, seconds))
        return round(1e6 * (bare.cpu_s() - before) / len(sample.good_s), 2)
