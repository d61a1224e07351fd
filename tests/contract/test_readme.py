"""The README tells the truth: its table comes from the reports, its commands give its outputs."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.frontier import table as frontier_table
from benchmarks.frontier.results import Report as FrontierReport
from benchmarks.serving.results import Report
from benchmarks.serving.table import everything, summary
from benchmarks.training import table as training_table
from benchmarks.training.results import Report as TrainingReport
from models.store import Store
from reports.table import comparison_table, results_table
from tests.support.serving import ready

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
REGISTRY = ROOT / "models" / "registry"
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
BLOCKS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
COMMANDS = [text for block in BLOCKS for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
EXAMPLES = [text.split("\n", 1) for text in COMMANDS]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ready(REGISTRY, data_dir=tmp_path_factory.mktemp("data")) as client:
        yield str(client.base_url).rstrip("/")


def test_the_result_tables_are_made_from_the_reports() -> None:
    store = Store(REGISTRY)
    compared = store.comparison()
    assert compared is not None
    assert comparison_table(compared) in README
    for version in store.versions("softmax"):
        assert results_table(store, version) in README


def test_the_tables_of_speed_are_made_from_the_measurements() -> None:
    report = Report.model_validate_json((ROOT / "benchmarks/results/serving.json").read_text())
    assert summary(report) in README
    assert everything(report) in (ROOT / "docs/performance.md").read_text()


def test_the_tables_of_training_are_made_from_the_measurements() -> None:
    trained, *networks = (
        (ROOT / "benchmarks" / "results" / f"{name}.json").read_text()
        for name in ("training", "frontier", "frontier-earlier")
    )
    by_cost = training_table.everything(TrainingReport.model_validate_json(trained))
    assert by_cost in (ROOT / "docs" / "performance.md").read_text()
    by_network = frontier_table.everything(
        [FrontierReport.model_validate_json(network) for network in networks]
    )
    assert by_network in (ROOT / "docs" / "training.md").read_text()


def test_the_readme_states_the_comparisons_protocol() -> None:
    compared = Store(REGISTRY).comparison()
    assert compared is not None
    told, text = compared.protocol, " ".join(README.split())
    assert f"{told.trials} trials of {told.tuning_epochs} epochs" in text
    assert f"then {told.seeds} seeds of {told.epochs} epochs" in text
    assert f"{told.seeds} more of {told.unknown_epochs} epochs" in text
    assert f"{compared.dataset.train:,} images trained on, n = {compared.dataset.test:,}" in text


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[e[0][:60] for e in EXAMPLES])
def test_a_command_answers_what_the_readme_shows(command: str, output: str, address: str) -> None:
    """Digits after the point may differ in the last places between processors; nothing else may."""
    command = command.replace("http://127.0.0.1:8000", address)
    shell = ["bash", "-euo", "pipefail", "-c", command]
    done = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 23), done.stderr  # 23: `head` closed curl's pipe
    assert NUMBER.sub("#", done.stdout.strip()) == NUMBER.sub("#", output.strip())
    shown, answered = (list(map(float, NUMBER.findall(text))) for text in (output, done.stdout))
    assert answered == pytest.approx(shown, abs=2e-3)


def test_every_route_has_an_example_here_or_in_the_api() -> None:
    with ready(REGISTRY) as client:
        routes = client.get("/openapi.json").json()["paths"]
    text = README + (ROOT / "docs" / "api.md").read_text()
    for route in routes:
        pattern = re.sub(r"\\{\w+\\}", r"[\\w.-]+", re.escape(route))
        assert re.search(rf"8000{pattern}(?:[\s'\"?]|$)", text), f"no example of {route}"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", README))))
def test_every_make_command_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
