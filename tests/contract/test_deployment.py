"""The image and the Compose file, held against the settings and the locks."""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import httpx
import pytest

from service.settings import Settings, variable
from tests.contract.test_service_start import environment

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
LOCKS = sorted(path.stem for path in (ROOT / "requirements").glob("service*.txt"))
OF_THE_IMAGE = {"LOSSATLAS_HOST", "LOSSATLAS_DATA_DIR"}  # Compose must not pass a host's own


def ignored(path: str) -> bool:
    """Return whether `.dockerignore` keeps a file out: its last line that matches decides."""
    kept_out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip().rstrip("/")
        if pattern and not pattern.startswith("#"):
            allows = pattern.startswith("!")
            name = pattern.removeprefix("!")
            if fnmatch(path, name) or path.startswith(f"{name}/"):
                kept_out = not allows
    return kept_out


def test_compose_hands_on_every_setting_but_those_of_the_image() -> None:
    handed_on = re.findall(r"^ +- (LOSSATLAS_\w+)", COMPOSE, re.MULTILINE)
    known = {variable(name) for name in Settings.model_fields}
    assert set(handed_on) == known - OF_THE_IMAGE
    assert len(handed_on) == len(set(handed_on))
    assert all(f"{name}=" in DOCKERFILE for name in OF_THE_IMAGE)


def test_compose_publishes_the_port_that_it_hands_on() -> None:
    assert "LOSSATLAS_PORT=${LOSSATLAS_PORT:-8000}" in COMPOSE
    assert ':${LOSSATLAS_PORT:-8000}"' in COMPOSE


def test_every_lock_that_is_offered_can_be_built() -> None:
    files = {path.name: path.read_text() for path in ROOT.glob("docker-compose*.yml")}
    offered = {"service"}
    for text in (DOCKERFILE, *files.values()):
        offered |= set(re.findall(r"\bservice-[a-z]+\b", text))
    assert offered == set(LOCKS)
    for lock in (*offered, "uv"):
        assert not ignored(f"requirements/{lock}.txt"), lock
    for name in ("models/store.py", "service/__main__.py"):
        assert not ignored(name)
    for name in ("requirements/dev.txt", "tests/conftest.py", ".git/config", "training/errors.py"):
        assert ignored(name)


def test_variants_have_images_of_their_own() -> None:
    """So that one is never started in the place of another."""
    assert 'image: "lossatlas:${LOCK:-service}"' in COMPOSE


def test_the_image_switches_telemetry_off() -> None:
    for switch in ("ORT_DISABLE_TELEMETRY=1", "DO_NOT_TRACK=true"):
        assert switch in DOCKERFILE


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
def test_the_health_check_asks_the_service(client: httpx.Client, proxy: str | None) -> None:
    port = str(client.base_url.port)
    more = {} if proxy is None else {"http_proxy": proxy}
    assert check(LOSSATLAS_PORT=port, **more) == 0
    assert check(LOSSATLAS_PORT="9", **more) == 1


@pytest.mark.parametrize("port", ["tcp://10.0.0.1:80", ""])
def test_the_health_check_stands_odd_ports(port: str) -> None:
    assert check(LOSSATLAS_PORT=port) in (0, 1)


def check(**variables: str) -> int:
    command = [sys.executable, "-m", "service.health"]
    given = environment(**variables)
    outcome = subprocess.run(
        command, check=False, cwd=ROOT, env=given, capture_output=True, text=True
    )
    assert "Traceback" not in outcome.stderr
    return outcome.returncode
