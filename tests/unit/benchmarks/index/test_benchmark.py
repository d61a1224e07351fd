"""The benchmark runs end to end on a tiny size, and its results become tables and a plot."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from benchmarks import apart
from benchmarks.index import bars, plot, stage, table
from benchmarks.index.benchmark import Benchmark
from benchmarks.index.jobs import Job
from benchmarks.index.quantities import points, power
from benchmarks.index.results import Report, Result, Settings
from models import code
from reports import marks

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs" / "index.md"
RESULTS = ROOT / "benchmarks" / "results" / "index.json"
SIZES = (600, 1200)
COMMIT = "0" * 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for all files."""
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    """Everything, measured in this process."""
    one = benchmark(folder)
    assert one.run(Console(quiet=True))
    return Report.model_validate_json(one.out.read_text())


def known(report: Report, job: Job) -> Result:
    """Return a known result of that stage, instead of measuring it again."""
    runs: dict[str, Sequence[Result]] = {
        "ingest": report.ingests,
        "build": [one for one in report.builds if one.kind == job.kind],
        "search": [
            one for one in report.searches if (one.kind, one.vectors) == (job.kind, job.vectors)
        ],
        "restart": [one for one in report.restarts if one.source == job.source],
    }
    return next(one for one in runs[job.stage] if one.size == job.size)


def benchmark(folder: Path, **changed: Any) -> Benchmark:
    settings = Settings(
        sizes=SIZES, k=5, queries=20, put_items=250, build_threads=1, rounds=3, seconds=0.01
    )
    fields = {"settings": settings, "command": "python -m benchmarks.index", "run_stage": stage.run}
    return Benchmark(out=folder / "index.json", work=folder / "work", **{**fields, **changed})


def leave_interrupted(report: Report, folder: Path) -> None:
    """Leave the files of a run by COMMIT that came no further than the first size."""
    left = report.model_copy(update={"finished": SIZES[:1], "commit": COMMIT})
    (folder / "index.json").write_text(left.model_dump_json())


def test_all_is_measured_of_every_size(report: Report) -> None:
    assert report.complete
    assert [run.size for run in report.ingests] == list(SIZES)
    assert [(run.size, run.kind) for run in report.builds] == [
        (size, kind) for size in SIZES for kind in ("exact", "hnsw", "compact")
    ]
    assert [(run.size, run.kind, run.vectors) for run in report.searches] == [
        (size, *one)
        for size in SIZES
        for one in (
            ("exact", "memory"),
            ("hnsw", "memory"),
            ("compact", "memory"),
            ("compact", "items"),
        )
    ]
    assert [run.source for run in report.restarts] == ["snapshot", "items"] * len(SIZES)


def test_what_must_be_found_is_found(report: Report) -> None:
    for run in report.searches:
        for found in run.comparisons:
            assert found.ours.found == 1, (run.size, run.kind, found.case)
            if run.kind == "exact":
                assert found.ours.recall == found.raw.recall == 1
    assert all(search.found == 1 for run in report.restarts for search in run.searches)


def test_auto_is_reported(report: Report) -> None:
    assert {run.kind for run in report.searches if run.auto} == {"exact"}
    assert {run.kind_in_use for run in report.ingests} == {"exact"}


def test_room_is_more_than_nothing(report: Report) -> None:
    for run in report.searches:
        assert run.disk_bytes > run.computed_bytes / 2 > 0
    for ingest in report.ingests:
        assert ingest.database_bytes > ingest.size * 256


def test_nothing_is_left_but_the_data(report: Report, folder: Path) -> None:
    assert report.complete
    assert [path.name for path in (folder / "work").iterdir()] == ["data"]


def test_a_run_is_taken_up_after_the_last_finished_size(
    report: Report, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "commit", lambda: COMMIT)
    leave_interrupted(report, tmp_path)
    asked: list[Job] = []

    def note(job: Job) -> Result:
        asked.append(job)
        (job.work / str(job.size)).mkdir(exist_ok=True)
        return known(report, job)

    assert benchmark(tmp_path, run_stage=note).run(Console(quiet=True))
    assert {job.size for job in asked} == {SIZES[1]}
    again = Report.model_validate_json((tmp_path / "index.json").read_text())
    assert again.complete
    assert again.searches == report.searches


def test_a_run_by_other_code_is_begun_anew(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "commit", lambda: "1" * 40)
    leave_interrupted(report, tmp_path)
    asked: list[Job] = []

    def stop(job: Job) -> Result:
        asked.append(job)
        raise KeyboardInterrupt

    assert not benchmark(tmp_path, run_stage=stop).run(Console(quiet=True))
    assert [job.size for job in asked] == [SIZES[0]]


@pytest.mark.bench
def test_a_stage_runs_in_a_process_of_its_own(folder: Path, report: Report) -> None:
    job = Job(stage="build", size=SIZES[0], work=folder / "apart", settings=report.settings)
    job.data.prepare()
    assert stage.run_apart(job).size == SIZES[0]
    with pytest.raises(apart.StageFailed, match=r"benchmarks\.index\.stage"):
        stage.run_apart(job)  # its folder is there already


def test_the_tables_say_what_the_report_says(report: Report) -> None:
    text = table.everything(report)
    found = next(run for run in report.searches if run.kind == "hnsw").case("plain")
    assert f"| 600, hnsw | {found.ours.recall:.4f} |" in text
    assert "600, compact from SQLite" in text
    assert "interrupted" not in text
    unfinished = report.model_copy(update={"finished": ()})
    assert "**interrupted**" in table.caption(unfinished)


def test_the_bars_are_held_against_the_largest_size(report: Report) -> None:
    slow = [run.model_copy(update={"per_s": 19_999.0}) for run in report.ingests]
    text = bars.against(report.model_copy(update={"ingests": slow}))
    assert text.startswith("| At 1,200 vectors |")
    assert "| durable ingest, items/s | 20,000 | 19,999 | **no** |" in text
    assert "| recall@10 of `auto` | 0.98 | 1.0000 | yes |" in text
    assert "Nothing" in bars.against(report.only(()))


def test_every_table_has_as_many_cells_in_each_row(report: Report) -> None:
    parts = table.everything(report).split("### ")[1:]
    assert len(parts) == 7
    for part in parts:
        rows = [line.count("|") for line in part.splitlines() if line.startswith("|")]
        assert len(rows) > 2
        assert len(set(rows)) == 1


def marked(text: str) -> str:
    """A page with this between the marks."""
    begin, end = (f"<!-- by {table.COMMAND}: {edge} -->" for edge in ("begin", "end"))
    return f"before\n{begin}\n{text}\n{end}\nafter\n"


def test_the_tables_are_put_between_the_marks(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, page = tmp_path / "index.json", tmp_path / "page.md"
    results.write_text(report.model_dump_json())
    page.write_text(marked("old"))
    table.main([str(results), "--into", str(page)])
    table.main([str(results)])
    printed = capsys.readouterr().out.strip()
    assert page.read_text() == marked(printed)


def test_the_plot_is_drawn(report: Report, tmp_path: Path) -> None:
    results = tmp_path / "index.json"
    results.write_text(report.model_dump_json())
    plot.main([str(results)])
    drawn = (tmp_path / "index.svg").read_text()
    assert "recall@10" in drawn
    assert "compact" in drawn


def test_growth_is_a_power_of_n(report: Report) -> None:
    assert power([(10, 3.0), (1000, 300.0)]) == pytest.approx(1)
    assert power([(10, 3.0)]) is None
    assert power([(10, 0.0), (100, 1.0)]) is None
    found = points(report, "compact", lambda run: run.disk_bytes)
    assert [size for size, _ in found] == list(SIZES)


def test_what_is_not_in_the_schema_is_refused(report: Report) -> None:
    with pytest.raises(ValidationError):
        Report.model_validate({**json.loads(report.model_dump_json()), "unknown": 1})


@pytest.mark.skipif(not RESULTS.exists(), reason="nothing was published yet")
def test_the_page_has_the_tables_of_the_published_results() -> None:
    published = Report.model_validate_json(RESULTS.read_text())
    assert published.complete
    tables = table.everything(published)
    assert marks.put(PAGE.read_text(), table.COMMAND, tables) == PAGE.read_text()
