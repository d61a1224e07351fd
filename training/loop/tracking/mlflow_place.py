"""The places where trackers write about a run; imports none of them."""

from pathlib import Path

from pydantic import Field

from models.manifest import Frozen

METRICS = "metrics"
EVENTS = "tensorboard"
MLFLOW = "mlflow.json"


class MlflowPlace(Frozen):
    """The address of a run in MLflow, kept in its folder as `mlflow.json`."""

    uri: str = Field(description="the store or server")
    run_id: str = Field(description="MLflow's own name for the run")


def mlflow_place(folder: Path) -> MlflowPlace | None:
    """Read the address of the folder's run in MLflow; None where it has none."""
    path = folder / MLFLOW
    return MlflowPlace.model_validate_json(path.read_bytes()) if path.is_file() else None
