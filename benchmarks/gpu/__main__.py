"""`python -m benchmarks.gpu --data DIR`: every figure that needs a GPU, into one JSON file.

Answers against the processor's, ONNX Runtime alone on the card, the service over HTTP, and five
models from raw images to published bundles. With --rehearse the same runs on the processor,
briefly, to see that it works.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from rich.console import Console

from benchmarks import machine
from benchmarks.command import numbers, recorded
from benchmarks.gpu.card import card
from benchmarks.gpu.check import Check, CheckSettings
from benchmarks.gpu.results import Device, GpuCheck, Part
from benchmarks.training.peers import PEERS
from models import code
from service.errors import DeviceUnavailable
from service.inference.device import choose_provider

_PATHS = ("--data", "--registry", "--work", "--out")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check: 0 where every part was done, 1 where one failed, 2 without a GPU."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    chosen, training = _parser().parse_known_args(given)
    console = Console(stderr=True)
    if not chosen.rehearse:
        try:
            choose_provider("cuda")
        except DeviceUnavailable as error:
            console.print(f"{error} (--rehearse runs the check on the processor)", soft_wrap=True)
            return 2
    chosen.work.mkdir(parents=True, exist_ok=True)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    found = Check(_settings(chosen, tuple(training)), _begun(given, chosen), console).run()
    console.print(f"{len(found.troubles)} parts could not be done; written: {chosen.out}")
    return 1 if found.troubles else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, allow_abbrev=False
    )
    add = parser.add_argument
    add("--data", required=True, help="images: a folder, or what `training run --data` takes")
    add("--rehearse", action="store_true", help="on the processor, few images, without training")
    parts = get_args(Part)
    add("--parts", nargs="+", choices=parts, default=parts, help="of the check (default: all)")
    add("--images", type=int, default=2000, help="on which answers are compared (default 2000)")
    add("--sizes", type=numbers, default=(1, 8, 64, 256), metavar="N,...", help="of batches")
    add("--seconds", type=float, default=2.0, help="of each measurement (default 2)")
    add("--losses", nargs="+", choices=PEERS, default=list(PEERS), help="to train (default: all)")
    add("--registry", type=Path, default=Path("models/registry"))
    add("--tensorrt", action="store_true", help="TensorRT too; its engines take minutes to build")
    add("--work", type=Path, default=Path("var/gpu"))
    add("--out", type=Path, default=Path("benchmarks/results/gpu.json"))
    return parser


def _settings(chosen: argparse.Namespace, training: tuple[str, ...]) -> CheckSettings:
    rehearse = chosen.rehearse
    on_card: tuple[Device, ...] = ("cuda", "tensorrt") if chosen.tensorrt else ("cuda",)
    return CheckSettings(
        parts=tuple(part for part in chosen.parts if not rehearse or part != "training"),
        registry=chosen.registry.absolute(),
        source=chosen.data,
        devices=("cpu",) if rehearse else on_card,
        images=min(chosen.images, 64) if rehearse else chosen.images,
        sizes=chosen.sizes,
        seconds=0.05 if rehearse else chosen.seconds,
        losses=tuple(chosen.losses),
        training=training,
        work=chosen.work.absolute(),
        out=chosen.out.absolute(),
    )


def _begun(given: Sequence[str], chosen: argparse.Namespace) -> GpuCheck:
    return GpuCheck(
        command=" ".join(["python -m benchmarks.gpu", *recorded(given, _PATHS)]),
        date=datetime.now(UTC),
        commit=code.commit(),
        machine=machine.machine(),
        card=None if chosen.rehearse else card(),
    )


if __name__ == "__main__":
    sys.exit(main())
