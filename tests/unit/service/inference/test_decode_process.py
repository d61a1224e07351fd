import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.errors import ImageTooLarge, UndecodableImage
from models.manifest import Preprocess
from models.preprocess import MAX_PIXELS, preprocess, preview
from service.errors import Overloaded
from service.inference import decode_process
from service.inference.decode import Decoder, DecodeWith
from service.inference.decode_process import LARGE_PIXELS, START_PIXELS, DecodeJob, decode_apart
from service.inference.pixel_budget import PixelBudget

SPEC = Preprocess(size_px=32)
PIXELS = DecodeJob(32, MAX_PIXELS)
PREVIEW = DecodeJob(32, MAX_PIXELS, 96)
SIDES = (3000, 2900)
PATIENCE_S = 60
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks what Linux alone has")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@cache
def large(kind: str, mode: str = "RGB", sides: tuple[int, int] = SIDES) -> bytes:
    """A picture that is more than LARGE_PIXELS, lying on its side by its EXIF data."""
    ramp = np.arange(sides[0], dtype=np.uint16)[None, :] + np.arange(sides[1])[:, None]
    levels = [(ramp // step % 256).astype(np.uint8) for step in (16, 9, 23, 5)]
    exif = Image.Exif()
    exif[0x112] = 6
    quick: dict[str, Any] = {"WEBP": {"method": 0}, "AVIF": {"speed": 10}}.get(kind, {})
    image = Image.fromarray(np.stack(levels[: len(mode)], axis=-1), mode)
    with BytesIO() as file:
        image.save(file, kind, exif=exif, **quick)
        return file.getvalue()


def forbidden(*arguments: object) -> np.ndarray:
    raise AssertionError("the worker decoded it itself")


@pytest.mark.parametrize(
    ("kind", "mode"), [("WEBP", "RGB"), ("WEBP", "RGBA"), ("AVIF", "RGB"), ("AVIF", "RGBA")]
)
def test_a_large_one_is_decoded_elsewhere_to_the_same_pixels(
    kind: str, mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    image = large(kind, mode)
    pixels, small = preprocess(image, SPEC), np.asarray(preview(image, 96))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("service.inference.decode.preprocess", forbidden)
    monkeypatch.setattr("service.inference.decode.preprocess_with_preview", forbidden)

    async def main() -> None:
        decoder = Decoder(PixelBudget(MAX_PIXELS), 2, lambda seconds: None)
        try:
            decoded = await decoder.decode([image], SPEC)
            np.testing.assert_array_equal(decoded.pixels(), pixels[None])
            again, (seen,) = await decoder.decode_with([image], SPEC, DecodeWith(96, np.copy))
            np.testing.assert_array_equal(again.pixels(), pixels[None])
            np.testing.assert_array_equal(seen, small)
        finally:
            decoder.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "image",
    [
        *(lambda kind=kind: large(kind) for kind in ("JPEG", "PNG", "GIF", "BMP")),
        *(lambda kind=kind: large(kind, sides=(300, 200)) for kind in ("WEBP", "AVIF")),
    ],
)
def test_what_lets_others_go_on_is_decoded_here(
    image: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_process, "_start", forbidden)
    assert decode_apart(image(), PIXELS, threading.Event()) is None


def test_one_beyond_the_limit_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_process, "_start", forbidden)
    assert decode_apart(large("WEBP"), DecodeJob(32, 10_000), threading.Event()) is None


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_damaged_one_is_refused_for_the_same_reason(kind: str) -> None:
    image = large(kind)
    damaged = image[: len(image) // 2]
    with pytest.raises(UndecodableImage) as here:
        preprocess(damaged, SPEC)
    with pytest.raises(UndecodableImage) as there:
        decode_apart(damaged, PIXELS, threading.Event()) or preprocess(damaged, SPEC)
    assert there.value.reason == here.value.reason
    scrambled = image[:5000] + bytes(len(image) - 5000)
    try:
        expected = preprocess(scrambled, SPEC)
    except UndecodableImage as refused:
        with pytest.raises(UndecodableImage) as there:
            decode_apart(scrambled, PIXELS, threading.Event())
        assert there.value.reason == refused.reason
    else:
        found = decode_apart(scrambled, PIXELS, threading.Event())
        assert found is not None
        np.testing.assert_array_equal(found[0], expected)


class Sent(subprocess.Popen[bytes]):
    """A child that gets a signal as soon as it exists."""

    number = signal.SIGSTOP
    last: "Sent"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        type(self).last = self
        self.send_signal(self.number)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> type[Sent]:
    monkeypatch.setattr(subprocess, "Popen", Sent)
    return Sent


def test_one_that_nobody_waits_for_is_killed(sent: type[Sent]) -> None:
    async def main() -> None:
        decoder = Decoder(PixelBudget(MAX_PIXELS), 2, lambda seconds: None)
        task = asyncio.create_task(decoder.decode([large("WEBP")], SPEC))
        while not hasattr(sent, "last"):
            await asyncio.sleep(0.01)
        task.cancel()  # as at the deadline, or when the client has gone
        with pytest.raises(asyncio.CancelledError):
            await task
        try:
            await asyncio.to_thread(sent.last.wait, 60)
        finally:
            sent.last.kill()  # where it was not: else closing waits for it without end
        await asyncio.to_thread(decoder.close)

    asyncio.run(main())
    assert sent.last.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGSEGV, UndecodableImage), (signal.SIGKILL, Overloaded)]
)
def test_a_crash_is_the_pictures_and_a_kill_the_systems(
    number: signal.Signals,
    error: type[Exception],
    sent: type[Sent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sent, "number", number)
    with pytest.raises(error):
        decode_apart(large("WEBP"), PIXELS, threading.Event())


def test_a_child_that_cannot_begin_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_process, "_ROOT", Path("/nowhere"))
    with pytest.raises(RuntimeError, match="No module named"):
        decode_apart(large("WEBP"), PIXELS, threading.Event())


def test_without_a_process_it_is_decoded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert decode_apart(large("WEBP"), PIXELS, threading.Event()) is None


def test_the_child_gets_no_key(monkeypatch: pytest.MonkeyPatch, sent: type[Sent]) -> None:
    monkeypatch.setenv("LOSSATLAS_API_KEY", "sesame")
    monkeypatch.setattr(sent, "number", signal.SIGCONT)
    seen = []
    begin = Sent.__init__

    def spy(self: Sent, words: Any, **options: Any) -> None:
        seen.append((words, options["env"]))
        begin(self, words, **options)

    monkeypatch.setattr(sent, "__init__", spy)
    assert decode_apart(large("WEBP"), PREVIEW, threading.Event()) is not None
    assert "sesame" not in repr(seen)


def child(job: dict[str, Any], image: bytes) -> dict[str, Any]:
    words = (sys.executable, "-m", "service.inference.decode_child")
    given = {**vars(PIXELS), "parent": os.getpid(), **job}
    done = subprocess.run((*words, json.dumps(given)), input=image, capture_output=True, check=True)
    facts: dict[str, Any] = json.loads(done.stdout.partition(b"\n")[0])
    return facts


@LINUX
def test_the_memory_of_a_child_is_bounded() -> None:
    assert "shapes" in child({"effort": 0}, large("WEBP"))
    job = {"effort": -6 * 2**20}  # which leaves less than this picture takes
    assert "undecodable" in child(job, large("WEBP"))  # Pillow or Python says so, in other words


def test_a_child_knows_the_limit_of_pixels() -> None:
    facts = child({"effort": 0, "max_pixels": 1000}, large("WEBP"))
    assert facts == {"too_large": [SIDES[0] * SIDES[1], 1000]}
    with pytest.raises(ImageTooLarge) as caught:
        decode_process._pixels(json.dumps(facts).encode())
    assert (caught.value.pixels, caught.value.limit) == (SIDES[0] * SIDES[1], 1000)


@LINUX
def test_a_child_ends_with_its_parent() -> None:
    reads, writes = os.pipe()  # stays open here: the child never sees the end of its picture
    code = (
        "import json, os, subprocess, sys, time\n"
        "job = dict(size_px=32, max_pixels=1000, preview_px=0, effort=0, parent=os.getpid())\n"
        "words = (sys.executable, '-m', 'service.inference.decode_child', json.dumps(job))\n"
        "print(subprocess.Popen(words, stdin=int(sys.argv[1])).pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        (sys.executable, "-c", code, str(reads)), stdout=subprocess.PIPE, pass_fds=(reads,)
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    os.close(reads)
    for _ in range(PATIENCE_S * 20):
        if not alive(pid):
            break
        sleep(0.05)
    assert not alive(pid)
    os.close(writes)


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_start_of_a_process_is_counted() -> None:
    pixels = SIDES[0] * SIDES[1]
    assert pixels > LARGE_PIXELS
    budget = PixelBudget(MAX_PIXELS)
    assert budget.efforts([large("WEBP"), large("GIF")]) == [pixels + START_PIXELS, pixels]
