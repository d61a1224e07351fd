"""`python -m training compare` with a network of one's own, from a folder to verdicts."""

from pathlib import Path

import pytest

from models.store import Store
from tests.support.commands import training_here
from tests.support.odd_folders import write_folder

COMMON = ["--losses=softmax,cosface", "--batch-size=16", "--size-px=16", "--embedding-size=8"]
SHORT = ["--epochs=1", "--trials=1", "--seeds=2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data"), bird=40, cat=40, ship=40)


def compare(data: Path, place: Path, *options: str) -> int:
    places = [f"--{name}={place / name}" for name in ("runs", "cache", "registry")]
    return training_here("compare", f"--data={data}", *places, *options)


@pytest.mark.trained
def test_a_comparison_of_two_losses_with_airbench_comes_to_verdicts(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = [f"--data={data}", "--registry=registry", "--recipe=small", "--precision=float32"]
    asked += [*COMMON, *SHORT]
    assert training_here("compare", "--name=two-losses", *asked) == 0
    store = Store(tmp_path / "registry")
    report = store.comparison("two-losses")
    assert report is not None
    assert report.losses == ("softmax", "cosface")
    assert report.protocol.backbone == "airbench"
    assert report.protocol.recipe["widths"] == [24, 96, 96]
    assert (report.protocol.epochs, report.protocol.tuning_epochs) == (1, 1)
    assert report.protocol.precision == "float32"
    assert {verdict.goal for verdict in report.verdicts} >= {"classify", "retrieve"}
    # What is finished is published under any name, and nothing is trained again
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("checkpoint*")}
    assert before
    assert training_here("compare", "--runs=runs/two-losses", *asked) == 0
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("checkpoint*")} == before
    assert store.comparison_names() == ("default", "two-losses")
    beside = store.comparison()
    assert beside is not None
    assert beside.results == report.results


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--losses=softmax"], "--losses"),
        (["--losses=softmax,nosuch"], "nosuch"),
        (["--losses=softmax,softmax"], "once"),
        (["--recipe=nosuch"], "small"),
        (["--backbone=nosuch"], "nosuch"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_training(
    capsys: pytest.CaptureFixture[str],
    data: Path,
    tmp_path: Path,
    options: list[str],
    named: str,
) -> None:
    assert compare(data, tmp_path, *SHORT, *options) == 1
    assert named in capsys.readouterr().err
    assert not list(tmp_path.rglob("checkpoint.pt"))


def test_weights_that_may_have_seen_what_is_left_out_are_refused(
    capsys: pytest.CaptureFixture[str],
    data: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "own.toml").write_text('weights = "hub"\nbackbone = "timm:resnet18"\n')
    asked = [*SHORT, f"--recipe={tmp_path / 'own.toml'}"]
    assert compare(data, tmp_path, *asked) == 1
    assert "weights" in capsys.readouterr().err
