"""Memory that a large body took is given back."""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.support.bundles import picture
from tests.support.serving import PATIENCE_S, started


@pytest.mark.skipif(sys.platform != "linux", reason="other systems show it in other ways")
def test_one_large_body_leaves_nothing(tiny_registry: Path, tmp_path: Path) -> None:
    flags = (f"--registry={tiny_registry}", f"--data-dir={tmp_path}", "--workers=1")
    with started(*flags) as (client, process):
        for _ in range(50):
            client.post("/embed", content=picture(0), headers={"Content-Type": "image/png"})
        before = resident_bytes(process.pid)
        for _ in range(2):
            answer = client.post(
                "/embed", content=os.urandom(30 * 2**20), headers={"Content-Type": "image/png"}
            )
            assert answer.status_code == 422
        give_up = time.monotonic() + PATIENCE_S
        while resident_bytes(process.pid) > before + 12 * 2**20:
            assert time.monotonic() < give_up
            time.sleep(0.2)


def resident_bytes(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
