"""`python -m benchmarks.pages`: the map of a collection in headless Chromium, by software GL.

For each size: seconds until the service has a map, until its points are drawn once their data are
here, and the time between frames while the map is dragged and zoomed. Needs Debian's `chromium`.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import getloadavg
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.command import numbers
from models.machine import processors
from models.store import Store
from service.collections import CollectionSpec, NewItem
from service.collections.data_folder import open_library
from service.settings import Settings

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
LOSS, GROUPS, AT_ONCE = "softmax", 10, 10_000
MOVES = 60
_FRAMES = """() => {
  window.frames_ = [];
  let before = performance.now();
  const look = (now) => {
    window.frames_.push(now - before);
    before = now;
    window.going_ && requestAnimationFrame(look);
  };
  window.going_ = true;
  requestAnimationFrame(look);
}"""


def main() -> int:
    """Measure each size, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--sizes", type=numbers, default=(10_000, 1_000_000), metavar="N,...")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/pages.json"))
    chosen = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no Chromium; `apt-get install chromium` brings it")
    load, measured = getloadavg()[0], []
    with tempfile.TemporaryDirectory() as folder:
        for size in chosen.sizes:
            fill(Path(folder), size)
        with service(Path(folder)) as base, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            version = browser.version
            for size in chosen.sizes:
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                measured.append({"points": size, **measure(page, base, size)})
                page.close()
                print(json.dumps(measured[-1]))
            browser.close()
    result = {
        "command": "python -m benchmarks.pages",
        "chromium": version,
        "gl": "SwiftShader",
        "processors": processors(),
        "load_before": round(load, 2),
        "load_after": round(getloadavg()[0], 2),
        "sizes": measured,
    }
    chosen.out.write_text(json.dumps(result, indent=2) + "\n")
    return 0


def fill(folder: Path, size: int) -> None:
    """Make a collection of so many vectors about ten centers."""
    manifest = Store(Path("models/registry")).load(LOSS).manifest
    draw = np.random.default_rng(size)
    centers = draw.normal(size=(GROUPS, manifest.dimension))
    library = open_library(Settings(data_dir=folder))
    collection, _ = library.create(CollectionSpec.new(f"n{size}", manifest, keep_images=False))
    for first in range(0, size, AT_ONCE):
        groups = draw.integers(0, GROUPS, min(AT_ONCE, size - first))
        vectors = centers[groups] + 0.7 * draw.normal(size=(len(groups), manifest.dimension))
        collection.put(
            [
                NewItem(str(first + i), vector, f"group {group}")
                for i, (group, vector) in enumerate(
                    zip(groups, vectors.astype(np.float32), strict=True)
                )
            ]
        )
    library.close()


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """Serve the folder with one worker."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "service", f"--port={port}", f"--data-dir={folder}"]
    with subprocess.Popen([*command, "--workers=1"], stderr=subprocess.DEVNULL) as child:
        base = f"http://127.0.0.1:{port}"
        try:
            _wait(base)
            yield base
        finally:
            child.terminate()


def _wait(base: str) -> None:
    for _ in range(1200):
        try:
            if httpx.get(f"{base}/health/ready", timeout=10).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError(base)


def measure(page: Page, base: str, size: int) -> dict[str, Any]:
    """Look at the map of one collection."""
    started = time.perf_counter()
    while "trustworthiness" not in (
        found := httpx.get(f"{base}/collections/n{size}/map", timeout=300).json()
    ):
        time.sleep(1)  # it took longer than a request may, and is being made
    made_s = time.perf_counter() - started
    page.set_default_timeout(300_000)
    page.goto(f"{base}/explore?collection=n{size}")
    page.locator("#status", has_text="the two principal components").wait_for()
    marks = page.evaluate(
        "Object.fromEntries(performance.getEntriesByType('mark').map((m) => [m.name, m.startTime]))"
    )
    frame = page.locator("#frame canvas").bounding_box()
    assert frame is not None
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    page.mouse.move(x, y)
    return {
        "map_s": round(made_s, 3),
        "trustworthiness": round(found["trustworthiness"], 3),
        "bytes": found["points"]["bytes"],
        "fetched_ms": round(marks["points-here"] - marks["points-asked"]),
        "drawn_ms": round(marks["points-drawn"] - marks["points-here"]),
        "dragged": _frames(
            page, lambda i: page.mouse.move(x + 3 * (i % 40), y + 2 * (i % 40)), True
        ),
        "zoomed": _frames(page, lambda i: page.mouse.wheel(0, -40 if i % 20 < 10 else 40), False),
    }


def _frames(page: Page, move: Any, held: bool) -> dict[str, float]:
    if held:
        page.mouse.down()
    page.evaluate(_FRAMES)
    for i in range(MOVES):
        move(i)
    page.evaluate("window.going_ = false")
    if held:
        page.mouse.up()
    times = np.array(page.evaluate("window.frames_"))[1:]
    page.wait_for_timeout(1500)  # all points are drawn again
    return {
        "frames": len(times),
        "median_ms": round(float(np.median(times)), 1),
        "p95_ms": round(float(np.quantile(times, 0.95)), 1),
        "worst_ms": round(float(times.max()), 1),
    }


if __name__ == "__main__":
    sys.exit(main())
