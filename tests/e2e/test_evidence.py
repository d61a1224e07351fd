"""The runs beside a run, and the comparison: by the command line, on real photographs."""

import shutil
from pathlib import Path

import pytest

from models.comparison import ComparisonReport
from models.report import Report
from models.store import Store
from tests.e2e.conftest import SAMPLE
from tests.support.commands import training_here as training
from training.checkpoints.run import RunFolder
from training.losses import LOSSES

pytestmark = pytest.mark.trained


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evidence")


@pytest.fixture(scope="module")
def report(home: Path) -> Report:
    """Of an arcface run with two rounds and a plane beside it."""
    of = ("--loss", "arcface", "--runs", home / "runs", "--cache", home / "cache")
    quick = ("--epochs", "1", "--batch-size", "40")
    assert training("fit", *of, "--data", SAMPLE, *quick) == 0
    assert training("unknowns", *of, "--rounds", "2", "--epochs", "1") == 0
    assert training("plane", *of) == 0
    assert training("export", *of) == 0
    assert training("evaluate", *of) == 0
    return Report.model_validate_json((home / "runs" / "arcface" / "report.json").read_bytes())


def test_each_round_leaves_out_other_classes(report: Report) -> None:
    first, second = report.unknowns.rounds
    assert len(first.left_out) == len(second.left_out) == 4
    assert len(set(first.left_out) & set(second.left_out)) == 2
    assert (first.known, first.unknown) == (60, 40)
    assert first.retrieval is not None
    assert (first.retrieval.classes, first.retrieval.images) == (4, 40)
    assert first.retrieval.map_at_r is not None
    assert 0 < first.retrieval.map_at_r.value < 1
    assert report.unknowns.chosen_by == "selection_auroc"


def test_the_plane_has_the_margin_that_fits_it(report: Report) -> None:
    plane = report.feature_space.plane
    assert plane is not None
    assert plane.largest_margin is not None
    assert plane.largest_margin == pytest.approx(0.628, abs=1e-3)  # 36 degrees
    assert plane.parameters["margin"] <= plane.largest_margin


def test_every_figure_that_is_named_is_drawn(report: Report, home: Path) -> None:
    figures = home / "runs" / "arcface" / "figures"
    assert {path.stem for path in figures.glob("*.svg")} == {one.name for one in report.figures}
    assert {"unknowns", "plane", "reliability"} <= {one.name for one in report.figures}


def test_without_a_softmax_run_nothing_is_compared_with_it(report: Report) -> None:
    assert report.classification.against_softmax is None


def test_evaluation_needs_the_exported_graph(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of = ("--loss", "softmax", "--runs", home / "bare", "--cache", home / "cache")
    assert training("fit", *of, "--data", SAMPLE, "--epochs", "1", "--batch-size", "40") == 0
    assert training("evaluate", *of) == 1
    assert "python -m training export" in capsys.readouterr().err


def test_an_unknown_class_cannot_be_left_out(
    home: Path, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    of = ("--loss", "arcface", "--runs", home / "runs", "--cache", home / "cache")
    assert training("unknowns", *of, "--leave-out", "unicorn") == 1
    assert "no class unicorn" in capsys.readouterr().err


def test_weights_that_have_seen_the_classes_are_warned_of(
    home: Path, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    arcface = home / "runs" / "arcface"
    of = ("--loss", "center", "--runs", home / "tuned", "--cache", home / "cache")
    quick = ("--epochs", "1", "--batch-size", "40")
    assert training("fit", *of, "--data", SAMPLE, "--weights", arcface, *quick) == 0
    without = arcface / "unknowns" / "0"
    classes = ",".join(report.unknowns.rounds[0].left_out)
    round_0 = ("unknowns", *of, "--leave-out", classes, "--epochs", "1")
    assert training(*round_0, "--weights", without) == 0
    assert "warning" not in capsys.readouterr().out
    folder = RunFolder(home / "tuned" / "center")
    (left_out,) = folder.unknown_rounds()
    assert left_out.record().recipe.weights == str(without)
    shutil.rmtree(left_out.path)
    assert training(*round_0) == 0
    assert f"was trained on {classes.replace(',', ', ')}" in capsys.readouterr().out


def test_a_comparison_is_published_with_its_figures(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = home / "registry"
    budget = ("--trials", "1", "--tuning-epochs", "1", "--seeds", "2", "--epochs", "1")
    folders = ("--runs", home / "comparison", "--cache", home / "cache", "--registry", registry)
    command = ("compare", "--data", SAMPLE, *budget, "--unknown-epochs", "1", *folders)
    assert training(*command) == 0
    said = capsys.readouterr().out
    compared = Store(registry).comparison()
    assert isinstance(compared, ComparisonReport)
    assert compared.losses == tuple(LOSSES)
    for verdict in compared.verdicts:
        assert verdict.sentence in said
    assert len(Store(registry).comparison_figures()) == 3
    assert training(*command[:3], *budget[:-1], "2", *folders) == 1
    assert "another protocol" in capsys.readouterr().err
