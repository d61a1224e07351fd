"""The CSV files say each step and each epoch once, whatever happens to the run."""

import csv
from pathlib import Path

import pytest

from models.report import Epoch
from tests.support.followed import STEPS, Killed, follow, follow_with_a_kill
from tests.support.tiny_runs import tiny_recipe
from training.checkpoints.run import RunFolder
from training.loop.tracking.run_tracker import Tracking, track_result

CSV = Tracking(csv=True)


def rows(path: Path, name: str) -> list[dict[str, str]]:
    with (path / "metrics" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def same(row: dict[str, str]) -> dict[str, str]:
    """Without the columns that are of the clock."""
    return {key: value for key, value in row.items() if key not in ("images_per_second", "seconds")}


def test_a_run_is_written_down_step_by_step_and_epoch_by_epoch(tmp_path: Path) -> None:
    follow(tmp_path, CSV)
    steps, epochs = rows(tmp_path, "steps"), rows(tmp_path, "epochs")
    assert [int(row["step"]) for row in steps] == [*range(1, STEPS + 1)]
    assert [int(row["epoch"]) for row in steps] == [1] * 4 + [2] * 4 + [3] * 4
    assert all(float(row["images_per_second"]) > 0 for row in steps)
    rates = [float(row["learning_rate"]) for row in steps]
    assert rates[0] == pytest.approx(2e-3 / 25)  # where the one-cycle begins
    assert max(rates) == pytest.approx(2e-3, rel=0.1)

    checkpoint = RunFolder(tmp_path).load(tmp_path / "checkpoint.pt")
    history = [Epoch.model_validate(epoch) for epoch in checkpoint["progress"]["history"]]
    assert [(int(row["epoch"]), int(row["step"])) for row in epochs] == [(1, 4), (2, 8), (3, 12)]
    for row, epoch in zip(epochs, history, strict=True):
        assert float(row["loss"]) == epoch.loss
        assert float(row["tuning_accuracy"]) == epoch.tuning_accuracy
        assert float(row["seconds"]) == epoch.seconds
    of_first = [float(row["loss"]) for row in steps[:4]]
    assert sum(of_first) / 4 == pytest.approx(history[0].loss)
    assert epochs[0]["findings"].startswith("warning (scale-below-bound): ")
    assert "scale-below-bound" not in epochs[1]["findings"]

    parameters = {row["parameter"]: row["value"] for row in rows(tmp_path, "parameters")}
    assert (parameters["loss"], parameters["parameters.scale"]) == ("cosface", "6.0")


def test_what_the_loss_says_of_its_health_is_a_column_each(tmp_path: Path) -> None:
    follow(tmp_path, CSV, recipe=tiny_recipe("center"))
    last = RunFolder(tmp_path).load(tmp_path / "checkpoint.pt")["progress"]["history"][-1]
    row = rows(tmp_path, "epochs")[-1]
    assert set(last["diagnostics"]) == {"center_probability", "pull_ratio"}
    assert {name: float(row[name]) for name in last["diagnostics"]} == last["diagnostics"]


@pytest.mark.parametrize("after", [2, 4, 6, 11])
def test_a_killed_run_goes_on_without_a_row_twice_or_missing(tmp_path: Path, after: int) -> None:
    follow(tmp_path / "whole", CSV)
    follow_with_a_kill(tmp_path / "broken", CSV, after=after)
    for name in ("steps", "epochs"):
        ours, theirs = rows(tmp_path / "broken", name), rows(tmp_path / "whole", name)
        assert [same(row) for row in ours] == [same(row) for row in theirs]


def test_a_row_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    follow(tmp_path / "whole", CSV)
    with pytest.raises(Killed):
        follow(tmp_path / "broken", CSV, stop_after=6)
    steps = tmp_path / "broken" / "metrics" / "steps.csv"
    steps.write_bytes(steps.read_bytes()[:-30])
    follow(tmp_path / "broken", CSV, resume=True)
    ours, theirs = rows(tmp_path / "broken", "steps"), rows(tmp_path / "whole", "steps")
    assert [same(row) for row in ours] == [same(row) for row in theirs]


def test_a_result_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    follow(tmp_path, CSV)
    before = (tmp_path / "metrics" / "steps.csv").read_bytes()
    for accuracy in (0.25, 0.5):
        track_result(RunFolder(tmp_path), "test_accuracy", accuracy)
    assert rows(tmp_path, "results") == [{"result": "test_accuracy", "value": "0.5"}]
    assert (tmp_path / "metrics" / "steps.csv").read_bytes() == before
