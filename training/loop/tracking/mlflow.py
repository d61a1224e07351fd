"""A run in MLflow: in a local database, or at a server."""

import logging
import time
import warnings
from typing import TYPE_CHECKING

from models.atomic import replacing
from training.errors import ExtraMissing, InvalidRun, TrackingFailed
from training.loop.tracking.mlflow_place import MLFLOW, MlflowPlace, mlflow_place
from training.loop.tracking.tracker import Ending, EpochRow, StepRow, TrackingStart

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

EXPERIMENT = "lossatlas"
_AT_ONCE = 1000  # what MLflow takes in one request
_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


class MlflowTracker:
    """One MLflow run for one run folder, however often it is resumed.

    MLflow cannot forget a number, so rows are sent once an epoch, and a resumed run sends only
    what is missing: the steps in between come out the same. Where the server does not
    answer in mid-training, the training goes on and the rows wait for the next epoch's.
    """

    def __init__(self, start: TrackingStart, uri: str) -> None:
        place = mlflow_place(start.folder)
        if place is not None and place.uri != uri:
            raise InvalidRun(f"{start.folder} is tracked in {place.uri}; go on there, not in {uri}")
        self._waiting: list[Metric] = []
        self._tags: dict[str, str] = {}
        self._last = start.step or 0
        self._client, self._failures = _connect(uri)
        try:
            self._run_id = self._create(start, uri) if place is None else place.run_id
            self._client.update_run(self._run_id, status="RUNNING")
            self._steps_sent = self._last_step("step/loss")
            self._epochs_sent = self._last_step("epoch/loss")
        except self._failures as error:
            raise TrackingFailed(f"MLflow at {uri} cannot be used: {error}") from error

    def step(self, row: StepRow) -> None:
        """Three metrics, sent with the epoch's."""
        self._last = row.step
        if row.step > self._steps_sent:
            self._queue(row.scalars())

    def epoch(self, row: EpochRow) -> None:
        """Send the epoch's metrics and those of its steps; a tag for each finding."""
        if row.step > self._epochs_sent:
            self._queue(row.scalars())
        for number, text in enumerate(row.findings_text(), start=1):
            self._tags[f"finding.{row.epoch.epoch}.{number}"] = text
        self._send()

    def result(self, name: str, value: float) -> None:
        """A metric at the run's last step."""
        self._last = max(self._last, self._steps_sent)
        self._queue({name: value})
        self._send()

    def close(self, ending: Ending) -> None:
        """Send what is left, and say how the run ended."""
        self._send()
        try:
            self._client.set_terminated(self._run_id, _STATUS[ending])
        except self._failures as error:
            _warn(error)

    def _create(self, start: TrackingStart, uri: str) -> str:
        from mlflow.entities import Param

        record, client = start.record, self._client
        known = client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known else client.create_experiment(EXPERIMENT)
        about = {
            "command": record.command,
            "commit": record.commit or "",
            "dataset": f"{record.dataset.name} {record.dataset.edition}",
            "dataset_sha256": record.dataset.sha256,
            "hardware": record.hardware,
        }
        name = str(start.folder)
        run_id = str(client.create_run(experiment, tags=about, run_name=name).info.run_id)
        parameters = [Param(key, str(value)) for key, value in start.parameters().items()]
        client.log_batch(run_id, params=parameters)
        with replacing(start.folder / MLFLOW) as temporary:
            place = MlflowPlace(uri=uri, run_id=run_id)
            temporary.write_text(place.model_dump_json(indent=2) + "\n")
        return run_id

    def _last_step(self, name: str) -> int:
        history = self._client.get_metric_history(self._run_id, name)
        return max((metric.step for metric in history), default=0)

    def _queue(self, scalars: dict[str, float]) -> None:
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        self._waiting += [Metric(*item, now_ms, self._last) for item in scalars.items()]

    def _send(self) -> None:
        from mlflow.entities import RunTag

        try:
            while self._waiting:
                self._client.log_batch(self._run_id, metrics=self._waiting[:_AT_ONCE])
                del self._waiting[:_AT_ONCE]
            if self._tags:
                tags = [RunTag(*item) for item in self._tags.items()]
                self._client.log_batch(self._run_id, tags=tags)
                self._tags.clear()
        except self._failures as error:
            _warn(error)


def _connect(uri: str) -> "tuple[MlflowClient, type[Exception]]":
    """A client and what it raises; quiet."""
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise ExtraMissing("--mlflow", "mlflow", error) from error
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    try:
        return MlflowClient(tracking_uri=uri), MlflowException
    except MlflowException as error:
        raise TrackingFailed(f"MLflow at {uri} cannot be used: {error}") from error


def _warn(error: Exception) -> None:
    warnings.warn(f"MLflow does not answer, training goes on: {error}", stacklevel=3)
