"""The image, built and run as `docker compose up` would run it, in a real Docker engine.

Where no engine answers it is skipped. With CONTAINER_TEST=1 it may first bring one up with
`../shared/docker/engine-up`, where a checkout has that beside it. The image stays behind as
`lossatlas:test`, so that its layers serve the next run.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import pytest

from models.preprocess import preprocess
from models.store import Store

ROOT = Path(__file__).parents[2]
ENGINE_UP = ROOT.parent / "shared" / "docker" / "engine-up"
IMAGE = "lossatlas:test"
PROJECT = f"lossatlas-test-{os.getpid()}"
PHOTO = ROOT / "tests" / "data" / "photos" / "china.jpg"
JPEG = {"content-type": "image/jpeg"}
PATIENCE_S = 180
BUILD_PATIENCE_S = 1200

pytestmark = pytest.mark.container


def run(*command: str | Path, patience_s: int = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience_s,
    )


def _need_engine() -> None:
    if shutil.which("docker") and run("docker", "info").returncode == 0:
        return
    if os.environ.get("CONTAINER_TEST") != "1" or not ENGINE_UP.exists():
        pytest.skip("no Docker engine answers (`docker info` fails)")
    outcome = run(ENGINE_UP, patience_s=BUILD_PATIENCE_S)
    if outcome.returncode != 0:
        pytest.skip(f"engine-up brought up no Docker engine: {outcome.stderr[-500:]}")


def _compose() -> tuple[str, ...]:
    for command in (("docker", "compose"), ("docker-compose",)):
        if shutil.which(command[0]) and run(*command, "version").returncode == 0:
            return command
    pytest.skip("there is a Docker engine, but neither `docker compose` nor `docker-compose`")


@dataclass(frozen=True)
class Container:
    """The running service."""

    compose: tuple[str, ...]
    files: tuple[Path, ...]
    address: str
    id: str = field(default="")

    def do(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A compose command in this test's project."""
        chosen = (part for file in self.files for part in ("-f", str(file)))
        return run(*self.compose, "-p", PROJECT, *chosen, *arguments)

    def sh(self, script: str) -> subprocess.CompletedProcess[str]:
        """A shell script inside, as the service's user."""
        return self.do("exec", "-T", "lossatlas", "sh", "-c", script)

    def state(self, template: str) -> str:
        """A field of `docker inspect`."""
        return run("docker", "inspect", "-f", template, self.id).stdout.strip()


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    _need_engine()
    compose = _compose()
    built = run(
        "docker", "build", "--network", "host", "-t", IMAGE, ".", patience_s=BUILD_PATIENCE_S
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    override = tmp_path_factory.mktemp("compose") / "image.yml"
    override.write_text(f"services:\n  lossatlas:\n    image: {IMAGE}\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        published = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PUBLISH", published)
        files = (ROOT / "docker-compose.yml", override)
        stopped = Container(compose, files, f"http://{published}")
        try:
            yield _start(stopped)
        finally:
            stopped.do("down", "--volumes")


def _start(stopped: Container) -> Container:
    up = stopped.do("up", "--no-build", "-d")
    assert up.returncode == 0, up.stderr
    found = stopped.do("ps", "-q").stdout.strip()
    started = Container(stopped.compose, stopped.files, stopped.address, found)
    give_up = time.monotonic() + PATIENCE_S
    while (health := started.state("{{.State.Health.Status}}")) != "healthy":
        restarts = started.state("{{.RestartCount}}")
        if time.monotonic() > give_up or health == "unhealthy" or restarts != "0":
            raise AssertionError(
                f"the container is {health} after {restarts} restarts:\n{started.do('logs').stdout}"
            )
        time.sleep(0.5)
    return started


def test_it_answers_as_the_committed_model_does(container: Container) -> None:
    bundle = Store(ROOT / "models" / "registry").load("arcface")
    pixels = preprocess(PHOTO.read_bytes(), bundle.manifest.preprocess)[None]
    session = onnxruntime.InferenceSession(bundle.model_path, providers=["CPUExecutionProvider"])
    embedding, probabilities = session.run(["embedding", "probabilities"], {"images": pixels})

    with httpx.Client(base_url=container.address, headers=JPEG, timeout=60) as client:
        embedded = client.post("/embed?loss=arcface", content=PHOTO.read_bytes())
        classified = client.post("/classify?loss=arcface", content=PHOTO.read_bytes())
        near = client.post("/neighbors?loss=arcface&k=3", content=PHOTO.read_bytes())
    assert [each.status_code for each in (embedded, classified, near)] == [200] * 3
    np.testing.assert_allclose(embedded.json()["embeddings"], embedding, atol=1e-4)
    (prediction,) = classified.json()["predictions"]
    assert prediction["label"] == bundle.manifest.labels[int(probabilities.argmax())]
    assert prediction["probability"] == pytest.approx(float(probabilities.max()), abs=1e-4)
    assert len(near.json()["neighbors"][0]) == 3


def test_bad_bytes_are_refused_and_do_no_harm(container: Container) -> None:
    with httpx.Client(base_url=container.address, headers=JPEG, timeout=60) as client:
        bad = client.post("/embed", content=PHOTO.read_bytes()[:2000])
        assert (bad.status_code, bad.json()["code"]) == (422, "undecodable_image")
        assert client.post("/embed", content=PHOTO.read_bytes()).status_code == 200


def test_its_user_is_nobody_special(container: Container) -> None:
    assert container.sh("id -u").stdout.strip() == "10001"
    capabilities = container.sh("grep CapEff /proc/1/status").stdout.split()[-1]
    assert int(capabilities, 16) == 0


def test_only_data_and_tmp_can_be_written(container: Container) -> None:
    assert container.state("{{.HostConfig.ReadonlyRootfs}}") == "true"
    for folder in ("/", "/app", "/venv", "/app/models"):
        assert "Read-only" in container.sh(f"touch {folder}/x").stderr
    for folder in ("/data", "/tmp"):
        assert container.sh(f"touch {folder}/x && rm {folder}/x").returncode == 0


def test_no_training_stack_is_inside(container: Container) -> None:
    for package in ("torch", "torchvision", "matplotlib", "sklearn", "onnx"):
        outcome = container.sh(f"python -c 'import {package}'")
        assert "ModuleNotFoundError" in outcome.stderr, package
    inside = {"LICENSE", "NOTICE", "THIRD_PARTY.md", "models", "reports", "service"}
    assert set(container.sh("ls /app").stdout.split()) == inside


def test_nothing_was_left_in_its_home(container: Container) -> None:
    """Look where onnxruntime would keep a device id and the events to send."""
    assert ".cache" not in container.sh("ls -A /data").stdout.split()
    assert container.sh("echo $ORT_DISABLE_TELEMETRY").stdout.strip() == "1"


def test_any_user_can_run_it_without_a_folder_to_write(container: Container) -> None:
    """Also with Kubernetes' variables, little memory and a fraction of a processor."""
    given = ("--user", "12345", "--read-only", "--cap-drop", "ALL", "--memory", "512m")
    injected = ("-e", "LOSSATLAS_PORT=tcp://10.0.0.1:80", "-e", "LOSSATLAS_SERVICE_HOST=10.0.0.1")
    name = f"{PROJECT}-odd"
    made = run("docker", "run", "-d", "--name", name, *given, "--cpus", "0.9", *injected, IMAGE)
    assert made.returncode == 0, made.stderr
    try:
        check = ("docker", "exec", name, "python", "-m", "service.health")
        give_up = time.monotonic() + PATIENCE_S
        while run(*check).returncode != 0:
            logs = run("docker", "logs", name)
            assert time.monotonic() < give_up, logs.stderr
            assert run("docker", "inspect", "-f", "{{.State.Running}}", name).stdout == "true\n", (
                logs.stderr
            )
            time.sleep(0.5)
        said = run("docker", "logs", name).stderr
        assert len([line for line in said.splitlines() if "cannot be written" in line]) <= 1
        assert "workers=1" in said
        assert "Traceback" not in said
        assert run("docker", "stop", name).returncode == 0
        assert run("docker", "inspect", "-f", "{{.State.ExitCode}}", name).stdout == "0\n"
    finally:
        run("docker", "rm", "-f", name)


def test_it_stops_when_asked_to(container: Container) -> None:
    assert container.do("stop").returncode == 0
    assert container.state("{{.State.ExitCode}}") != "137"  # not killed after ten seconds
