"""The real service as a process group that can be killed."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.serving import PATIENCE_S, wait_loaded

ROOT = Path(__file__).parents[2]
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Service:
    """`python -m service` with two workers, its log in a file."""

    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, registry: Path, data: Path, log: Path) -> "Service":
        flags = ["--port=0", "--workers=2", "--device=cpu", "--log-format=json"]
        places = [f"--registry={registry}", f"--data-dir={data}"]
        mine = {k: v for k, v in os.environ.items() if not k.startswith("LOSSATLAS_")}
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "service", *flags, *places],
                cwd=ROOT,
                env=mine,
                stderr=file,
                start_new_session=True,  # a process group of its own
            )
        return cls(process, log)

    def ready(self) -> str:
        """The address, once the models have loaded."""
        give_up = time.monotonic() + PATIENCE_S
        while (match := _ADDRESS.search(self.log.read_text())) is None:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < give_up
            time.sleep(0.01)
        with httpx.Client(base_url=match[0], timeout=PATIENCE_S) as client:
            wait_loaded(client)
        return match[0]

    def kill(self) -> None:
        """End every process of it at once, with no chance to do anything more."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=PATIENCE_S)
