"""One network: its report read, its graph timed."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.frontier.results import Point
from benchmarks.measured import Percentiles, percentiles
from models.bundle import GOLDEN, MODEL, REPORT
from models.report import Report as Evaluation

BATCH_SIZE = 64
_WARM_UP_S = 1.0


def point(folder: Path, images: NDArray[np.uint8], threads: int, seconds: float) -> Point:
    """The network in `folder` (a bundle or an evaluated run), timed on `images` [n, h, w, 3]."""
    evaluation = Evaluation.model_validate_json((folder / REPORT).read_bytes())
    single, batch = (
        _timed(folder / MODEL, images[np.arange(size) % len(images)], threads, seconds)
        for size in (1, BATCH_SIZE)
    )
    recipe = evaluation.provenance.recipe
    return Point(
        network=_network(recipe),
        loss=evaluation.loss,
        epochs=int(str(recipe["epochs"])),
        parameters=evaluation.cost.parameters,
        model_bytes=evaluation.cost.model_bytes,
        training_s=evaluation.provenance.training_seconds,
        trained_on=evaluation.provenance.hardware,
        dataset=f"{evaluation.provenance.dataset.name} ({evaluation.provenance.dataset.edition})",
        accuracy=evaluation.classification.accuracy.value,
        test_images=evaluation.classification.n,
        single=single,
        batch=batch,
        images_per_s=round(1000 * BATCH_SIZE / batch.p50_ms, 1),
    )


def golden_images(folder: Path) -> NDArray[np.uint8]:
    """The images of a bundle's golden batch."""
    with np.load(folder / GOLDEN, allow_pickle=False) as golden:
        images: NDArray[np.uint8] = golden["images"]
    return images


def _network(recipe: dict[str, object]) -> str:
    widths = recipe.get("widths")
    named = "-".join(map(str, widths)) if isinstance(widths, list) and widths else ""
    depth = f"x {recipe['depth']}" if recipe.get("depth") else ""
    return " ".join(part for part in (str(recipe["backbone"]), named, depth) if part)


def _timed(path: Path, batch: NDArray[np.uint8], threads: int, seconds: float) -> Percentiles:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run() -> None:
        session.run(None, {"images": batch})

    _repeat(run, _WARM_UP_S)
    found = percentiles(np.array(_repeat(run, seconds)))
    if found is None:
        raise ValueError(f"{path} was not run once in {seconds} s")
    return found


def _repeat(run: Callable[[], None], seconds: float) -> list[float]:
    """The seconds of each run, until so many have passed; once at least."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return times
