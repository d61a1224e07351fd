"""`python -m benchmarks.serving.decode`: what an image costs before the model, stage by stage.

Without a folder, for the images of `benchmarks.serving`; with one, for the JPEG files in it, of
which it also tells how near the embeddings of the half-scale decode are to the full one's.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from benchmarks.machine import machine
from benchmarks.serving.packages import PACKAGES
from benchmarks.serving.peers import model as peer
from benchmarks.serving.workloads import one_photo, one_small
from models import jpeg
from models.code import commit, versions
from models.errors import UndecodableImage
from models.manifest import Preprocess
from models.preprocess import preprocess
from models.store import Store
from models.vectors import unit

_SPEC = Preprocess(size_px=peer.SIZE_PX)
_REGISTRY = Path(__file__).parents[2] / "models" / "registry"
_SUFFIXES = (".jpg", ".jpeg")

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A JPEG and what its stages leave behind."""

    data: bytes
    header: jpeg.Header
    step: int
    pixels: Pixels


def _pillow(picture: Picture) -> object:
    return peer.decode(picture.data)


def _shipped(picture: Picture) -> object:
    return preprocess(picture.data, _SPEC)


def _header(picture: Picture) -> object:
    return jpeg.read_header(picture.data)


def _full(picture: Picture) -> object:
    return jpeg.decode(picture.data, picture.header, 1)


def _chosen(picture: Picture) -> object:
    return jpeg.decode(picture.data, picture.header, picture.step)


def _resize(picture: Picture) -> object:
    return peer.fit(Image.fromarray(picture.pixels))


STAGES: dict[str, Callable[[Picture], object]] = {
    "Pillow in full": _pillow,
    "models.preprocess": _shipped,
    "of which the header": _header,
    "of which the decoder": _chosen,
    "of which the resize": _resize,
    "the decoder at full scale": _full,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and write it as JSON where that is wanted."""
    chosen = _parse(arguments)
    if chosen.folder is None:
        groups = {load.title: load.images for load in (one_small(), one_photo())}
    else:
        groups = {chosen.folder.name: _files(chosen.folder)}
    found: dict[str, Any] = {
        "machine": machine().model_dump(),
        "versions": versions(PACKAGES),
        "commit": commit(),
        "groups": {
            title: _measured(list(_pictures(images)), chosen.rounds)
            for title, images in groups.items()
        },
    }
    if chosen.folder is not None:
        found["cosines"] = _cosines(groups[chosen.folder.name])
    _show(found)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.serving.decode", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="JPEG files, also in its folders")
    parser.add_argument("--rounds", type=int, default=5, help="through all images (default 5)")
    parser.add_argument("--json", type=Path, help="where to write what was measured")
    return parser.parse_args(arguments)


def _files(folder: Path) -> tuple[bytes, ...]:
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _SUFFIXES)
    return tuple(path.read_bytes() for path in paths)


def _pictures(images: Iterable[bytes]) -> Iterable[Picture]:
    """The JPEGs among them that can be decoded."""
    for data in images:
        header = jpeg.read_header(data)
        if header is None:
            continue
        step = jpeg.choose_step(header, _SPEC.size_px)
        with suppress(UndecodableImage):  # a folder may have a damaged one
            yield Picture(data, header, step, jpeg.decode(data, header, step))


def _measured(pictures: Sequence[Picture], rounds: int) -> dict[str, Any]:
    stages = dict(STAGES)
    if all(picture.pixels.shape[:2] == (_SPEC.size_px,) * 2 for picture in pictures):
        del stages["of which the resize"]  # there is none
    seconds: dict[str, list[float]] = {stage: [] for stage in stages}
    for _ in range(rounds):  # all stages in each, so that what disturbs one disturbs the others
        for stage, run in stages.items():
            for picture in pictures:
                start = time.perf_counter()
                run(picture)
                seconds[stage].append(time.perf_counter() - start)
    return {
        "images": len(pictures),
        "halved": sum(picture.step == 2 for picture in pictures),
        "mean_bytes": round(sum(len(picture.data) for picture in pictures) / len(pictures)),
        "stages": {stage: _cost(values) for stage, values in seconds.items()},
    }


def _cost(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds for one image, on one thread."""
    p10, p50, p90 = (round(float(ms), 4) for ms in np.quantile(seconds, (0.1, 0.5, 0.9)) * 1e3)
    return {"n": len(seconds), "p10_ms": p10, "p50_ms": p50, "p90_ms": p90}


def _cosines(images: Sequence[bytes]) -> dict[str, Any]:
    """By model: the cosines between the embeddings of half scale and of full scale."""
    halved = [picture.data for picture in _pictures(images) if picture.step == 2]
    if not halved:
        return {}
    half = np.stack([preprocess(data, _SPEC) for data in halved])
    full = np.stack([_at_full_scale(data) for data in halved])
    store, found = Store(_REGISTRY), {}
    for name in store.names():
        session = onnxruntime.InferenceSession(store.load(name).model_path)
        cosines = (_unit(session, half) * _unit(session, full)).sum(axis=1)
        found[name] = {
            "n": len(cosines),
            "min": round(float(cosines.min()), 5),
            "p1": round(float(np.quantile(cosines, 0.01)), 5),
            "median": round(float(np.median(cosines)), 6),
            "below_0.999": int((cosines < 0.999).sum()),
        }
    return found


def _at_full_scale(data: bytes) -> Pixels:
    with mock.patch.object(jpeg, "choose_step", return_value=1):
        return preprocess(data, _SPEC)


def _unit(session: onnxruntime.InferenceSession, pixels: Pixels) -> NDArray[np.float32]:
    batches = (pixels[i : i + 64] for i in range(0, len(pixels), 64))
    return unit(np.concatenate([session.run(["embedding"], {"images": b})[0] for b in batches]))


def _show(found: dict[str, Any]) -> None:
    for title, group in found["groups"].items():
        print(f"{title}: {group['images']} images of {group['mean_bytes']:,} bytes on average,")
        print(f"  {group['halved']} of them at half scale; ms an image, p10 / p50 / p90")
        for stage, cost in group["stages"].items():
            print(f"  {stage:26} {cost['p10_ms']:8.4f} {cost['p50_ms']:8.4f} {cost['p90_ms']:8.4f}")
    for model, cosine in found.get("cosines", {}).items():
        print(f"{model}: cosine to the full decode {cosine}")


if __name__ == "__main__":
    main()
