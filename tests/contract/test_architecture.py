"""Import rules, shown to hold and shown to be able to fail."""

import ast
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.bundles import Recipe, publish

ROOT = Path(__file__).parents[2]
PACKAGES = ("models", "reports", "service", "training")
TRAINING_STACK = ("torch", "torchvision", "onnx", "onnxscript", "sklearn", "matplotlib")
SERVICE_PYTHON = ROOT / ".venv-service" / "bin" / "python"
PATIENCE_S = 120

needs_service_environment = pytest.mark.skipif(
    not SERVICE_PYTHON.exists(), reason="there is no .venv-service; `make environments` makes it"
)


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    tool = Path(sys.executable).with_name("lint-imports")
    return _run([tool, "--no-cache"], root)


def _run(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S
    )


def test_the_contracts_are_kept() -> None:
    outcome = lint_imports(ROOT)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "Contracts: 9 kept, 0 broken." in outcome.stdout


FORBIDDEN = [
    ("service/inference/decode.py", "import training.recipes.recipe", "never see each other"),
    ("training/recipes/recipe.py", "import service.settings", "never see each other"),
    ("models/store.py", "import service.settings", "never see each other"),
    ("models/preprocess.py", "import torch", "models needs only"),
    ("service/inference/session.py", "import sklearn.metrics", "the service never imports"),
    ("service/vectors/kinds.py", "import service.inference.engine", "floors of the service"),
    ("service/inference/engine.py", "import service.collections", "floors of the service"),
    ("service/collections/items.py", "import service.http.app", "floors of the service"),
    ("service/rooms.py", "import json", "floors of the service"),
    ("service/http/rooms.py", "import json", "floors of HTTP"),
    ("service/http/requests/body.py", "import service.http.state", "floors of HTTP"),
    ("training/rooms.py", "import json", "floors of the training"),
    ("training/networks/build.py", "import training.checkpoints.run", "floors of the training"),
    ("training/losses/base.py", "import training.loop.trainer", "floors of the training"),
    ("service/cli/sources/base.py", "import service.cli.ingest", "no circle"),
    ("training/bulk/job.py", "import torch", "bulk embedding knows"),
    ("training/evaluation/geometry.py", "import torch", "a section of a report knows"),
]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report on a tree that has every forbidden import."""
    root = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        data = ("registry",) if package == "models" else ()
        ignore = shutil.ignore_patterns("__pycache__", *data)
        shutil.copytree(ROOT / package, root / package, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", root)
    for file, line, _ in FORBIDDEN:
        path = root / file
        written = path.read_text() if path.exists() else '"""New here."""\n'
        path.write_text(f"{written}\n{line}\n")
    outcome = lint_imports(root)
    assert outcome.returncode != 0
    return outcome.stdout


@pytest.mark.parametrize(("file", "contract"), [(file, name) for file, _, name in FORBIDDEN])
def test_a_forbidden_import_breaks_its_contract(broken: str, file: str, contract: str) -> None:
    _, *sections = re.split(r"^(.+)\n-+$", broken[broken.index("Broken contracts") :], flags=re.M)
    details = dict(zip(sections[::2], sections[1::2], strict=True))
    (said,) = (text for name, text in details.items() if contract in name)
    importer = file.removesuffix(".py").replace("/", ".")
    assert (".sources -> .ingest" if contract == "no circle" else importer) in said


def _third_party(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - set(PACKAGES)


OPTIONAL = {"pillow_heif"}  # the extra `heic`, imported where a photograph asks for it


def test_models_needs_pydantic_numpy_pillow_and_simplejpeg_alone() -> None:
    needed = set().union(*map(_third_party, (ROOT / "models").glob("**/*.py")))
    assert needed - OPTIONAL == {"pydantic", "numpy", "PIL", "simplejpeg"}


def test_no_folder_or_module_is_a_drawer_for_anything() -> None:
    drawers = {"utils", "util", "common", "helpers", "core", "misc"}
    named = {ROOT / "training" / "common"}  # seeds, provenance, the machine: no more
    for package in PACKAGES:
        found = {path for path in (ROOT / package).rglob("*") if path.stem in drawers}
        assert found <= named


def _modules(package: str) -> list[str]:
    """Every module of a package, from its files, by its dotted name."""
    files = sorted((ROOT / package).rglob("*.py"))
    dotted = (".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files)
    return [name.removesuffix(".__init__") for name in dotted]


SERVED = [name for package in PACKAGES[:3] for name in _modules(package)]


def _loads(python: Path, modules: list[str]) -> set[str]:
    """Return the parts of the training stack that a fresh interpreter loads with them."""
    code = (
        "import importlib, json, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        f"print(json.dumps([name for name in {TRAINING_STACK} if name in sys.modules]))"
    )
    outcome = _run([python, "-c", code, *modules], ROOT)
    assert outcome.returncode == 0, outcome.stderr
    return set(json.loads(outcome.stdout.splitlines()[-1]))


def test_the_service_loads_nothing_of_the_training_stack() -> None:
    assert _loads(Path(sys.executable), SERVED) == set()


def test_what_is_loaded_would_be_noticed() -> None:
    assert _loads(Path(sys.executable), ["service.settings", "matplotlib"]) == {"matplotlib"}


@needs_service_environment
def test_the_services_environment_lacks_the_training_stack() -> None:
    code = (
        "from importlib.util import find_spec\n"
        f"print([name for name in {TRAINING_STACK} if find_spec(name)])"
    )
    found = subprocess.check_output([SERVICE_PYTHON, "-c", code], text=True, timeout=PATIENCE_S)
    assert found.strip() == "[]"


@needs_service_environment
def test_every_module_of_the_service_imports_in_its_own_environment() -> None:
    assert _loads(SERVICE_PYTHON, SERVED) == set()


@needs_service_environment
def test_the_service_serves_from_its_own_environment(tmp_path: Path) -> None:
    publish(tmp_path / "registry", "arcface", Recipe(gallery=3))
    photo = (ROOT / "tests" / "data" / "photos" / "chelsea.png").read_bytes()
    with _service(tmp_path) as address:
        header = {"content-type": "image/png"}
        answer = httpx.post(f"{address}/classify", content=photo, headers=header, timeout=60)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["predictions"]) == 1


@contextmanager
def _service(folder: Path) -> Iterator[str]:
    """The service's address, once it is ready; it ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    places = [f"--registry={folder / 'registry'}", f"--data-dir={folder / 'var'}"]
    command = [str(SERVICE_PYTHON), "-m", "service", f"--port={port}", *places]
    mine = {key: value for key, value in os.environ.items() if not key.startswith("LOSSATLAS_")}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=mine, stdout=log, stderr=log)
        try:
            _wait_until_ready(process, f"http://127.0.0.1:{port}", folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=PATIENCE_S)
    # uvicorn finishes its work, then ends by the signal that it got
    assert code in (0, -signal.SIGTERM), (folder / "log").read_text()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            if httpx.get(f"{address}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the service did not become ready:\n{log.read_text()}")
