"""Accuracy beside speed: of the published models, in a file, a table and a figure."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.frontier import plot, table
from benchmarks.frontier.__main__ import main
from benchmarks.frontier.results import Report
from models.report import Report as Evaluation

REGISTRY = Path(__file__).parents[4] / "models" / "registry"
FOLDERS = [REGISTRY / loss / "1" for loss in ("softmax", "triplet")]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frontier") / "frontier.json"
    images = ["--images", str(FOLDERS[0])]
    assert main([*map(str, FOLDERS), *images, "--seconds", "0.01", "--out", str(path)]) == 0
    return path


def test_each_network_has_the_accuracy_of_its_report_and_a_speed(results: Path) -> None:
    report = Report.model_validate_json(results.read_text())
    assert {point.loss for point in report.points} == {"softmax", "triplet"}
    for point in report.points:
        told = Evaluation.model_validate_json(
            (REGISTRY / point.loss / "1" / "report.json").read_bytes()
        )
        assert point.accuracy == told.classification.accuracy.value
        assert point.test_images == 10_000
        assert point.network == "compact"
        assert point.images_per_s == pytest.approx(64_000 / point.batch.p50_ms, rel=1e-3)
    speeds = [point.images_per_s for point in report.points]
    assert speeds == sorted(speeds, reverse=True)


def test_the_table_goes_between_its_marks(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = (f"<!-- by {table.COMMAND}: {edge} -->" for edge in ("begin", "end"))
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    table.main([str(results), "--into", str(page)])
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "| compact | triplet | 1." in text
    page.write_text("no marks")
    with pytest.raises(ValueError, match=table.COMMAND):
        table.main([str(results), "--into", str(page)])


def test_several_files_make_one_table_and_one_figure(results: Path, tmp_path: Path) -> None:
    report = Report.model_validate_json(results.read_text())
    slower = report.points[1].model_copy(update={"network": "gone", "images_per_s": 1.0})
    of_runs_that_are_gone = report.model_copy(
        update={
            "command": "earlier",
            "date": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
            "points": (slower,),
        }
    )
    earlier = tmp_path / "earlier.json"
    earlier.write_text(of_runs_that_are_gone.model_dump_json())
    lines = table.everything([report, of_runs_that_are_gone]).splitlines()
    assert lines[0].startswith("By `python -m benchmarks.frontier")
    assert lines[2].startswith("By `earlier`, 2026-01-02")
    assert lines[-1].startswith("| gone | ")
    assert lines[-1].endswith("02 Jan 03:04 |")
    assert len(lines) == 4 + 2 + 3
    plot.main([str(results), str(earlier), "--out", str(tmp_path / "both.svg")])
    assert ">gone<" in (tmp_path / "both.svg").read_text()


def test_the_figure_names_each_network_once(results: Path, tmp_path: Path) -> None:
    report = Report.model_validate_json(results.read_text())
    twice = report.model_copy(update={"points": report.points * 2})
    (tmp_path / "frontier.json").write_text(twice.model_dump_json())
    plot.main([str(tmp_path / "frontier.json")])
    svg = (tmp_path / "frontier.svg").read_text()
    assert "What accuracy costs" in svg
    assert svg.count(f">{report.points[0].network}<") == 1


def test_a_network_is_named_by_its_widths_and_its_depth(tmp_path: Path) -> None:
    folder, out = tmp_path / "deep", tmp_path / "frontier.json"
    shutil.copytree(FOLDERS[0], folder)
    told = Evaluation.model_validate_json((folder / "report.json").read_bytes())
    recipe = told.provenance.recipe | {"backbone": "airbench", "widths": [4, 6, 8], "depth": 3}
    provenance = told.provenance.model_copy(update={"recipe": recipe})
    told = told.model_copy(update={"provenance": provenance})
    (folder / "report.json").write_text(told.model_dump_json())
    assert main([str(folder), "--seconds", "0.01", "--out", str(out)]) == 0
    (point,) = Report.model_validate_json(out.read_text()).points
    assert point.network == "airbench 4-6-8 x 3"


def test_a_folder_without_a_model_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--out", str(tmp_path / "out.json")]) == 1
    assert "has no model.onnx" in capsys.readouterr().err
