"""`python -m service.inference.decode_child`: one picture from standard input to pixels.

`service.inference.decode_process` starts it, and says what it is given and what it answers. It
imports no more than decoding needs, as it is started anew for each picture.
"""

import json
import os
import signal
import sys
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import ImageTooLarge, UndecodableImage
from models.preprocess import preprocess, preprocess_with_preview

_CPU_S = 60  # more than any picture takes: the parent ends it long before
_BASE_BYTES = 256 * 2**20
_PIXEL_BYTES = 32  # twice what WebP takes, and AVIF takes less (49 megapixels, Pillow 13.0.0)
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class _Target(NamedTuple):
    size_px: int
    half_scale: bool = False  # of JPEG alone, which is not decoded here


def main() -> None:
    """Read the job from the command line and the picture from standard input; answer."""
    job = json.loads(sys.argv[1])
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    _end_with(job["parent"])
    _limit(job["effort"])
    try:
        pixels = _decode(sys.stdin.buffer.read(), job)
    except MemoryError:
        _answer(answer, {"undecodable": "decoding it takes more memory than its size explains"})
    except UndecodableImage as error:
        _answer(answer, {"undecodable": error.reason})
    except ImageTooLarge as error:
        _answer(answer, {"too_large": [error.pixels, error.limit]})
    else:
        shapes = [one.shape for one in pixels]
        _answer(answer, {"shapes": shapes}, b"".join(one.tobytes() for one in pixels))


def _decode(image: bytes, job: dict[str, Any]) -> list[NDArray[np.uint8]]:
    target = _Target(job["size_px"])
    if not job["preview_px"]:
        return [preprocess(image, target, job["max_pixels"])]
    pixels, seen = preprocess_with_preview(image, target, job["preview_px"], job["max_pixels"])
    return [pixels, np.asarray(seen)]


def _answer(file: BinaryIO, head: dict[str, Any], pixels: bytes = b"") -> None:
    with file:
        file.write(json.dumps(head).encode() + b"\n" + pixels)


def _end_with(parent: int) -> None:
    """Be killed when the parent ends, where the system can do that."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def _limit(effort: int) -> None:
    import resource

    most = _BASE_BYTES + _PIXEL_BYTES * effort
    for kind, limit in ((resource.RLIMIT_CPU, _CPU_S), (resource.RLIMIT_DATA, most)):
        _, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(kind, (limit, limit))
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


if __name__ == "__main__":
    main()
