"""Where trackers keep what they write about a run; imports none of them."""

from pathlib import Path

from pydantic import Field

from models.manifest import Frozen

METRICS = "metrics"
EVENTS = "tensorboard"
MLFLOW = "mlflow.json"


class MlflowPlace(Frozen):
    """Where a run is in MLflow, kept in its folder as `mlflow.json`."""

    uri: str = Field(description="the store or server")
    run_id: str = Field(description="MLflow's own name for the run")


def mlflow_place(folder: Path) -> MlflowPlace | None:
    """Where the run of this folder is in MLflow; None where it is not there."""
    path = folder / MLFLOW
    return MlflowPlace.model_validate_json(path.read_bytes()) if path.is_file() else None
