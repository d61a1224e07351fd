"""MLflow's own client finds one run with each number once."""

import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.support.followed import STEPS, Killed, follow, follow_with_a_kill
from training.checkpoints.run import RunFolder
from training.errors import ExtraMissing, InvalidRun, TrackingFailed
from training.loop.tracking.mlflow_place import mlflow_place
from training.loop.tracking.run_tracker import Tracking, track_result

# MLflow 3.17 uses what SQLAlchemy 2.1 deprecates
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture(scope="session")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database of its own, made once: it takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def store(uri: str) -> MlflowClient:
    return MlflowClient(tracking_uri=uri)


def run_id(path: Path) -> str:
    place = mlflow_place(path)
    assert place is not None
    return place.run_id


def history(store: MlflowClient, path: Path, name: str) -> list[tuple[int, float]]:
    metrics = store.get_metric_history(run_id(path), name)
    return sorted((metric.step, metric.value) for metric in metrics)


def test_a_run_is_written_down(tmp_path: Path, uri: str, store: MlflowClient) -> None:
    follow(tmp_path, Tracking(mlflow=uri))
    found = store.get_run(run_id(tmp_path))
    assert found.info.status == "FINISHED"
    assert found.data.params["parameters.scale"] == "6.0"
    assert found.data.tags["hardware"] == "a machine"
    assert found.data.tags["finding.1.1"].startswith("warning (scale-below-bound)")
    assert [step for step, _ in history(store, tmp_path, "step/loss")] == [*range(1, STEPS + 1)]
    last = RunFolder(tmp_path).load(tmp_path / "checkpoint.pt")["progress"]["history"][-1]
    assert history(store, tmp_path, "epoch/loss")[-1] == (12, last["loss"])
    track_result(RunFolder(tmp_path), "test_accuracy", 0.75)
    assert history(store, tmp_path, "test_accuracy") == [(12, 0.75)]


@pytest.mark.parametrize("after", [2, 6])
def test_a_killed_run_goes_on_in_the_same_run(
    tmp_path: Path, uri: str, store: MlflowClient, after: int
) -> None:
    follow(tmp_path / "whole", Tracking(mlflow=uri))
    follow_with_a_kill(tmp_path / "broken", Tracking(mlflow=uri), after=after)
    names = ("step/loss", "step/learning_rate", "epoch/loss", "epoch/tuning_accuracy")
    for name in names:
        ours, theirs = (history(store, tmp_path / run, name) for run in ("broken", "whole"))
        assert ours == theirs
    assert store.get_run(run_id(tmp_path / "broken")).info.status == "FINISHED"


def test_a_run_that_dies_is_marked_as_failed(tmp_path: Path, uri: str, store: MlflowClient) -> None:
    with pytest.raises(Killed):
        follow(tmp_path, Tracking(mlflow=uri), stop_after=6)
    assert store.get_run(run_id(tmp_path)).info.status == "FAILED"


def test_a_run_cannot_move_to_another_store(tmp_path: Path, uri: str) -> None:
    with pytest.raises(Killed):
        follow(tmp_path, Tracking(mlflow=uri), stop_after=2)
    with pytest.raises(InvalidRun, match="is tracked in sqlite"):
        follow(tmp_path, Tracking(mlflow="sqlite:///elsewhere.db"), resume=True)


def test_a_store_that_cannot_be_used_is_an_error_before_training(tmp_path: Path) -> None:
    with pytest.raises(TrackingFailed, match="sqlite"):
        follow(tmp_path, Tracking(mlflow=(tmp_path / "folder").as_uri()))
    assert not (tmp_path / "checkpoint.pt").exists()


def test_without_the_extra_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ExtraMissing, match="extra 'mlflow'"):
        follow(tmp_path, Tracking(mlflow="sqlite:///x.db"))
