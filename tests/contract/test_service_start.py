"""`python -m service` as a user meets it: a process, its flags, its last words."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from service.__main__ import main
from service.inference.device import CUDA, choose_provider
from service.processes.workers import default_workers
from tests.support.bundles import picture
from tests.support.serving import PATIENCE_S, wait_loaded

ROOT = Path(__file__).parents[2]


def environment(**variables: str) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("LOSSATLAS_")}
    return mine | variables


def refused(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """Return the message of a service that does not start."""
    try:
        code = main(flags)
    except SystemExit as ending:  # argparse's
        code = int(str(ending.code))
    assert code == 2
    return capsys.readouterr().err


@contextmanager
def running(*flags: str, **variables: str) -> Iterator[tuple[httpx.Client, list[str]]]:
    """A service that starts, its client, and what it says, to the end once the block has ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "--port=0", "--device=cpu", *flags],
        cwd=ROOT,
        env=environment(**variables),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = [process.stderr.readline()]
    try:
        match = re.search(r"http://127\.0\.0\.1:\d+", said[0])
        assert match, said
        with httpx.Client(base_url=match[0], timeout=PATIENCE_S) as client:
            wait_loaded(client)
            yield client, said
    finally:
        process.send_signal(signal.SIGINT)
        said.append(process.communicate(timeout=PATIENCE_S)[1])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--prot=8001"], "unrecognized arguments: --prot"),
        (["--por=8001"], "unrecognized arguments: --por"),
        (["extra"], "unrecognized arguments: extra"),
        (["--port=many"], "--port: .*many"),
        (["--device=gpu"], "--device: .*'auto', 'cuda', 'tensorrt' or 'cpu', not 'gpu'"),
        (["--registry=nowhere"], "no published model in nowhere"),
    ],
)
def test_what_cannot_start_says_why(
    capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert re.search(said, refused(capsys, *flags))


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("LOSSATLAS_DEVICE", "LOSSATLAS_DEVICE: .*'auto', 'cuda', 'tensorrt' or 'cpu'"),
        ("LOSSATLAS_PROT", "unknown setting LOSSATLAS_PROT"),
    ],
)
def test_a_variable_that_is_wrong_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv(variable, "nonsense")
    assert re.search(said, refused(capsys))


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str], tiny_registry: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(capsys, f"--registry={tiny_registry}", f"--port={port}")
    assert f"cannot listen on 127.0.0.1 port {port}" in said
    assert "--port" in said


def test_cuda_is_refused_where_it_would_fall_back(
    capsys: pytest.CaptureFixture[str], tiny_registry: Path
) -> None:
    if choose_provider("auto") == CUDA:
        pytest.skip("CUDA works here")
    said = refused(capsys, f"--registry={tiny_registry}", "--device=cuda")
    assert "device 'cuda' cannot be used" in said


def test_a_refusal_is_one_line_of_a_process_that_ends_with_2() -> None:
    command = [sys.executable, "-m", "service", "--registry=nowhere"]
    outcome = subprocess.run(
        command, check=False, cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert outcome.returncode == 2
    assert len(outcome.stderr.splitlines()) == 1


def test_it_tells_its_address_serves_and_ends_quietly(tiny_registry: Path) -> None:
    with running(f"--registry={tiny_registry}", LOSSATLAS_LOG_FORMAT="json") as (client, said):
        headers = {"Content-Type": "image/png"}
        assert client.post("/classify", content=picture(0), headers=headers).status_code == 200
        refused = client.post("/classify", content=b"no image", headers=headers)
        assert refused.status_code == 422
    lines = [json.loads(line) for line in "".join(said).splitlines()]
    workers = lines[0]["workers"]
    assert workers == default_workers("cpu")
    assert [line["event"] for line in lines] == ["listening", *["ready"] * workers, "request"]
    assert lines[1]["models"] == ["arcface", "softmax"]
    assert len({line.get("process") for line in lines[1:-1]}) == workers
    assert lines[-1]["request_id"] == refused.headers["x-request-id"]


def test_every_worker_answers_as_soon_as_one_does(tiny_registry: Path) -> None:
    headers = {"Content-Type": "image/png"}
    with running(f"--registry={tiny_registry}", "--workers=3") as (client, _):
        for _ in range(30):
            answer = httpx.post(f"{client.base_url}/embed", content=picture(0), headers=headers)
            assert answer.status_code == 200


def test_a_second_service_does_not_share_the_port(
    capsys: pytest.CaptureFixture[str], tiny_registry: Path
) -> None:
    with running(f"--registry={tiny_registry}", "--workers=2") as (client, _):
        port = client.base_url.port
        said = refused(capsys, f"--registry={tiny_registry}", f"--port={port}", "--workers=2")
        assert f"cannot listen on 127.0.0.1 port {port}" in said


def workers_of(registry: Path) -> list[int]:
    """The worker processes that serve this registry: forked, they show their parent's command."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"--registry={registry}".encode() in (folder / "cmdline").read_bytes():
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                found[int(folder.name)] = int(parent)
    return [process for process, parent in found.items() if parent in found]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the workers in /proc")
def test_a_worker_that_dies_is_replaced(tiny_registry: Path) -> None:
    headers = {"Content-Type": "image/png"}
    with running(f"--registry={tiny_registry}", "--workers=2") as (client, _):
        before = workers_of(tiny_registry)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        deadline = monotonic() + PATIENCE_S
        while len(set(workers_of(tiny_registry)) - {before[0]}) < 2:
            assert monotonic() < deadline
            sleep(0.05)
        for _ in range(20):  # the other one, and the new one once it has loaded
            answer = httpx.post(
                f"{client.base_url}/embed",
                content=picture(0),
                headers=headers,
                timeout=PATIENCE_S,
            )
            assert answer.status_code == 200
            sleep(0.05)


def test_every_request_is_logged_where_that_is_asked_for(tiny_registry: Path) -> None:
    flags = (f"--registry={tiny_registry}", "--log-requests=all", "--log-format=json")
    with running(*flags) as (client, said):
        answer = client.post("/classify", content=picture(0), headers={"Content-Type": "image/png"})
        assert answer.status_code == 200
    lines = [json.loads(line) for line in "".join(said).splitlines()]
    asked = [line for line in lines if line["event"] == "request" and line["path"] == "/classify"]
    assert [line["request_id"] for line in asked] == [answer.headers["x-request-id"]]
    assert asked[0]["status"] == 200


def test_several_workers_share_the_port_and_the_settings(tiny_registry: Path) -> None:
    flags = [f"--registry={tiny_registry}", "--workers=2", "--max-images=3", "--api-key=hush"]
    with running(*flags) as (client, _):
        headers = {"Content-Type": "image/png", "Authorization": "Bearer hush"}
        for _ in range(10):
            with httpx.Client(base_url=client.base_url, timeout=PATIENCE_S) as fresh:
                wait_loaded(fresh)
                answer = fresh.post("/embed", content=picture(0), headers=headers)
                assert answer.status_code in (200, 503)
        many = [("a", ("a.png", picture(0)))] * 4
        refusal = client.post("/embed", files=many, headers={"Authorization": "Bearer hush"})
        assert (refusal.status_code, refusal.json().get("limit")) in ((413, 3), (503, None))


def test_any_worker_says_what_all_have_counted(tiny_registry: Path) -> None:
    with running(f"--registry={tiny_registry}", "--workers=2") as (client, _):
        address, answered = str(client.base_url), 0
        for _ in range(16):
            with httpx.Client(base_url=address, timeout=PATIENCE_S) as fresh:
                wait_loaded(fresh)
                headers = {"Content-Type": "image/png"}
                answer = fresh.post("/embed", content=picture(0), headers=headers)
                answered += answer.status_code == 200  # else it met one that still loads
        assert answered > 0
        assert {counted(address) for _ in range(8)} == {answered}


def counted(address: str) -> float:
    """Return how many embeddings any worker says that all have answered."""
    text = httpx.get(f"{address}/metrics", timeout=PATIENCE_S).text
    wanted = 'lossatlas_requests_total{method="POST",route="/embed",status="200"}'
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(wanted))
