"""`python -m benchmarks.serving.session`: what onnxruntime's options cost and gain, here.

Every round measures every variant once, at every batch size, so that a slow minute hits all of
them; resident memory is measured in a process of its own. About five minutes on two cores; leave
the machine alone meanwhile.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Literal

import numpy as np
import onnxruntime
from pydantic import Field
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.measured import Machine
from benchmarks.serving.packages import PACKAGES
from benchmarks.serving.variants import MEMORY, VARIANTS, Variant, open_session
from models.code import commit, versions
from models.manifest import Frozen
from models.store import Store
from service.inference.work import Pixels

BATCHES = (1, 4, 8, 16, 32, 64)

Run = Callable[[Pixels], object]


class Speed(Frozen):
    """One variant at one batch size."""

    variant: str
    batch: int
    images_per_s: float = Field(description="median over the rounds")
    rounds: tuple[float, ...]


class Memory(Frozen):
    """Resident, of a process with every model of the registry; medians."""

    variant: str
    n: int = Field(description="processes")
    loaded_mib: float
    ran_mib: float = Field(description="after batches of 1 to 64 images in two lanes")


class Result(Frozen):
    """The result of one run of this script."""

    schema_version: Literal[1] = 1
    command: str
    date: datetime
    commit: str | None
    machine: Machine
    versions: dict[str, str]
    model: str
    seconds: float = Field(description="of one variant at one batch size in one round")
    speed: tuple[Speed, ...]
    memory: tuple[Memory, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    chosen = _parse(given)
    console = Console(stderr=True)
    before, store = machine(), Store(chosen.registry)
    bundle = store.load(chosen.model, max(store.versions(chosen.model)))
    images = np.resize(bundle.golden().images, (max(BATCHES), *bundle.golden().images.shape[1:]))
    result = Result(
        command=" ".join(["python -m benchmarks.serving.session", *given]),
        date=datetime.now(UTC),
        commit=commit(),
        machine=before,
        versions=versions(PACKAGES),
        model=f"{chosen.model}/{bundle.manifest.version}",
        seconds=chosen.seconds,
        speed=tuple(_speeds(bundle.model_path, images, chosen.rounds, chosen.seconds)),
        memory=tuple(_memories(store, chosen.processes)),
    )
    console.print(_speed_table(result), _memory_table(result))
    if chosen.json:
        chosen.json.write_text(result.model_dump_json(indent=1) + "\n")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.session")
    add = parser.add_argument
    add("--registry", type=Path, default=Path("models/registry"))
    add("--model", default="arcface")
    add("--rounds", type=int, default=9, help="each measures every variant (default 9)")
    add("--seconds", type=float, default=0.3, help="for a variant at a batch size (default 0.3)")
    add("--processes", type=int, default=3, help="for the memory of each variant (default 3)")
    add("--json", type=Path, metavar="PATH", help="write the result there")
    return parser.parse_args(arguments)


def _speeds(model: Path, images: Pixels, rounds: int, seconds: float) -> Iterator[Speed]:
    runs = {variant: _run(open_session(model, variant), variant) for variant in VARIANTS}
    found: dict[tuple[Variant, int], list[float]] = {}
    for _ in track(range(rounds), "Speed", console=Console(stderr=True)):
        for batch in BATCHES:
            for variant, run in runs.items():
                rate = _rate(run, images[:batch], variant.lanes, seconds)
                found.setdefault((variant, batch), []).append(rate)
    for (variant, batch), rates in found.items():
        rounded = tuple(round(rate, 1) for rate in rates)
        middle = round(median(rates), 1)
        yield Speed(variant=variant.name, batch=batch, images_per_s=middle, rounds=rounded)


def _run(session: onnxruntime.InferenceSession, variant: Variant) -> Run:
    return lambda images: session.run(variant.outputs, {"images": images})


def _rate(run: Run, images: Pixels, lanes: int, seconds: float) -> float:
    """Images a second of `lanes` threads that run at once, after one run that is not counted."""

    def lane(_: int) -> tuple[int, float]:
        run(images)
        count, started = 0, perf_counter()
        while perf_counter() < started + seconds:
            run(images)
            count += 1
        return count, perf_counter() - started

    with ThreadPoolExecutor(lanes) as pool:
        done = list(pool.map(lane, range(lanes)))
    return sum(count * len(images) / spent for count, spent in done)


def _memories(store: Store, processes: int) -> Iterator[Memory]:
    models = [store.load(name, max(store.versions(name))).model_path for name in store.names()]
    for variant in track(MEMORY, "Memory", console=Console(stderr=True)):
        found = [_in_a_process(models, variant) for _ in range(processes)]
        loaded, ran = zip(*found, strict=True)
        yield Memory(
            variant=variant.name,
            n=processes,
            loaded_mib=round(median(loaded), 1),
            ran_mib=round(median(ran), 1),
        )


def _in_a_process(models: Sequence[Path], variant: Variant) -> tuple[float, float]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_resident, models, variant).result()


def _resident(models: Sequence[Path], variant: Variant) -> tuple[float, float]:
    """MiB with the models loaded, and after batches of every size have run in two lanes."""
    sessions = [open_session(model, variant) for model in models]
    loaded, rng = _resident_mib(), np.random.default_rng(0)
    size = sessions[0].get_inputs()[0].shape[1:]
    batches = [*range(1, max(BATCHES) + 1), *rng.integers(1, max(BATCHES) + 1, 100)]

    def run(number: int) -> None:
        images = np.zeros((batches[number // 2], *size), np.uint8)
        _run(sessions[number // 2 % len(sessions)], variant)(images)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2 * len(batches))))
    return loaded, _resident_mib()


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _speed_table(result: Result) -> Table:
    table = Table("images a second", *map(str, BATCHES), title=f"{result.model}, by batch size")
    for variant in VARIANTS:
        rows = [row for row in result.speed if row.variant == variant.name]
        table.add_row(variant.name, *(f"{row.images_per_s:,.0f}" for row in rows))
    return table


def _memory_table(result: Result) -> Table:
    table = Table("resident MiB", "loaded", "ran")
    for row in result.memory:
        table.add_row(row.variant, f"{row.loaded_mib:.0f}", f"{row.ran_mib:.0f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
