"""Nothing is sent out, by us or by a library below us, whatever the environment says."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx
import onnxruntime
import pytest

from models.telemetry import SWITCHES
from tests.support import offline
from tests.support.bundles import publish
from tests.support.serving import PATIENCE_S

ROOT = Path(__file__).parents[2]
PACKAGES = ("models", "service", "training", "benchmarks")
OPEN_SESSION = (
    "import sys, time, onnxruntime\n"
    "onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])\n"
    "time.sleep(float(sys.argv[2]))\n"
)

pytestmark = pytest.mark.skipif(not offline.SUPPORTED, reason="needs Linux's seccomp")


def has_telemetry() -> bool:
    """Return whether this build of onnxruntime can send any: it holds its collector's address."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    return any(b"/OneCollector/" in path.read_bytes() for path in folder.glob("*pybind11*.so"))


def environment(home: Path, **more: str) -> dict[str, str]:
    """A user's: without the variables of CI, by which onnxruntime knows where not to send."""
    home.mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), **more}


@contextmanager
def offline_process(command: Sequence[str | Path], home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command that the kernel kills where it looks a name up."""
    wrapped = [sys.executable, "-m", "tests.support.offline", sys.executable, *command]
    with subprocess.Popen(
        wrapped,
        cwd=home.parent if command[0] == "-c" else ROOT,
        env=environment(home, **dict.fromkeys(SWITCHES, "")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def listening(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    line = process.stderr.readline().decode()
    assert "http://" in line, line
    return "http://" + line.partition("http://")[2].split()[0]


def test_no_entry_point_leaves_or_looks_up_anything(tmp_path: Path) -> None:
    if not has_telemetry():
        pytest.skip("this build of onnxruntime sends nothing by itself")
    registry = tmp_path / "registry"
    model = str(publish(registry, "arcface").model_path)
    serve = [f"--registry={registry}", "--port=0", "--device=cpu", f"--data-dir={tmp_path}/var"]
    commands: dict[str, list[str | Path]] = {
        "alone": ["-m", "service", "--workers=1", *serve],
        "workers": ["-m", "service", "--workers=2", *serve],
    }
    for package in PACKAGES:
        commands[package] = ["-c", f"import {package}\n{OPEN_SESSION}", model, "600"]
    with ExitStack() as stack:
        quiet = {
            name: stack.enter_context(offline_process(command, tmp_path / name))
            for name, command in commands.items()
        }
        for name in ("alone", "workers"):
            address = listening(quiet[name])
            assert httpx.get(f"{address}/health/ready", timeout=PATIENCE_S).status_code < 504
        bare: list[str | Path] = ["-c", OPEN_SESSION, model, "600"]
        control = stack.enter_context(offline_process(bare, tmp_path / "bare"))
        assert control.wait(PATIENCE_S) == -signal.SIGSYS  # so that one that sends is caught
        assert list((tmp_path / "bare").rglob("*onnxruntime*"))
        until = monotonic() + 2
        while monotonic() < until:
            assert {name: process.poll() for name, process in quiet.items()} == dict.fromkeys(quiet)
            sleep(0.1)
        assert b"worker died" not in stop(quiet["workers"])
    for name in commands:
        assert list((tmp_path / name).iterdir()) == [], name


def stop(process: subprocess.Popen[bytes]) -> bytes:
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=PATIENCE_S)[1]


def test_the_switches_cannot_be_turned_back_on(tmp_path: Path) -> None:
    given = environment(tmp_path / "home", ORT_DISABLE_TELEMETRY="0", RAY_USAGE_STATS_ENABLED="1")
    for package in PACKAGES:
        show = f"import {package}, os; print(dict(os.environ))"
        shown = subprocess.run(
            [sys.executable, "-c", show],
            cwd=ROOT,
            env=given,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ast.literal_eval(shown.stdout).items() >= SWITCHES.items()


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_switches_off_before_it_imports_anything(package: str) -> None:
    """Python runs `__init__` before a package's modules, in spawned processes too."""
    body = ast.parse((ROOT / package / "__init__.py").read_text()).body
    _, imported, called = body[:3]
    assert ast.unparse(imported) == "from models.telemetry import send_nothing"
    assert ast.unparse(called) == "send_nothing()"
    switches = ast.parse((ROOT / "models" / "telemetry.py").read_text()).body
    found = [
        ast.unparse(step) for step in switches if isinstance(step, ast.Import | ast.ImportFrom)
    ]
    assert found == ["import os"]
