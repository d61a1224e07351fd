"""README.md and docs/ state the truth: figures come from reports, commands give their outputs."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.serving import brief
from benchmarks.serving.results import Report
from benchmarks.serving.table import everything, summary
from benchmarks.training import table as training_table
from benchmarks.training.results import Report as TrainingReport
from models.store import Store
from reports import marks, results
from reports.paper import paper
from reports.published import first, of_the_paper
from reports.settings import convergence
from service.cli import COMMANDS as COMMANDS_BESIDE_SERVING
from tests.support.serving import ready
from training.__main__ import parser

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
README, QUICKSTART, PERFORMANCE, API, FOUND = (
    (ROOT / name).read_text()
    for name in (
        "README.md",
        "docs/quickstart.md",
        "docs/performance.md",
        "docs/api.md",
        "docs/results.md",
    )
)
REGISTRY = ROOT / "models" / "registry"
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
BLOCKS = re.findall(r"```console\n(.*?)```", README + QUICKSTART, re.DOTALL)
COMMANDS = [text for block in BLOCKS for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
EXAMPLES = [text.split("\n", 1) for text in COMMANDS]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ready(REGISTRY, data_dir=tmp_path_factory.mktemp("data")) as client:
        yield str(client.base_url).rstrip("/")


@pytest.mark.parametrize(
    ("page", "pieces"),
    [(README, ("overview", "served")), (FOUND, ("comparison", "models"))],
    ids=["README.md", "docs/results.md"],
)
def test_results_are_made_from_the_registry(page: str, pieces: tuple[str, ...]) -> None:
    for piece in pieces:
        assert marks.has(page, f"python -m reports {piece}")
    assert results.updated(page, Store(REGISTRY)) == page


def test_the_tables_of_speed_are_made_from_the_measurements() -> None:
    small, strong = (
        Report.model_validate_json((RESULTS / f"{name}.json").read_text())
        for name in ("serving", "serving-strong")
    )
    assert marks.put(README, brief.COMMAND, brief.brief(strong)) == README
    assert everything(small) in PERFORMANCE
    assert summary(strong) in PERFORMANCE


def test_the_tables_of_training_are_made_from_the_measurements() -> None:
    trained = TrainingReport.model_validate_json((RESULTS / "training.json").read_text())
    assert training_table.everything(trained) in PERFORMANCE


@pytest.mark.parametrize("page", ["README.md", "docs/results.md", "docs/protocol.md"])
def test_the_pieces_about_comparisons_are_made_from_the_registry(page: str) -> None:
    text = (ROOT / page).read_text()
    assert results.updated(text, Store(REGISTRY)) == text


def test_the_readme_says_whether_its_table_is_of_converged_runs() -> None:
    assert convergence(first(Store(REGISTRY))).casefold() in README.casefold()


def test_the_page_about_the_paper_is_made_from_the_registry() -> None:
    text = (ROOT / "docs/paper.md").read_text()
    assert paper(of_the_paper(Store(REGISTRY))).rstrip() == text.rstrip()


@pytest.mark.parametrize(
    "line", re.findall(r"^python -m training (.+?)(?: +#.*)?$", README + QUICKSTART, re.MULTILINE)
)
def test_training_takes_every_command(line: str) -> None:
    parser().parse_args(line.split())


def test_the_service_has_every_command() -> None:
    named = set(re.findall(r"^python -m service (\w+)", README + QUICKSTART, re.MULTILINE))
    assert named and named <= set(COMMANDS_BESIDE_SERVING)


def test_the_readme_is_short() -> None:
    lines = README.splitlines()
    assert len(lines) <= 90
    assert max(map(len, lines)) <= 250


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[e[0][:60] for e in EXAMPLES])
def test_a_command_answers_what_is_shown(command: str, output: str, address: str) -> None:
    """Digits after the point may differ in the last places between processors; nothing else may."""
    command = command.replace("http://127.0.0.1:8000", address)
    shell = ["bash", "-euo", "pipefail", "-c", command]
    done = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 23), done.stderr  # 23: `head` closed curl's pipe
    assert NUMBER.sub("#", done.stdout.strip()) == NUMBER.sub("#", output.strip())
    shown, answered = (list(map(float, NUMBER.findall(text))) for text in (output, done.stdout))
    assert answered == pytest.approx(shown, abs=2e-3)


def test_the_readme_shows_an_answer() -> None:
    assert README.count("```console\n$ curl") == 1


def test_every_route_has_an_example() -> None:
    with ready(REGISTRY) as client:
        routes = client.get("/openapi.json").json()["paths"]
    text = README + QUICKSTART + API
    for route in routes:
        pattern = re.sub(r"\\{\w+\\}", r"[\\w.-]+", re.escape(route))
        assert re.search(rf"8000{pattern}(?:[\s'\"?]|$)", text), f"no example of {route}"


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"\bmake ([a-z-]+)", README + QUICKSTART + PERFORMANCE)))
)
def test_every_make_command_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
