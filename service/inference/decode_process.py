"""Large pictures whose decoders hold Python's lock: each is decoded in a process of its own.

The process is given a job as JSON and the picture as a file. It answers one line of JSON, with the
pixels behind it, is killed when nobody waits for its answer any more, and ends with this process.
"""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import BinaryIO, cast

import numpy as np
import structlog
from jaxtyping import UInt8

from models.errors import ImageTooLarge, UndecodableImage
from models.formats import find_format
from models.preprocess import size
from service.errors import Overloaded

# Pillow holds the lock while it copies what it decoded of these two, 2.6 ns a pixel of processor
# time. Those of JPEG, PNG, GIF, BMP and HEIC let other threads go on (docs/performance.md).
_HOLD_THE_LOCK = frozenset({"WEBP", "AVIF"})

LARGE_PIXELS = 8 * 2**20
"""A picture that costs more than so many pixels is rare, and takes long."""

START_PIXELS = 12 * 2**20
"""The start of a process: 0.15 s of a processor (docs/lab/performance.md), at 12 ns a pixel."""

_ROOT = Path(__file__).parents[2]
_LOOK_S = 0.05  # how often a thread looks whether anybody waits
_RETRY_S = 5  # after which a system may have memory again

log = structlog.get_logger("service")


@dataclass(frozen=True)
class DecodeJob:
    """The products wanted of a picture: an input and, with `preview_px`, a preview of it all."""

    size_px: int
    max_pixels: int
    preview_px: int = 0


def costs_a_process(image: bytes, effort: int) -> bool:
    """Return whether an image of so much effort is decoded in a process of its own."""
    return effort > LARGE_PIXELS and find_format(image) in _HOLD_THE_LOCK


def decode_apart(
    image: bytes, job: DecodeJob, dropped: Event
) -> list[UInt8[np.ndarray, "h w 3"]] | None:
    """Return the pixels that the job asks for; None where they are to be made in this process.

    They are also made here where the system starts no further process: late beats never.
    Raises what `models.preprocess` raises, UndecodableImage also where the decoder crashes or
    takes more memory than the picture's size explains, and Overloaded where the system ends it.
    """
    if find_format(image) not in _HOLD_THE_LOCK:
        return None
    header = size(image)
    if not costs_a_process(image, header.effort) or header.pixels > job.max_pixels:
        return None
    try:
        child = _start(image, job, header.effort)
    except OSError as error:
        log.warning("a large picture is decoded by the worker itself", reason=str(error))
        return None
    with child:
        answer, trouble = _wait(child, dropped)
    if child.returncode:
        raise _failure(child.returncode, trouble)
    return _pixels(answer)


def _start(image: bytes, job: DecodeJob, effort: int) -> subprocess.Popen[bytes]:
    words = {**vars(job), "effort": effort, "parent": os.getpid()}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("LOSSATLAS_")}
    with _file(image) as file:
        return subprocess.Popen(
            (sys.executable, "-P", "-m", "service.inference.decode_child", json.dumps(words)),
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**ours, "PYTHONPATH": str(_ROOT)},
            start_new_session=True,  # an interrupt from the keyboard is for the service
        )


def _file(image: bytes) -> BinaryIO:
    """A file without a name, so that a child which does not read holds up nobody."""
    if hasattr(os, "memfd_create"):
        file: BinaryIO = os.fdopen(os.memfd_create("picture"), "w+b")
    else:
        file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - the caller closes it
    file.write(image)
    file.seek(0)
    return file


def _wait(child: subprocess.Popen[bytes], dropped: Event) -> tuple[bytes, bytes]:
    while True:
        try:
            return child.communicate(timeout=_LOOK_S)
        except subprocess.TimeoutExpired:
            if dropped.is_set():
                child.kill()


def _failure(status: int, trouble: bytes) -> Exception:
    if status == -signal.SIGKILL:  # by _wait, or by a system that runs out of memory
        return Overloaded(1, _RETRY_S, "pixels")
    if status < 0:
        name = signal.Signals(-status).name
        return UndecodableImage(f"its decoder crashed ({name}), as it does on damaged pictures")
    return RuntimeError(f"decode_child ended with status {status}: {trouble[-2000:].decode()}")


def _pixels(answer: bytes) -> list[UInt8[np.ndarray, "h w 3"]]:
    head, _, pixels = answer.partition(b"\n")
    facts = json.loads(head)
    if "undecodable" in facts:
        raise UndecodableImage(facts["undecodable"])
    if "too_large" in facts:
        raise ImageTooLarge(*facts["too_large"])
    shapes: list[tuple[int, int, int]] = facts["shapes"]
    sizes = [math.prod(shape) for shape in shapes]
    parts = np.split(np.frombuffer(pixels, np.uint8), np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
