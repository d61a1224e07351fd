"""The parts of the check, one after the other; the file is written after each."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

from rich.console import Console

from benchmarks.gpu.results import Device, GpuCheck, Part, Trouble
from benchmarks.gpu.sessions import compare_answers, measure_throughput, open_session
from benchmarks.serving.results import Report as Serving
from benchmarks.training.bundles import Bundles
from models.atomic import replacing
from models.store import Store
from service.inference.cuda import Gpu
from training import data

_ROOT = Path(__file__).parents[2]
_SERVED = "arcface"  # by benchmarks.serving
_PAPER = 1  # the version that is the paper's compact network


@dataclass(frozen=True)
class CheckSettings:
    """The settings of a check."""

    parts: tuple[Part, ...]
    registry: Path
    source: str  # of images, as for `python -m training run --data`
    devices: tuple[Device, ...]
    images: int  # on which answers are compared
    sizes: tuple[int, ...]  # of batches
    seconds: float  # of each measurement
    losses: tuple[str, ...]  # to train
    training: tuple[str, ...]  # further arguments of the training
    work: Path
    out: Path


class Check:
    """Runs every part; one that fails is noted, and the others go on."""

    def __init__(self, settings: CheckSettings, result: GpuCheck, console: Console) -> None:
        self.result = result
        self._settings = settings
        self._console = console
        self._store = Store(settings.registry)
        self._gpu = Gpu(max(settings.sizes), settings.work / "tensorrt")

    def run(self) -> GpuCheck:
        """Do all parts."""
        for label, part in self._parts():
            self._console.print(label)
            try:
                part()
            except Exception as error:  # noqa: BLE001 - what fails on a GPU is what is looked for
                self._console.print(f"[red]{label}: {error}")
                trouble = Trouble(part=label, reason=str(error))
                self._keep(troubles=(*self.result.troubles, trouble))
        return self.result

    def _parts(self) -> Iterator[tuple[str, Callable[[], None]]]:
        settings, store = self._settings, self._store
        if "sessions" in settings.parts:
            for device, name in product(settings.devices, store.names()):
                for version in self._versions(name):
                    label = f"{device}: answers and speed of {name} {version}"
                    yield label, partial(self._open, name, version, device)
        if "serving" in settings.parts:
            for version in self._versions(_SERVED):
                yield f"HTTP: {_SERVED} {version}", partial(self._serve, version)
        if "training" in settings.parts:
            yield "training: from images to bundles", self._train

    def _versions(self, name: str) -> list[int]:
        """The paper's network, and what answers by default."""
        known = self._store.versions(name)
        return sorted({known[-1]} | ({_PAPER} & set(known)))

    def _open(self, name: str, version: int, device: Device) -> None:
        settings, result = self._settings, self.result
        bundle = self._store.load(name, version)
        session = open_session(bundle, device, self._gpu)
        dataset = data.load(settings.source, bundle.manifest.preprocess, settings.work / "cache")
        images = dataset.test.images[: settings.images].numpy()
        agreement = compare_answers(bundle, device, session, images)
        self._keep(agreements=(*result.agreements, agreement))
        speed = measure_throughput(bundle, device, session, settings.sizes, settings.seconds)
        self._keep(throughputs=(*result.throughputs, speed))

    def _serve(self, version: int) -> None:
        out = self._settings.work / f"serving-{version}.json"
        quick = () if self._settings.seconds >= 1 else ("--quick",)
        # The first device that was asked for serves; `auto` would say nothing where it fails.
        self._command(
            *("benchmarks.serving", "--only", "ours", "--loops", "closed", "--rounds", "1"),
            *("--model-version", str(version), "--out", str(out), *quick),
            device=self._settings.devices[0],
        )
        serving = Serving.model_validate_json(out.read_bytes())
        self._keep(serving=self.result.serving | {str(version): serving})

    def _train(self) -> None:
        settings = self._settings
        out = settings.work / "bundles.json"
        self._command(
            *("benchmarks.training.bundles", "--data", settings.source, "--out", str(out)),
            *("--work", str(settings.work / "bundles"), "--losses", *settings.losses),
            *settings.training,
        )
        self._keep(bundles=Bundles.model_validate_json(out.read_bytes()))

    def _command(self, module: str, *arguments: str, device: Device | None = None) -> None:
        environment = os.environ | ({"LOSSATLAS_DEVICE": device} if device else {})
        command = [sys.executable, "-m", module, *arguments]
        subprocess.run(command, cwd=_ROOT, env=environment, check=True)

    def _keep(self, **parts: object) -> None:
        self.result = self.result.model_copy(update=parts)
        with replacing(self._settings.out) as file:
            file.write_text(self.result.model_dump_json(indent=1) + "\n")
