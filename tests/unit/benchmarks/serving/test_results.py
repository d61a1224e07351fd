"""The schema of the benchmark's JSON."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from benchmarks.serving.results import Report
from tests.unit.benchmarks.serving.reports import report

ROOT = Path(__file__).parents[4]
PUBLISHED = sorted((ROOT / "benchmarks" / "results").glob("serving*.json"))


def test_a_report_is_the_same_after_a_round_trip() -> None:
    assert Report.model_validate_json(report().model_dump_json()) == report()


@pytest.mark.parametrize(
    "changed",
    [
        {"unknown": 1},
        {"schema_version": 2},
        {"closed": [{"server": "x"}]},
        {"machine": None},
    ],
)
def test_what_is_not_in_the_schema_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Report.model_validate({**report().model_dump(), **changed})


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.name)
def test_published_results_have_the_schema_and_are_complete(file: Path) -> None:
    assert Report.model_validate_json(file.read_text()).complete
